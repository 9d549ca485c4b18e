"""Masks on disk that are wrong: each is refused in one line that names it and says what to do."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.data.mask_classes import mask_classes
from saccade.data.mask_readers import read_masks
from saccade.data.outlines import read_outline
from saccade.errors import InputError, SettingError
from tests.box_folders import picture
from tests.mask_folders import MASK, coco, folders, mask_file, pair, voc

SQUARE = [1, 1, 9, 1, 9, 9, 1, 9]
COLOURS = np.array([[(0, 0, 0), (127, 64, 128)]], np.uint8)


def other_size(root):
    folders(root)
    mask_file(root / "masks" / "b.png", MASK[:2])
    return root


def with_file(root, text, pixels=COLOURS, name="c.csv"):
    pair(root / "images", root / "masks", "a", pixels)
    (root / name).write_text(text)
    return root


def coloured(root):
    return with_file(root, "name,r,g,b\nground,0,0,0\nroad,128,64,128\n")


def twins(root):
    folders(root)
    picture(root / "images" / "a.jpg", 4, 3)
    return root


def jpegs(root):
    folders(root)
    for file in (root / "masks").iterdir():
        file.rename(file.with_suffix(".jpg"))
    return root


def others(root):
    folders(root)
    for file in (root / "masks").iterdir():
        file.rename(file.with_name(f"x{file.name}"))
    return root


def empty(root, *names):
    for name in names:
        (root / name).mkdir()
    return root


def two_homes(root):
    for name in ("one", "two"):
        pair(root / name, root / "masks")
    return root


def annotated(root, segmentation, **changes):
    return coco(root, [{"segmentation": segmentation}], **changes)


def runs(counts, size=(48, 64)):
    return {"size": list(size), "counts": counts}


REFUSED = {
    "size": (other_size, {}, "b.png is 4 x 3 pixels, but "),
    "size's remedy": (other_size, {}, "b.png 4 x 2; make the mask as large as its picture"),
    "colour": (
        coloured,
        {"classes": "{root}/c.csv"},
        "holds the colour 127,64,128 (row 0, column 1), which no class has; the nearest is "
        "128,64,128, 'road'",
    ),
    "no map": (coloured, {}, "holds colours (RGB); name a .csv or .toml file"),
    "above": (folders, {"classes": "ground,cat"}, "holds 2, and the classes are 0 to 1 ('cat')"),
    "no void": (folders, {"ignore": "none"}, "holds 255, which is no class"),
    "deep": (
        lambda f: with_file(f, "", np.array([[0, 300]], np.uint16)),
        {},
        "holds 300; numbers of classes are 0 to 254. Set segment.values objects",
    ),
    "twins": (twins, {}, "have one name, and so one mask"),
    "jpeg": (jpegs, {}, "holds no PNG; a mask is a PNG file, since JPEG changes its numbers"),
    "names": (others, {}, "no picture of {root}/images has a mask in {root}/masks"),
    "no pictures": (lambda f: empty(f, "images", "masks"), {}, "images holds no picture"),
    "nothing": (empty, {}, "holds no masks that are known"),
    "absent": (lambda f: f / "none", {}, "does not exist; check the path"),
    "no folder": (folders, {"masks": "Masks2"}, "segment.masks: there is no folder {root}/Masks2"),
    "two homes": (two_homes, {}, "has pictures in one and in two"),
    "all void": (
        lambda f: folders(f, pixels=np.full((3, 4), 255, np.uint8)),
        {},
        "no picture with a mask that can be used: 2 pictures left out: their mask says nothing",
    ),
    "list": (
        lambda f: (voc(f, {"train": []}), pair(f / "JPEGImages", f / "SegmentationClass"))[0],
        {},
        "holds no picture with a mask",
    ),
    "two points": (
        lambda f: annotated(f, [SQUARE, [1, 2, 3, 4]]),
        {},
        "instances.json annotation 0 has a polygon with 2 points; it takes 3",
    ),
    "odd": (lambda f: annotated(f, [SQUARE[:-1]]), {}, "a polygon must be x, y, x, y"),
    "text": (lambda f: annotated(f, [["a"] * 6]), {}, "a polygon must be x, y, x, y"),
    "far": (lambda f: annotated(f, [[0, 0, 1e9, 0, 0, 1e9]]), {}, "far larger than any picture"),
    "huge": (lambda f: annotated(f, [[10**400] * 6]), {}, "a polygon must be x, y"),
    "nan": (lambda f: annotated(f, [[float("nan")] * 6]), {}, "a polygon must be x, y"),
    "number": (lambda f: annotated(f, 7), {}, "segmentation must be polygons or run lengths"),
    "short": (
        lambda f: annotated(f, runs([10, 20])),
        {},
        "run lengths add up to 30, but 48 x 64 pixels are 3072",
    ),
    "turned": (lambda f: annotated(f, runs([3072], (64, 48))), {}, "of the size [64, 48]"),
    "minus": (lambda f: annotated(f, runs([3073, -1])), {}, "counts must be whole numbers"),
    "packed": (lambda f: annotated(f, runs("0~")), {}, "the text of run lengths is damaged at '~'"),
    "packed end": (lambda f: annotated(f, runs("0P")), {}, "ends within a number"),
    "boxes": (lambda f: coco(f, [{}]), {}, "holds boxes without segmentations"),
    "other size": (
        lambda f: picture(annotated(f, [SQUARE]).parent / "a.png", 32, 48).parent,
        {},
        "a.png is 32 x 48 pixels, but {root}/instances.json says of a.png 64 x 48",
    ),
    "leaves": (
        lambda f: annotated(f, [SQUARE], images=[{"id": 7, "file_name": "../a.png"}]),
        {},
        "'../a.png' leaves the folder",
    ),
    "coco colours": (
        lambda f: (coloured(f / "c"), annotated(f, [SQUARE]))[1],
        {"classes": "{root}/c/c.csv"},
        "holds no colours",
    ),
    "no file": (folders, {"classes": "{root}/none.csv"}, "does not exist; check segment.classes"),
    "header": (lambda f: with_file(f, "a,b\n"), {"classes": "{root}/c.csv"}, "line 1 must be name"),
    "half": (
        lambda f: with_file(f, "name,r\nroad,3\n"),
        {"classes": "{root}/c.csv"},
        "line 1 must be name, or name,r,g,b",
    ),
    "cells": (
        lambda f: with_file(f, "name,r,g,b\nroad,3\n"),
        {"classes": "{root}/c.csv"},
        "row 2: 4 cells are needed",
    ),
    "no number": (
        lambda f: with_file(f, "name,r,g,b\nroad,3,4,x\n"),
        {"classes": "{root}/c.csv"},
        "row 2: a colour is red, green, blue, each 0 to 255",
    ),
    "one colour": (
        lambda f: with_file(f, "name,r,g,b\na,1,1,1\nb,1,1,1\n"),
        {"classes": "{root}/c.csv"},
        "two classes have the colour 1,1,1",
    ),
    "no toml": (
        lambda f: with_file(f, "names = [", name="c.toml"),
        {"classes": "{root}/c.toml"},
        "is not valid TOML",
    ),
    "toml names": (
        lambda f: with_file(f, "names = 3", name="c.toml"),
        {"classes": "{root}/c.toml"},
        'must say names = ["ground", "person"]',
    ),
    "toml colours": (
        lambda f: with_file(f, 'names = ["a", "b"]\ncolours = [[0, 0, 0]]', name="c.toml"),
        {"classes": "{root}/c.toml"},
        "colours must be a list, one for each name",
    ),
    "empty file": (lambda f: with_file(f, "name\n"), {"classes": "{root}/c.csv"}, "a row a class"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, case):
    make, choices, words = REFUSED[case]
    place = make(tmp_path)
    filled = {key: value.format(root=tmp_path) for key, value in choices.items()}
    with pytest.raises(InputError) as caught:
        read_masks(place, **filled)
    assert words.replace("{root}", str(tmp_path)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"classes": "a,a"}, "two classes are called 'a'"),
        ({"classes": "a,,b"}, "a class has no name"),
        ({"classes": "person"}, "must name 2 to 255 classes, the ground among them"),
        ({"classes": ",".join(map(str, range(256)))}, "Got 256 instead"),
        ({"classes": "a,b,c", "values": "objects"}, "the ground and the one class of all objects"),
        ({"classes": "a,b", "ignore": "bb"}, "a class by its name. Got 'bb' instead"),
        ({"ignore": "-1"}, "segment.ignore must be auto, none, a number below 65536"),
    ],
)
def test_settings_that_mean_nothing(given, words):
    with pytest.raises(SettingError) as caught:
        mask_classes(**given)
    assert words in str(caught.value) and "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
CODES = st.fixed_dictionaries(
    {"size": st.just([6, 7]) | JSON, "counts": st.text(max_size=9) | st.lists(st.integers()) | JSON}
)


@settings(max_examples=200, deadline=None)
@given(JSON | CODES | st.lists(st.lists(st.floats(-1e6, 1e6), max_size=9)))
def test_any_segmentation_is_an_outline_or_refused(given):
    try:
        outline = read_outline(given, (6, 7), "file annotation 0")
    except InputError as error:
        assert str(error).startswith("file annotation 0") and "\n" not in str(error)
        return
    if outline is not None:
        assert outline.pixels((6, 7)).shape == (6, 7)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_png_is_read_or_left_out(tmp_path_factory, data):
    root = folders(tmp_path_factory.mktemp("damaged"), "a", "b")
    file = root / "masks" / "b.png"
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        one = read_masks(root)[""]
    except InputError as error:
        assert "b.png" in str(error) and "\n" not in str(error)
        return
    assert (
        len(one.samples)
        + len(one.broken)
        + sum(told.n for told in one.left_out if "says nothing" in told.what)
        == 2
    )


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused(tmp_path_factory, given):
    root = tmp_path_factory.mktemp("json")
    file = coco(root, [{"segmentation": given}])
    document = json.loads(file.read_text())
    document["annotations"][0]["extra"] = None
    file.write_text(json.dumps(document))
    try:
        read_masks(file)
    except InputError as error:
        assert str(file) in str(error) and "\n" not in str(error)
