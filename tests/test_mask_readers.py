"""Masks from folders, VOC and COCO as other tools write them: what is read and what is counted."""

import json
import os
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_tools

from saccade.data import mask_coco, mask_sets
from saccade.data.mask_classes import MaskClasses, mask_classes
from saccade.data.mask_readers import find_mask_parts, holds_masks, mask_part_at, read_masks
from saccade.data.mask_targets import mask_targets, resize_mask
from saccade.data.shapes import SHAPES, write_shapes
from saccade.errors import InputError
from saccade.values import VOID
from tests.box_folders import picture
from tests.mask_folders import MASK, coco, folders, mask_file, pair, voc

DATA = os.environ.get("SACCADE_DATA")
SQUARE = [1, 1, 9, 1, 9, 9, 1, 9]


def only(place, **choices):
    sets = read_masks(place, **choices)
    assert list(sets) == [""]
    return sets[""]


def masks_of(one):
    return {sample.path.stem: sample.mask.read() for sample in one.samples}


def counts(one):
    return {told.what: told.n for told in (*one.left_out, *one.changed)}


def test_folders_of_pictures_and_masks_by_name(tmp_path):
    one = only(folders(tmp_path))
    assert one.classes == ("0", "1", "2")
    assert one.pixels == (10 - 2, 2 * 4, 2 * 2) and one.void == 4
    assert [sample.path.name for sample in one.samples] == ["a.png", "b.png"]
    assert one.samples[0].mask.size_hw == (3, 4)
    for mask in masks_of(one).values():
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, MASK)


@pytest.mark.parametrize("layout", ["{part}|masks/{part}", "images/{part}|masks/{part}"])
@pytest.mark.parametrize("valid", ["val", "valid"])
def test_divided_folders(tmp_path, layout, valid):
    for part in ("train", valid):
        images, masks = (tmp_path / place.format(part=part) for place in layout.split("|"))
        pair(images, masks, part)
    assert_divided(tmp_path)


@pytest.mark.parametrize("masks", ["", "labels"])
def test_folders_divided_at_the_top(tmp_path, masks):
    for part in ("train", "val"):
        folders(tmp_path / part, part)
        (tmp_path / part / "masks").rename(tmp_path / part / (masks or "masks"))
    assert_divided(tmp_path, masks)


def assert_divided(root, masks=""):
    sets = read_masks(root, masks=masks)
    assert {part: len(one.samples) for part, one in sets.items()} == {"train": 1, "val": 1}
    assert find_mask_parts(root, masks) == {"train": root / "train", "val": root / "val"}
    assert list(read_masks(root, masks=masks, parts=("train",))) == ["train"]
    assert mask_part_at(root / "val", masks) == (root, "val")
    alone = only(root / "val", masks=masks)
    assert [sample.path for sample in alone.samples] == [
        sample.path for sample in sets["val"].samples
    ]


def test_parts_share_their_classes(tmp_path):
    folders(tmp_path, "a", part="train", pixels=np.array([[0, 1]], np.uint8))
    folders(tmp_path, "b", part="val", pixels=np.array([[0, 3]], np.uint8))
    sets = read_masks(tmp_path)
    assert sets["train"].classes == sets["val"].classes == ("0", "1", "2", "3")
    assert sets["train"].pixels == (1, 1, 0, 0)
    assert read_masks(tmp_path, parts=("train",))["train"].classes == ("0", "1")


def test_any_two_folders_and_one_ending_for_all(tmp_path):
    for name in ("P1", "P10", "P_1"):
        pair(tmp_path / "PNGImages", tmp_path / "PedMasks", name, MASK, ending="_mask")
    found = masks_of(only(tmp_path, masks="PedMasks"))
    assert sorted(found) == ["P1", "P10", "P_1"]
    outside = tmp_path / "PedMasks"
    assert sorted(masks_of(only(tmp_path, masks=str(outside)))) == sorted(found)


def test_pictures_in_the_data_folder_itself(tmp_path):
    pair(tmp_path, tmp_path / "masks", "a")
    pair(tmp_path, tmp_path / "masks", "b")
    assert sorted(masks_of(only(tmp_path))) == ["a", "b"]


