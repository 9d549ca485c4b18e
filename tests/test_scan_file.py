"""Files of mapped arrays: what goes in comes out, and what is broken is said, never read."""

import json
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.vectors.scan_file import (
    BLOCK_BYTES,
    FIELDS,
    HEADER_BYTES,
    MAGIC,
    CodeFile,
    CodeFileError,
    CodeFileWriter,
)

ARRAYS = st.dictionaries(
    st.sampled_from(["a", "b", "longer name", "ä"]),
    st.tuples(
        st.sampled_from(["|u1", "<u4", "<i8", "<f4"]),
        st.lists(st.integers(0, 40), min_size=1, max_size=3),
    ),
    max_size=4,
)


def write(path, arrays, about=None):
    writer = CodeFileWriter(path, {name: (a.dtype.str, a.shape) for name, a in arrays.items()})
    for name, array in arrays.items():
        writer.arrays[name][...] = array
    writer.finish(about or {})
    return path


def example(path):
    draw = np.random.default_rng(0)
    arrays = {
        "rows": draw.integers(0, 256, (40_000, 64)).astype(np.uint8),
        "numbers": np.arange(1000),
        "none": np.zeros(0, np.float32),
    }
    return write(path, arrays, {"n": 3}), arrays


@settings(max_examples=60)
@given(wanted=ARRAYS, seed=st.integers(0, 99))
def test_what_is_written_is_read(tmp_path_factory, wanted, seed):
    draw = np.random.default_rng(seed)
    arrays = {
        name: draw.integers(0, 200, shape).astype(dtype) for name, (dtype, shape) in wanted.items()
    }
    path = write(tmp_path_factory.mktemp("codes") / "file", arrays, {"seed": seed})
    file = CodeFile(path)
    file.check(arrays)
    assert file.about == {"seed": seed}
    assert file.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(file.arrays[name], array)
        assert file.arrays[name].dtype == array.dtype
        assert not file.arrays[name].flags.writeable
        if array.size:
            assert file.arrays[name].ctypes.data % 64 == 0


def test_a_changed_bit_is_found_by_the_check_of_its_array_alone(tmp_path):
    path, arrays = example(tmp_path / "file")
    for row in (0, 20_000, 39_999):
        changed = CodeFile(path, writable=True)
        changed.arrays["rows"][row, 5] ^= 1
        changed.flush()
        CodeFile(path).check([])
        with pytest.raises(CodeFileError, match="checksum"):
            CodeFile(path).check(["rows"])
        changed.arrays["rows"][row, 5] ^= 1
        changed.flush()
        CodeFile(path).check(arrays)


def test_changed_rows_are_hashed_anew(tmp_path):
    path, arrays = example(tmp_path / "file")
    file = CodeFile(path, writable=True)
    rows = np.array([0, BLOCK_BYTES // 64 - 1, BLOCK_BYTES // 64, 39_999])
    file.arrays["rows"][rows] = 0
    file.rehash("rows", rows, 64)
    file.flush()
    CodeFile(path).check(arrays)


@pytest.mark.parametrize("size", [0, 5, FIELDS.size, HEADER_BYTES - 1, HEADER_BYTES, 10**6])
def test_a_file_cut_short_is_refused(tmp_path, size):
    path, _ = example(tmp_path / "file")
    os.truncate(path, size)
    with pytest.raises(CodeFileError, match="file"):
        CodeFile(path)


def broken_header(path, change):
    """Rewrite the header, with a good checksum of its own."""
    with path.open("r+b") as stream:
        _, length, _ = FIELDS.unpack(stream.read(FIELDS.size))
        header = json.loads(stream.read(length))
        changed = change(header)
        text = changed if isinstance(changed, bytes) else json.dumps(changed or header).encode()
        stream.seek(0)
        stream.write(struct.pack("<8sII", MAGIC, len(text), zlib.crc32(text)) + text)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["arrays"]["rows"].__setitem__(2, 0),
        lambda h: h["arrays"]["rows"].__setitem__(2, -4096),
        lambda h: h["arrays"]["rows"].__setitem__(2, HEADER_BYTES + 1),
        lambda h: h["arrays"]["rows"].__setitem__(1, [10**12, 64]),
        lambda h: h["arrays"]["rows"].__setitem__(1, [-1, 64]),
        lambda h: h["arrays"]["rows"].__setitem__(1, [2**47, 2**47]),
        lambda h: h["arrays"]["rows"].__setitem__(1, [40_000, 64, *[1] * 70]),
        lambda h: h["arrays"]["rows"].__setitem__(1, "ab"),
        lambda h: h["arrays"]["rows"].__setitem__(1, [True, 64]),
        lambda h: h["arrays"]["rows"].__setitem__(0, "|O8"),
        lambda h: h["arrays"]["rows"].__setitem__(0, []),
        lambda h: h["arrays"]["numbers"].__setitem__(2, HEADER_BYTES),
        lambda h: h["arrays"].__setitem__("rows", 7),
        lambda h: h.__setitem__("arrays", []),
        lambda h: h.__setitem__("about", None),
        lambda h: h.__setitem__("version", 2),
        lambda h: h.pop("version") and None,
        lambda h: b"[" * 5000,
        lambda h: b"[]",
        lambda h: b"\xff",
        lambda h: b"",
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path, change):
    path, _ = example(tmp_path / "file")
    broken_header(path, change)
    with pytest.raises(CodeFileError, match="file"):
        CodeFile(path)


def test_a_newer_version_is_named(tmp_path):
    path, _ = example(tmp_path / "file")
    broken_header(path, lambda h: h.__setitem__("version", 9))
    with pytest.raises(CodeFileError, match="version 9, this Saccade reads 1"):
        CodeFile(path)
