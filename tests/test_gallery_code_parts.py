"""Codes that are whole by their checksums and yet cannot be: refused, or seen through."""

import json
import struct
import zlib

import numpy as np
import pytest

from saccade.gallery import Gallery, codes, upkeep
from saccade.vectors.scan_file import FIELDS, MAGIC, CodeFile
from tests import coded

DIMENSION, PEOPLE, EACH = 16, 15, 6
ROWS = np.random.default_rng(2).standard_normal((PEOPLE * EACH, DIMENSION)).astype(np.float32)
ROWS[:, 0] *= 3
NAMES = [f"person {row // EACH}" for row in range(len(ROWS))]


@pytest.fixture
def indexed(tmp_path, monkeypatch):
    """A gallery with cells, three rows of it out of the 8-bit range; and what it holds."""
    monkeypatch.setattr(upkeep.Checks, "after", lambda checks, memory: None)
    folder = tmp_path / "g"
    gallery = Gallery.create(folder, fingerprint="f" * 64, dimension=DIMENSION)
    with gallery, coded.tuner(coded.scanning(cells=2, finalists=8)):
        outcomes = gallery.enrol_vectors(ROWS, NAMES)
        gallery.index()
    file = CodeFile(folder / "codes" / "scan", writable=True)
    held = np.flatnonzero(file.arrays["identities"] == 2)[:3]
    file.arrays["escaped"][:] |= codes.packed(held, len(file.arrays["numbers"]))
    file.rehash("escaped", held // 8, 1)
    file.flush()
    numbers = [outcome.picture_id for outcome in outcomes]
    return folder, dict(zip(numbers, zip(NAMES, ROWS, strict=True), strict=True))


def write_header(path, change):
    with path.open("r+b") as stream:
        _, length, _ = FIELDS.unpack(stream.read(FIELDS.size))
        header = json.loads(stream.read(length))
        change(header)
        text = json.dumps(header).encode()
        stream.seek(0)
        stream.write(struct.pack("<8sII", MAGIC, len(text), zlib.crc32(text)) + text)


def answers_right(folder, enrolled, *, index):
    with Gallery.open(folder) as gallery:
        assert gallery.stats().index == index
        for query in ROWS[:: EACH * 4] + 0.1:
            (found,) = gallery.find_vectors([query], 7)
            coded.assert_right(found, enrolled, query, 7)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["arrays"]["full"].__setitem__(1, [2**44, 0]),
        lambda h: h["arrays"]["numbers"].__setitem__(1, [2]),
        lambda h: h["arrays"]["centres"].__setitem__(0, "<u4"),
        lambda h: h["arrays"].pop("starts"),
        lambda h: h["about"].__setitem__("generation", 2**70),
        lambda h: h["about"].__setitem__("last", 1),
        lambda h: h["about"].__setitem__("bits", float("inf")),
        lambda h: h["about"]["effort"].__setitem__("survivors", 0),
        lambda h: h["about"]["effort"].__setitem__("survivors", "many"),
        lambda h: h["about"]["effort"].__setitem__("finalists", 2**40),
        lambda h: h["about"]["effort"].__setitem__("probes", -1),
        lambda h: h["about"]["wish"].__setitem__("threads", 10**9),
    ],
)
def test_a_header_that_cannot_be_is_refused(indexed, change):
    folder, enrolled = indexed
    write_header(folder / "codes" / "scan", change)
    answers_right(folder, enrolled, index="exact")


@pytest.mark.parametrize("name", ["mean", "rotation", "deviation", "full_step", "centres", "radii"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_a_fit_that_cannot_be_is_refused(indexed, name, value):
    folder, enrolled = indexed
    file = CodeFile(folder / "codes" / "scan", writable=True)
    file.arrays[name].reshape(-1)[0] = value
    file.rehash(name, np.array([0]), 4)
    file.flush()
    answers_right(folder, enrolled, index="exact")


@pytest.mark.parametrize("name", ["numbers", "identities"])
def test_rows_that_the_truth_gives_to_others_are_not_believed(indexed, name):
    """Without the truth's word, the same few rows would be asked for again without end."""
    folder, enrolled = indexed
    file = CodeFile(folder / "codes" / "scan", writable=True)
    held = np.flatnonzero(file.arrays["numbers"])
    file.arrays[name][held] = np.roll(file.arrays[name][held], EACH)
    file.rehash(name, held, 8)
    file.flush()
    answers_right(folder, enrolled, index="scan")


def test_forgetting_leaves_no_bit_that_a_row_was_out_of_range(indexed):
    folder, enrolled = indexed
    with Gallery.open(folder) as gallery:
        assert gallery.forget("person 1").status == "forgotten"  # identity 2
    coded.assert_nothing_left(folder, enrolled)


def test_codes_that_cannot_tell_whom_they_hold_go_when_somebody_is_forgotten(indexed):
    folder, enrolled = indexed
    path = folder / "codes" / "scan"
    file = CodeFile(path, writable=True)
    place = np.flatnonzero(file.arrays["identities"] == 2)[0]
    row = file.arrays["full"][place].tobytes()
    file.arrays["identities"][place] ^= 4096
    file.flush()
    assert row in path.read_bytes()
    with Gallery.open(folder) as gallery:
        assert gallery.forget("person 1").status == "forgotten"
    assert coded.files_with(folder, [row]) == []
    left = {number: held for number, held in enrolled.items() if held[0] != "person 1"}
    answers_right(folder, left, index="exact")