def test_folders_within_folders(tmp_path):
    for name in ("one/a", "two/a"):
        pair(tmp_path / "images", tmp_path / "masks", name)
    names = [str(one.path.relative_to(tmp_path)) for one in only(tmp_path).samples]
    assert names == ["images/one/a.png", "images/two/a.png"]


def test_what_has_no_partner_or_says_nothing_is_counted(tmp_path):
    folders(tmp_path)
    picture(tmp_path / "images" / "bare.png", 4, 3)
    mask_file(tmp_path / "masks" / "stray.png")
    pair(tmp_path / "images", tmp_path / "masks", "void", np.full((3, 4), VOID, np.uint8))
    pair(tmp_path / "images", tmp_path / "masks", "cut").write_bytes(b"\x89PNG\r\n\x1a\n no")
    one = only(tmp_path)
    assert [sample.path.stem for sample in one.samples] == ["a", "b"]
    assert counts(one) == {
        mask_sets.NO_MASK: 1,
        mask_sets.NO_PICTURE: 1,
        mask_sets.ALL_VOID: 1,
        mask_sets.UNREADABLE: 1,
    }
    assert len(one.broken) == 2
    assert "cut.png cannot be read as a PNG" in one.broken[1].reason


@pytest.mark.parametrize("kind", ["L", "P", "1", "I;16", "RGB", "LA"])
def test_kinds_of_png(tmp_path, kind):
    numbers = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    file = pair(tmp_path / "images", tmp_path / "masks", "a", numbers)
    image = Image.fromarray(numbers)
    if kind == "P":
        mask_file(file, numbers, palette=True)
    elif kind == "1":
        Image.fromarray(numbers.astype(bool)).save(file)
    elif kind == "I;16":
        Image.fromarray(numbers.astype(np.uint16)).save(file)
    else:
        image.convert(kind).save(file)
    with Image.open(file) as image:
        assert image.mode == kind
    np.testing.assert_array_equal(masks_of(only(tmp_path))["a"], numbers)


def test_objects_are_of_one_class(tmp_path):
    numbers = np.array([[0, 1, 2], [255, 300, 0]], np.uint16)
    pair(tmp_path / "images", tmp_path / "masks", "a", numbers)
    one = only(tmp_path, values="objects", classes="ground,person")
    assert one.classes == ("ground", "person")
    np.testing.assert_array_equal(masks_of(one)["a"], numbers > 0)
    void = only(tmp_path, values="objects", ignore="255")
    assert void.classes == ("ground", "object")
    np.testing.assert_array_equal(masks_of(void)["a"], [[0, 1, 1], [VOID, 1, 0]])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", "name,r,g,b\nroad,128,64,128\nsky,70,130,180\nvoid,0,0,0\n"),
        ("c.csv", "\ufeffR,G,B,Name\n128,64,128,road\n70,130,180,sky\n0,0,0,Void\n"),
        (
            "c.toml",
            'names = ["road", "sky", "void"]\ncolours = [[128,64,128],[70,130,180],[0,0,0]]\n',
        ),
    ],
)
@pytest.mark.parametrize("palette", [False, True])
def test_colours_by_a_file(tmp_path, name, text, palette):
    (tmp_path / name).write_text(text)
    numbers = np.array([[0, 1, 2], [2, 1, 0]])
    colours = np.array([(128, 64, 128), (70, 130, 180), (0, 0, 0)], np.uint8)
    file = pair(tmp_path / "images", tmp_path / "masks", "a", colours[numbers])
    if palette:
        Image.open(file).convert("P", palette=Image.Palette.ADAPTIVE).save(file)
    one = only(tmp_path, classes=str(tmp_path / name))
    assert one.classes == ("road", "sky") and one.colours == ((128, 64, 128), (70, 130, 180))
    np.testing.assert_array_equal(masks_of(one)["a"], np.where(numbers == 2, VOID, numbers))


