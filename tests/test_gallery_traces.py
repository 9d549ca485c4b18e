"""Traces: what a plain search of the bytes finds, the one pass over them finds too."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.gallery import traces
from saccade.gallery.rawfile import RawFile


def bytes_of(seed, count):
    return np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8).tobytes()


def searched(path, wanted, *, seconds=1e9):
    path.touch()
    file = RawFile(path)
    try:
        return traces.Traces(wanted).search(file, seconds=seconds)
    finally:
        file.close()


@settings(max_examples=100)
@given(
    size=st.integers(0, 3000),
    length=st.integers(32, 300),
    places=st.lists(st.integers(-400, 3000), max_size=4),
    strides=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_equals_a_plain_search(tmp_path_factory, size, length, places, strides, seed):
    """Copies anywhere, over the borders of blocks, over one another and over the file's ends."""
    vectors = [bytes_of([seed, number], length) for number in range(len(places) + 1)]
    content = bytearray(bytes_of(seed, size))
    for vector, place in zip(vectors, places, strict=False):
        begin, end = max(place, 0), max(min(place + length, size), 0)
        content[begin:end] = vector[begin - place : end - place] if begin < end else b""
    content = bytes(content[:size])
    wanted = list(itertools.chain.from_iterable(map(traces.cut, vectors)))
    path = tmp_path_factory.mktemp("raw") / "file"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traces, "BLOCK_STRIDES", strides)
        found, looked = searched(path, wanted)
    plain = {number for number, piece in enumerate(wanted) if piece in content}
    assert (found, looked) == (plain, len(content))
    assert traces.Traces(wanted).among([content[:1000], content[1000:]]) == {
        number
        for number, piece in enumerate(wanted)
        if piece in content[:1000] or piece in content[1000:]
    }


@pytest.mark.parametrize("length", [32, 47, 94, 95, 256, 1024, 1024 + 79, 6000])
@pytest.mark.parametrize("shift", range(0, 64, 7))
def test_a_whole_copy_is_found_wherever_it_lies(tmp_path, length, shift):
    vector = bytes_of(length, length)
    wanted = traces.cut(vector)
    assert vector.startswith(wanted[0]) and vector.endswith(wanted[-1][-16:])
    (tmp_path / "file").write_bytes(bytes(100 + shift) + vector + bytes(shift))
    assert searched(tmp_path / "file", wanted)[0] == set(range(len(wanted)))


def test_many_are_found_among_many(tmp_path, monkeypatch):
    monkeypatch.setattr(traces, "ROWS", 64)  # hashed in several turns
    vectors = [bytes_of([5, number], 256) for number in range(500)]
    wanted = list(itertools.chain.from_iterable(map(traces.cut, vectors)))
    assert len(wanted) == 1000
    (tmp_path / "file").write_bytes(b"".join(vectors[::3]))
    there = {2 * number + end for number in range(0, 500, 3) for end in (0, 1)}
    assert searched(tmp_path / "file", wanted) == (there, 167 * 256)


def test_what_stands_anywhere_by_chance_is_not_sought(tmp_path):
    assert traces.cut(bytes_of(0, 31)) == [], "too short"
    assert traces.cut(bytes(256)) == traces.cut(bytes(range(7)) * 40) == [], "few values"
    sparse = np.zeros(128, "<f2")  # one number in five is not zero, as behind a rectifier
    sparse[::5] = np.random.default_rng(0).random(26)
    wanted = traces.cut(sparse.tobytes())
    assert len(wanted) == 2
    for shift in range(0, 64, 2):
        (tmp_path / "file").write_bytes(bytes(1000 + shift) + sparse.tobytes() + bytes(9999))
        assert searched(tmp_path / "file", wanted)[0] == {0, 1}


def test_without_time_only_the_first_block_is_looked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(traces, "BLOCK_STRIDES", 16)
    (tmp_path / "file").write_bytes(bytes_of(1, 1 << 16))
    wanted = traces.cut(bytes_of(2, 256))
    assert searched(tmp_path / "file", wanted, seconds=-1)[1] == 1024
    assert searched(tmp_path / "file", wanted)[1] == 1 << 16
    assert searched(tmp_path / "none", wanted) == (set(), 0)
