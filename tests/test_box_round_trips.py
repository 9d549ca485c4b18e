"""What is written is read again: each format within its precision, and one after the other."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.data.box_formats import BOX_FORMATS
from saccade.data.box_readers import read_boxes
from saccade.data.box_sets import AREAS
from saccade.data.box_voc import AS_DIFFICULT, ONE_PIXEL
from saccade.data.box_writers import write_boxes
from saccade.data.box_yolo import AS_PLAIN, CROWDS
from saccade.errors import InputError
from tests.box_folders import box_set, rows_of
from tests.reference.box_loops import voc_boxes, yolo_boxes

DATA = os.environ.get("SACCADE_DATA")
WIDTH, HEIGHT = 97, 61
EXACT = 1e-8  # pixels: what is computed is rounded to nine decimals
NAMES = (
    "cat",
    "<b> & 'x' \"y\"",
    "\u202eright to left",
    "a, b; c: {d} [e] #f",
    "- no",
    "~",
    "null",
    "é 猫 🐈",
    "../up",
    "x" * 10_000,
)
FILES = ("a.jpg", "deep er/b.png", "é '\"<&>.jpg", "\u202eq.jpg", "c.d.jpg", "e, f.png", "=1.jpg")


@st.composite
def rows(draw):
    left, right = sorted(draw(st.tuples(*[st.floats(0, WIDTH)] * 2)))
    top, bottom = sorted(draw(st.tuples(*[st.floats(0, HEIGHT)] * 2)))
    if draw(st.booleans()):
        left, top, right, bottom = (float(round(v)) for v in (left, top, right, bottom))
    box = [left, top, max(right - left, 0.01), max(bottom - top, 0.01)]
    box[0], box[1] = min(box[0], WIDTH - box[2]), min(box[1], HEIGHT - box[3])
    area = draw(st.none() | st.floats(0.01, 1e4))
    places = (draw(st.integers(0, len(FILES) - 1)), draw(st.integers(0, len(NAMES) - 1)))
    return (*places, box, area, *draw(st.tuples(*[st.booleans()] * 3)))


def expected(row, to):
    """What a format keeps of a row of ``rows_of``; None for what it leaves out."""
    name, label, box, area, crowd, difficult, ignored = row
    if to == "voc":
        if box[2:] == (1, 1):
            return None
        return name, label, box, box[2] * box[3], False, crowd or difficult or ignored, False
    if to == "yolo":
        return None if crowd or ignored else (name, label, box, box[2] * box[3], *[False] * 3)
    return name, label, box, area, crowd, difficult, ignored


def name_of(place):
    """The picture's own name, whatever folder a table names it below."""
    return place.removeprefix("images/")


def same(found, wanted):
    found, wanted = (
        sorted(rows, key=lambda row: (*row[:2], *row[4:], np.round(row[2], 4).tolist(), row[3]))
        for rows in (found, wanted)
    )
    assert [(*a[:2], *a[4:]) for a in found] == [(*b[:2], *b[4:]) for b in wanted]
    np.testing.assert_allclose([a[2] for a in found], [b[2] for b in wanted], rtol=0, atol=EXACT)
    np.testing.assert_allclose([a[3] for a in found], [b[3] for b in wanted], rtol=1e-5)


@pytest.mark.parametrize("to", BOX_FORMATS)
@settings(max_examples=12)
@given(drawn=st.lists(rows(), max_size=12))
def test_what_is_written_is_read_again(to, drawn):
    with tempfile.TemporaryDirectory() as folder:
        sizes = dict.fromkeys(FILES, (WIDTH, HEIGHT))
        one = box_set(Path(folder) / "in", sizes, drawn, NAMES)
        write_boxes({"": one}, Path(folder) / "out", to=to)
        again = read_boxes(Path(folder) / "out")[""]
        assert sorted(map(name_of, again.names())) == sorted(FILES)
        wanted = [expected(row, to) for row in rows_of(one)]
        found = [(name_of(row[0]), *row[1:]) for row in rows_of(again)]
        same(found, [row for row in wanted if row is not None])
        if to in ("coco", "yolo"):
            assert again.categories == NAMES