def test_a_class_is_ignored_by_its_name(tmp_path):
    folders(tmp_path)
    last = only(tmp_path, classes="ground,cat,edge", ignore="edge")
    assert last.classes == ("ground", "cat")
    np.testing.assert_array_equal(masks_of(last)["a"], np.where(MASK == 2, VOID, MASK))
    with pytest.raises(InputError, match="holds 255"):
        only(tmp_path, classes="ground,cat,dog", ignore="none")
    first = only(tmp_path, classes="void,cat,dog")
    assert first.classes == ("void", "cat", "dog") and first.pixels[0] == 0


def test_what_masks_mean_goes_into_a_card_and_back():
    for meaning in (
        mask_classes("ground,person", values="objects"),
        mask_classes("a,b,void"),
        MaskClasses(("a", "b"), ((0, 0, 0), (1, 2, 3)), ((9, 9, 9),), (), ("void",)),
    ):
        assert MaskClasses.from_dict(meaning.to_dict()) == meaning
        assert json.loads(json.dumps(meaning.to_dict())) == meaning.to_dict()
    with pytest.raises(InputError, match="damaged"):
        MaskClasses.from_dict({"names": ["a"]})


def test_voc_by_its_lists(tmp_path):
    voc(tmp_path, {"train": ["2007_1", "2007_2"], "val": ["2007_9"]})
    (tmp_path / "ImageSets" / "Segmentation" / "train.txt").write_text("2007_2 \r\n2007_1\nno\n")
    picture(tmp_path / "JPEGImages" / "unlabelled.jpg", 4, 3)
    sets = read_masks(tmp_path)
    assert [one.path.stem for one in sets["train"].samples] == ["2007_2", "2007_1"]
    assert sets["train"].broken[0].picture == "no"
    assert [one.path.stem for one in sets["val"].samples] == ["2007_9"]
    np.testing.assert_array_equal(sets["val"].samples[0].mask.read(), MASK)
    assert only(tmp_path / "val").samples == sets["val"].samples


def test_voc_without_lists(tmp_path):
    voc(tmp_path, {"train": ["a", "b"]})
    (tmp_path / "ImageSets" / "Segmentation" / "train.txt").unlink()
    assert len(only(tmp_path).samples) == 2


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with NumPy 2
def test_coco_as_its_own_tools_paint_it(tmp_path):
    draw = random.Random(4)
    rows, wanted = [], np.zeros((48, 64), np.uint8)
    for n in range(12):
        category = draw.choice([18, 90])
        points = [draw.uniform(-4, 66) for _ in range(2 * draw.randint(3, 8))]
        given = [points]
        code = coco_tools.merge(coco_tools.frPyObjects([points], 48, 64))
        if n % 3 == 1:
            given = {"size": [48, 64], "counts": code["counts"].decode()}
        elif n % 3 == 2:
            flat = coco_tools.decode(code).T.ravel()
            edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
            runs = np.diff([0, *edges, flat.size]).tolist()
            given = {"size": [48, 64], "counts": runs}
        rows.append({"id": n, "category_id": category, "segmentation": given})
        own = coco_tools.decode(code).astype(bool)
        number = {18: 1, 90: 2}[category]
        two = own & (wanted != 0) & (wanted != number)
        wanted[own] = number
        wanted[two] = VOID
    one = only(coco(tmp_path, rows))
    assert one.classes == ("ground", "dog", "cat")
    np.testing.assert_array_equal(masks_of(one)["a"], wanted)
    assert {0, 1, 2, VOID} == set(np.unique(wanted).tolist())


def test_coco_crowds_and_boxes_without_outline_are_void(tmp_path):
    rows = [
        {"segmentation": [SQUARE]},
        {"segmentation": {"size": [48, 64], "counts": [0, 48 * 20, 48 * 44]}, "iscrowd": 1},
        {"bbox": [30.5, 40, 10, 20]},
    ]
    alone = only(coco(tmp_path, rows), classes="rest,dog")
    assert (masks_of(alone)["a"] == 0).all() and counts(alone) == {mask_coco.OTHER_CLASS: 3}
    one = only(coco(tmp_path, rows))
    mask = masks_of(one)["a"]
    assert (mask[1:9, 1:9] == 2).all() and mask[20, 19] == VOID and mask[20, 20] == 0
    assert (mask[40:, 30:41] == VOID).all() and mask[39, 35] == 0 and mask[41, 41] == 0
    assert counts(one) == {mask_coco.NO_OUTLINE: 1}


