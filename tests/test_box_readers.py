"""Boxes from COCO, VOC, YOLO and CSV as other tools write them: what is read, counted, refused."""

import os
from pathlib import Path

import pytest

from saccade.data.box_part import CLIPPED, FLAT, INVERTED, MISSING, OTHER_SIZE, OUTSIDE
from saccade.data.box_readers import read_boxes
from saccade.data.box_yolo import NO_PICTURE, OUTLINES
from saccade.data.voc_parts import NO_LIST, NO_XML
from saccade.errors import InputError, SettingError, UnknownNameError
from tests.box_folders import coco, picture, rows_of, table, voc, yolo
from tests.reference.box_loops import voc_boxes

DATA = os.environ.get("SACCADE_DATA")


def counts(one):
    return {told.what: told.n for told in (*one.left_out, *one.changed)}


def only(place, **choices):
    sets = read_boxes(place, **choices)
    assert list(sets) == [""]
    return sets[""]


def xywh(one):
    return one.boxes.xywh.tolist()


@pytest.mark.skipif(not DATA, reason="SACCADE_DATA does not name the folder of real data")
def test_blood_cells_are_read_as_a_plain_loop_reads_them():
    folder = Path(DATA) / "bccd"
    sets = read_boxes(folder)
    assert {part: len(one.pictures) for part, one in sets.items()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }
    assert sum(len(one.boxes.picture) for one in sets.values()) == 4886  # two have no size
    assert sum(counts(one).get(FLAT, 0) for one in sets.values()) == 2
    for part, one in sets.items():
        assert one.categories == ("Platelets", "RBC", "WBC")
        listed = (folder / "ImageSets" / "Main" / f"{part}.txt").read_text().split()
        assert [Path(name).stem for name in one.names()] == listed
        found = [(name, label, box) for name, label, box, *_ in rows_of(one)]
        wanted = [
            (f"{name}.jpg", label, tuple(box))
            for name in listed
            for label, box in voc_boxes(folder / "Annotations" / f"{name}.xml")
            if box[2:] != [1, 1]
        ]
        assert found == sorted(wanted)


def test_coco_keeps_crowds_areas_and_pictures_without_boxes(tmp_path):
    rows = [
        {"image_id": 7, "category_id": 90, "bbox": [1, 2, 30, 40], "area": 600, "iscrowd": 1},
        {"image_id": 7, "category_id": 18, "bbox": [0, 0, 64, 48], "ignore": 1, "difficult": 1},
    ]
    one = only(coco(tmp_path, annotations=rows))
    assert one.names() == ["b.jpg", "a.jpg"]  # by their ids
    assert one.categories == ("dog", "cat")
    assert rows_of(one) == [
        ("a.jpg", "cat", (1, 2, 30, 40), 600, True, False, False),
        ("a.jpg", "dog", (0, 0, 64, 48), 64 * 48, False, True, True),
    ]
    assert not one.left_out and not one.changed


def test_cocos_own_folders_are_found(tmp_path):
    for year in ("train2017", "val2017"):
        file = coco(tmp_path / year)
        place = tmp_path / "annotations" / f"instances_{year}.json"
        place.parent.mkdir(exist_ok=True)
        file.rename(place)
        place.with_name(f"captions_{year}.json").write_text("{}")
    sets = read_boxes(tmp_path)
    assert {part: one.root.name for part, one in sets.items()} == {
        "train": "train2017",
        "val": "val2017",
    }
    assert [len(one.boxes.picture) for one in sets.values()] == [1, 1]


def test_split_folders_of_coco_share_their_categories(tmp_path):
    coco(tmp_path / "train").rename(tmp_path / "train" / "_annotations.coco.json")
    other = [{"id": 5, "name": "cat"}, {"id": 2, "name": "emu"}]
    rows = [{"image_id": 3, "category_id": 5, "bbox": [0, 0, 5, 5]}]
    coco(tmp_path / "valid", annotations=rows, categories=other)
    sets = read_boxes(tmp_path)
    assert sets["train"].categories == sets["val"].categories == ("dog", "cat", "emu")
    assert rows_of(sets["val"])[0][1] == "cat"


def test_corners_of_voc_are_pixels_from_1_or_edges_from_0(tmp_path):
    voc(tmp_path, [("cat", 1, 1, 64, 48, ""), ("cat", 3, 4, 3, 9, "<difficult>1</difficult>")])
    one = only(tmp_path)
    assert xywh(one) == [[0, 0, 64, 48], [2, 3, 1, 6]]
    assert one.boxes.difficult.tolist() == [False, True]
    edges = only(tmp_path, first_pixel=0)
    assert xywh(edges) == [[1, 1, 63, 47]]
    assert counts(edges) == {FLAT: 1}