def test_what_a_format_cannot_hold_is_counted(tmp_path):
    one = box_set(
        tmp_path / "in",
        {"a.jpg": (WIDTH, HEIGHT)},
        [
            (0, 0, [0, 0, 9, 9], None, True, False, False),
            (0, 0, [0, 0, 9, 8], None, False, False, True),
            (0, 0, [0, 0, 9, 7], 5.0, False, True, False),
            (0, 0, [3, 3, 1, 1], None, False, False, False),
        ],
        ["cat", "none"],
    )
    told = {}
    for to in BOX_FORMATS:
        losses = write_boxes({"": one}, tmp_path / to, to=to)
        tallies = (losses.left_out, losses.changed)
        told[to] = [{one.what: one.n for one in tally.counted()} for tally in tallies]
    assert told == {
        "coco": [{}, {}],
        "voc": [{ONE_PIXEL: 1}, {AREAS: 1, AS_DIFFICULT: 2}],
        "yolo": [{CROWDS: 2}, {AREAS: 1, AS_PLAIN: 1}],
        "csv": [{}, {}],
    }


def test_files_are_as_other_tools_read_them(tmp_path):
    rows = [(0, 0, [10, 20, 30, 40], None, False, False, False)]
    one = box_set(tmp_path / "in", {"a.jpg": (WIDTH, HEIGHT)}, rows, ["cat"])
    write_boxes({"train": one}, tmp_path / "voc", to="voc")
    text = (tmp_path / "voc" / "Annotations" / "a.xml").read_text()
    assert "<xmin>11</xmin>" in text and "<ymax>60</ymax>" in text
    assert voc_boxes(tmp_path / "voc" / "Annotations" / "a.xml") == [("cat", [10, 20, 30, 40])]
    write_boxes({"train": one}, tmp_path / "yolo", to="yolo")
    ((number, box),) = yolo_boxes(tmp_path / "yolo" / "labels" / "train" / "a.txt", WIDTH, HEIGHT)
    assert number == 0
    np.testing.assert_allclose(box, [10, 20, 30, 40])


@pytest.mark.parametrize("to", ["voc", "csv"])
def test_pictures_of_one_name_in_two_parts_get_the_part_in_front(tmp_path, to):
    rows = [(0, 0, [10, 20, 30, 40], None, False, False, False)]
    sets = {
        part: box_set(tmp_path / part, {"a.jpg": (WIDTH, HEIGHT)}, rows, ["cat"])
        for part in ("train", "val")
    }
    write_boxes(sets, tmp_path / "out", to=to)
    again = read_boxes(tmp_path / "out")
    names = {part: [name_of(name) for name in one.names()] for part, one in again.items()}
    assert names == {"train": ["train/a.jpg"], "val": ["val/a.jpg"]}


@pytest.mark.parametrize("to", ["voc", "yolo"])
def test_pictures_that_differ_by_their_ending_alone_are_refused(tmp_path, to):
    sizes = {"a.jpg": (9, 9), "a.png": (9, 9)}
    with pytest.raises(InputError, match="two pictures would share"):
        write_boxes({"": box_set(tmp_path / "in", sizes, [], ["cat"])}, tmp_path / "out", to=to)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize(("to", "name"), [("voc", "a\nb.jpg"), ("csv", "a\rb.jpg")])
def test_names_that_a_format_cannot_hold_are_refused(tmp_path, to, name):
    one = box_set(tmp_path / "in", {name: (9, 9)}, [], ["cat"])
    with pytest.raises(InputError, match="cannot hold"):
        write_boxes({"": one}, tmp_path / "out", to=to)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in"]


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="SACCADE_DATA does not name the folder of real data")
def test_blood_cells_go_round_through_all_formats(tmp_path):
    first = read_boxes(Path(DATA) / "bccd")
    sets = first
    for number, to in enumerate(("coco", "voc", "yolo", "csv", "coco")):
        way = "link" if number else "copy"
        losses = write_boxes(sets, tmp_path / f"{number}", to=to, pictures=way)
        assert not losses.left_out.counted() and not losses.changed.counted()
        sets = read_boxes(tmp_path / f"{number}")
        assert list(sets) == ["train", "val", "test"]
        assert not any(one.left_out or one.changed for one in sets.values())
    for part, one in first.items():
        again = [(Path(name).name, *rest) for name, *rest in rows_of(sets[part])]
        assert again == rows_of(one)  # to the last bit
        assert sets[part].categories == one.categories