def test_coco_with_some_categories_only(tmp_path):
    rows = [
        {"segmentation": [SQUARE], "category_id": 18},
        {"segmentation": [[20, 20, 40, 20, 40, 40, 20, 40]]},
    ]
    file = coco(tmp_path, rows)
    one = only(file, classes="rest,cat")
    assert set(np.unique(masks_of(one)["a"])) == {0, 1} and masks_of(one)["a"][30, 30] == 1
    assert counts(one) == {mask_coco.OTHER_CLASS: 1}
    apart = masks_of(only(file, classes="rest,cat,dog", ignore="dog"))["a"]
    assert apart[5, 5] == VOID and apart[30, 30] == 1
    both = masks_of(only(file, values="objects"))["a"]
    assert both[5, 5] == both[30, 30] == 1
    for names in ("cat,dog", "rest,emu"):
        with pytest.raises(InputError, match=r"must name the ground, then categories .*dog, cat"):
            only(file, classes=names)


def test_parts_of_coco(tmp_path):
    other = [{"id": 4, "name": "emu"}, {"id": 5, "name": "cat"}]
    files = {
        "train": coco(tmp_path / "train", [{"segmentation": [SQUARE]}]),
        "test": coco(
            tmp_path / "test", [{"segmentation": [SQUARE], "category_id": 4}], categories=other
        ),
    }
    sets = read_masks(tmp_path)
    assert sets["train"].classes == sets["test"].classes == ("ground", "dog", "cat", "emu")
    assert sets["train"].samples[0].mask.read()[5, 5] == 2
    assert sets["test"].samples[0].mask.read()[5, 5] == 3
    for place in (tmp_path / "test", files["test"]):
        assert mask_part_at(place) == (tmp_path, "test")
        assert only(place).classes == ("ground", "emu", "cat")
    assert mask_part_at(tmp_path) is None


def test_drawn_shapes_are_read(tmp_path):
    write_shapes(tmp_path, parts={"train": 3, "test": 2})
    sets = read_masks(tmp_path, classes=",".join(("ground", *SHAPES)))
    assert {part: len(one.samples) for part, one in sets.items()} == {"train": 3, "test": 2}
    assert holds_masks(tmp_path) and holds_masks(tmp_path / "train")
    assert not holds_masks(tmp_path / "masks" / "train")


def test_targets_are_the_nearest_pixels(tmp_path):
    folders(tmp_path)
    samples = only(tmp_path).samples
    targets = mask_targets(samples, (6, 8))
    assert targets.shape == (2, 6, 8)
    np.testing.assert_array_equal(targets[0], MASK.repeat(2, axis=0).repeat(2, axis=1))
    draw = np.random.default_rng(0)
    for _ in range(50):
        mask = draw.integers(0, 256, draw.integers(1, 30, 2), np.uint8)
        height, width = draw.integers(1, 30, 2).tolist()
        found = resize_mask(mask, (height, width))
        for row, column in np.ndindex(height, width):
            at = (
                int(Fraction(2 * place + 1, 2 * new) * old)
                for place, new, old in zip((row, column), found.shape, mask.shape, strict=True)
            )
            assert found[row, column] == mask[*at]
    with pytest.raises(InputError, match="has no mask"):
        mask_targets([samples[0].__class__(Path("x.png"), "")], (4, 4))


@pytest.mark.skipif(not DATA, reason="SACCADE_DATA does not name the folder of real data")
def test_pedestrians():
    one = only(
        Path(DATA) / "pennfudan", masks="PedMasks", classes="ground,person", values="objects"
    )
    assert len(one.samples) == 50 and not one.left_out and not one.broken
    for sample in one.samples:
        file = Path(DATA) / "pennfudan" / "PedMasks" / f"{sample.path.stem}_mask.png"
        np.testing.assert_array_equal(sample.mask.read(), np.asarray(Image.open(file)) > 0)