def test_voc_beside_the_pictures_in_split_folders(tmp_path):
    for part in ("train", "valid"):
        file = voc(tmp_path / part, [("cat", 1, 1, 9, 9, "<part><name>head</name></part>")])
        for item in (file, tmp_path / part / "JPEGImages" / "a.jpg"):
            item.rename(tmp_path / part / item.name)
    assert [len(one.boxes.picture) for one in read_boxes(tmp_path).values()] == [1, 1]


def test_lists_of_voc_that_do_not_match_are_counted(tmp_path):
    voc(tmp_path, [("cat", 1, 1, 9, 9, "")])
    voc(tmp_path, [], name="lost")
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("a \r\nnone\n")
    one = read_boxes(tmp_path)["train"]
    assert one.names() == ["a.jpg"]
    assert counts(one) == {NO_XML: 1, NO_LIST: 1}
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("a\n")
    with pytest.raises(InputError, match="stands in train and in val"):
        read_boxes(tmp_path)


def test_yolo_lines_and_outlines(tmp_path):
    yolo(tmp_path, "1 0.5 0.5 0.25 0.5\n\n0 0 0 0.5 0 0.5 0.5 0.25 0.25\n")
    picture(tmp_path / "images" / "empty.png")
    (tmp_path / "labels" / "stray.txt").write_text("0 .5 .5 .1 .1\n")
    one = only(tmp_path)
    assert rows_of(one, flags=False) == [
        ("a.jpg", "cat", (0, 0, 32, 24), 32 * 24),
        ("a.jpg", "dog", (24, 12, 16, 24), 16 * 24),
    ]
    assert one.names() == ["a.jpg", "empty.png"]
    assert counts(one) == {OUTLINES: 1, NO_PICTURE: 1}


@pytest.mark.parametrize(
    "names",
    [
        "names: {0: 'no', 1: dog}\nnc: 2\n",
        "names: [no, dog]\n",
        "train: ../images\nnames:\n  - no\n  - dog\n",
    ],
)
def test_names_in_data_yaml(tmp_path, names):
    sets = read_boxes(yolo(tmp_path, "0 0.5 0.5 0.25 0.5\n", names=names))
    assert [one.categories for one in sets.values()] == [("no", "dog")]
    assert list(sets) == (["train"] if "train" in names else [""])


def test_classes_txt_and_folders_by_convention(tmp_path):
    for part in ("train", "val"):
        picture(tmp_path / "images" / part / "a.jpg")
        (tmp_path / "labels" / part).mkdir(parents=True)
        (tmp_path / "labels" / part / "a.txt").write_text("1 .5 .5 .5 .5")
    (tmp_path / "classes.txt").write_text("cat\ndog\n\n")
    sets = read_boxes(tmp_path)
    assert list(sets) == ["train", "val"]
    assert xywh(sets["val"]) == [[16, 12, 32, 24]]


@pytest.mark.parametrize(
    "text",
    [
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,1,2,31,42\n",
        "Image,x1,y1,x2,y2,Label\na.jpg,1,2,31,42,cat\n",
        "path,x,y,w,h,category\na.jpg,1,2,30,40,cat\n",
        'image_path,label,left,top,right,bottom,note\n"a.jpg",cat,1,2,31,42,"x\ny"\n',
    ],
)
def test_variants_of_a_header(tmp_path, text):
    one = only(table(tmp_path, text))
    assert rows_of(one, flags=False) == [("a.jpg", "cat", (1, 2, 30, 40), 1200)]


def test_a_table_with_parts_and_an_empty_picture(tmp_path):
    picture(tmp_path / "b.png")
    text = "filename,xmin,ymin,xmax,ymax,label,split\na.jpg,1,2,31,42,cat,train\nb.png,,,,,,valid\n"
    sets = read_boxes(table(tmp_path, text))
    assert {part: one.names() for part, one in sets.items()} == {
        "train": ["a.jpg"],
        "val": ["b.png"],
    }
    assert sets["val"].categories == ("cat",)


def test_boxes_that_reach_out_are_cut_and_those_of_no_use_counted(tmp_path):
    rows = [[-10, 40, 30, 20], [70, 0, 5, 5], [5, 5, 0, 9], [9, 9, -3, 4], [0, 0, 64.005, 48]]
    annotations = [{"image_id": 7, "category_id": 90, "bbox": box, "area": 500} for box in rows]
    one = only(coco(tmp_path, annotations=annotations))
    assert xywh(one) == [[0, 40, 20, 8], [0, 0, 64, 48]]
    assert one.boxes.area.tolist() == [160, 500]
    assert counts(one) == {OUTSIDE: 1, FLAT: 1, INVERTED: 1, CLIPPED: 1}
    assert one.left_out[0].first.endswith("instances.json annotation 1")


def test_pictures_that_are_missing_broken_or_of_another_size(tmp_path):
    images = [
        {"id": 1, "file_name": "none.jpg"},
        {"id": 2, "file_name": "a.jpg", "width": 48, "height": 64},
        {"id": 3, "file_name": "b.jpg"},
        {"id": 4, "file_name": "broken.jpg"},
        {"id": 5, "file_name": ".hidden.jpg"},
        {"id": 6, "file_name": "x" * 5000 + ".jpg"},
    ]
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    rows = [{"image_id": n, "category_id": 90, "bbox": [0, 0, 4, 4]} for n in range(1, 7)]
    one = only(coco(tmp_path, images=images, annotations=rows))
    assert one.names() == ["b.jpg"]
    assert len(one.boxes.picture) == 1
    found = counts(one)
    assert found[MISSING] == 2 and found[OTHER_SIZE] == 1 and sum(found.values()) == 5


def test_stated_sizes_serve_where_no_files_are_needed(tmp_path):
    file = coco(tmp_path)
    (tmp_path / "a.jpg").unlink()
    assert only(file).names() == ["b.jpg"]
    one = only(file, files_needed=False)
    assert one.pictures[1].size_hw == (48, 64) and len(one.boxes.picture) == 1


BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>'
OUTER = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
HEAD = "filename,xmin,ymin,xmax,ymax,label\n"
COCO_ROW = {"image_id": 7, "category_id": 90, "bbox": [0, 0, 4, 4]}
TWICE = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
SAME = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "./a.jpg"}]


def voc_in(folder, objects, **changes):
    voc(folder, objects, **changes)
    return folder


def cut_root(folder):
    file = voc(folder, [])
    file.write_text("<html></html>")
    return folder


def cut_file(file):
    file.write_text(file.read_text()[:-5])
    return file


def gone(file):
    for item in file.parent.glob("*.jpg"):
        item.unlink()
    return file


REFUSED = {
    "bomb": (lambda f: voc_in(f, [], head=BOMB), "document type"),
    "external": (
        lambda f: voc_in(f, [("&x;", 1, 1, 9, 9, "")], head=OUTER),
        "line 1: a document",
    ),
    "entity": (
        lambda f: voc_in(f, [("&x;", 1, 1, 9, 9, "")]),
        "is no XML: undefined",
    ),
    "deep": (lambda f: voc_in(f, [("<a>" * 99 + "</a>" * 99, 1, 1, 9, 9, "")]), "too deep"),
    "open": (
        lambda f: voc_in(f, [("<a>", 1, 1, 9, 9, "")]),
        "line 2 is no XML",
    ),
    "root": (lambda f: cut_root(f), "begins with <html>"),
    "nan": (lambda f: voc_in(f, [("cat", "nan", 1, 9, 9, "")]), "object 1: xmin must be"),
    "no name": (lambda f: voc_in(f, [("", 1, 1, 9, 9, "")]), "the category has no name"),
    "odd flag": (
        lambda f: voc_in(f, [("cat", 1, 1, 9, 9, "<difficult>2</difficult>")]),
        "difficult must be 0 or 1. Got '2'",
    ),
    "coco nan": (
        lambda f: coco(f, annotations=[COCO_ROW | {"bbox": [float("nan"), 0, 1, 1]}]),
        "annotation 0: bbox must be four finite numbers",
    ),
    "coco category": (
        lambda f: coco(f, annotations=[COCO_ROW | {"category_id": 1}]),
        "category_id 1 is no category",
    ),
    "coco ids": (lambda f: coco(f, images=TWICE), "two entries have the image id 1"),
    "coco same": (lambda f: coco(f, images=SAME, annotations=[]), "stands twice"),
    "coco names": (
        lambda f: coco(f, categories=[{"id": 90, "name": "a"}, {"id": 2, "name": " a"}]),
        "two categories are called 'a'",
    ),
    "coco leaves": (
        lambda f: coco(f, images=[{"id": 7, "file_name": "../a.jpg"}]),
        "image 7: '../a.jpg' leaves the folder",
    ),
    "coco absolute": (
        lambda f: coco(f, images=[{"id": 7, "file_name": "/etc/passwd"}]),
        "'/etc/passwd' leaves the folder",
    ),
    "coco cut": (lambda f: cut_file(coco(f)), "is no JSON: line 1"),
    "yolo class": (
        lambda f: yolo(f, "0 .5 .5 .1 .1\n2 .5 .5 .1 .1\n"),
        "line 2: there is no class",
    ),
    "yolo short": (lambda f: yolo(f, "0 .5 .5 .1\n"), "Got 4 numbers"),
    "yolo nan": (lambda f: yolo(f, "0 nan .5 .1 .1\n"), "a.txt line 1 must be a finite number"),
    "yolo yaml": (lambda f: yolo(f, "", names="names: [a\nb: {"), "data.yaml line 2 is no YAML"),
    "yolo object": (lambda f: yolo(f, "", names="names: !!python/object:os.system x"), "names"),
    "yolo loop": (lambda f: yolo(f, "", names="names: &a [*a]"), "data.yaml"),
    "yolo number": (lambda f: yolo(f, "", names="names: [a]\nnc: 3"), "1 names, but nc says '3'"),
    "yolo leaves": (
        lambda f: yolo(f, "", names="names: [a]\ntrain: /etc"),
        "train names '/etc', which is no folder below",
    ),
    "yolo same": (
        lambda f: yolo(f, "", names="names: [a]\ntrain: images\nval: images"),
        "two parts name 'images'",
    ),
    "csv column": (
        lambda f: table(f, "filename,xmin\na.jpg,1\n"),
        "there is no column 'ymin'",
    ),
    "csv twice": (lambda f: table(f, f"x1,{HEAD}"), "'x1' and 'xmin' are one column"),
    "csv cells": (lambda f: table(f, f"{HEAD}a.jpg,1,2\n"), "line 2: only 3 cells"),
    "csv nan": (
        lambda f: table(f, f"{HEAD}a.jpg,1,2,inf,4,cat\n"),
        "line 2: xmax must be",
    ),
    "csv half": (lambda f: table(f, f"{HEAD}a.jpg,1,2,,4,cat\n"), "line 2: xmax is empty"),
    "csv leaves": (
        lambda f: table(f, f"{HEAD}../a.jpg,1,2,3,4,cat\n"),
        "'../a.jpg' leaves",
    ),
    "csv quote": (lambda f: table(f, f'{HEAD}"a.jpg,1,2,3,4,cat\n'), "line 2: unexpected end"),
    "empty": (lambda f: f, "holds no boxes that are known"),
    "absent": (lambda f: f / "none", "does not exist"),
    "no pictures": (lambda f: gone(coco(f)), "no picture that can be used: pictures left out"),
    "two": (lambda f: yolo(f, "") if voc(f, []) else None, "fits voc and yolo"),
    "two json": (lambda f: coco(f).rename(f / "b.json") and coco(f).parent, "holds 2 .json files"),
}


def test_a_link_that_leads_out_is_refused_also_by_a_detour(tmp_path):
    picture(tmp_path / "out" / "a.jpg")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "b.jpg").symlink_to(tmp_path / "out" / "a.jpg")
    for name in ("b.jpg", "sub/../b.jpg"):
        with pytest.raises(InputError, match="leaves the folder"):
            read_boxes(table(tmp_path / "in", f"{HEAD}{name},1,2,3,4,cat\n"))


def test_a_picture_may_be_named_by_its_whole_path(tmp_path):
    one = only(table(tmp_path, f"{HEAD}{tmp_path}/a.jpg,1,2,31,42,cat\n"))
    assert one.names() == ["a.jpg"]


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, case):
    make, words = REFUSED[case]
    with pytest.raises(InputError) as caught:
        read_boxes(make(tmp_path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_external_entity_of_an_xml_is_not_opened(tmp_path, monkeypatch):
    secret = tmp_path / "secret.txt"
    secret.write_text("cat")
    head = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    voc(tmp_path, [("&x;", 1, 1, 9, 9, "")], head=head)
    with pytest.raises(InputError, match="document type"):
        read_boxes(tmp_path)


def test_a_layout_can_be_named_where_two_fit(tmp_path):
    voc(tmp_path, [("cat", 1, 1, 9, 9, "")])
    yolo(tmp_path, "0 .5 .5 .5 .5\n0 .2 .2 .1 .1\n")
    assert len(only(tmp_path, layout="voc").boxes.picture) == 1
    assert len(only(tmp_path, layout="yolo").boxes.picture) == 2
    with pytest.raises(UnknownNameError, match="did you mean 'yolo'"):
        read_boxes(tmp_path, layout="yollo")
    with pytest.raises(SettingError, match="first pixel is a matter of VOC and CSV"):
        read_boxes(tmp_path, layout="yolo", first_pixel=1)
    with pytest.raises(SettingError, match="must be 0 or 1"):
        read_boxes(tmp_path, layout="voc", first_pixel=2)
