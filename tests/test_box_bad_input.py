"""Boxes on disk that are wrong, in every format, through every command that reads them."""

import json

import pytest

from saccade.cli.app import main
from saccade.data.box_coco import SAME_ID
from saccade.data.box_part import CLIPPED, FLAT, INVERTED, MISSING, OUTSIDE, UNREADABLE
from saccade.data.box_yolo import NO_PICTURE
from tests.box_folders import coco, picture, table, voc, yolo
from tests.runs import flags
from tests.test_box_readers import HEAD, REFUSED
from tests.test_use_detector import new_model

COMMANDS = ("train", "evaluate", "convert", "inspect")
QUICK = {
    "train.epochs": 1,
    "train.batch_size": 4,
    "train.threads": 1,
    "train.precision": "float32",
    "data.size": "24x32",
    "data.broken": 0.9,
    "model.width": 4,
    "detect.depth": 8,
    "detect.strides": "4,8",
    "detect.ratios": "1",
}
# Of pictures of 64 x 48: xmin, ymin, xmax, ymax, edges counted from 0.
GOOD = (10, 8, 40, 32)
USELESS = {
    FLAT: (5, 5, 5, 9),
    INVERTED: (20, 9, 12, 30),
    OUTSIDE: (70, 4, 90, 20),
    CLIPPED: (50, 20, 80, 40),
}
BOXES = (GOOD, *USELESS.values())
FORMATS = ("coco", "voc", "yolo", "csv")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of a detector of cats and dogs that has learned nothing."""
    folder = tmp_path_factory.mktemp("runs")
    model = new_model()
    model.card["classes"] = ["cat", "dog"]
    model.save(folder)
    return folder


def words(command, data, run, out):
    """The command line that reads ``data``; what it writes lies in ``out``."""
    return [
        str(word)
        for word in {
            "train": ("train", data, "--task", "detect", "--out", out / "new", *flags(QUICK)),
            "evaluate": ("evaluate", run, data, "--data.broken", 0.9, "--report", out / "e.html"),
            "convert": ("convert", data, out / "to", "--to", "coco"),
            "inspect": ("inspect", data, "--augment", "--report", out / "s.html"),
        }[command]
    ]


def spoiled(folder, layout):
    """Write a.jpg with BOXES, b.jpg without any, c.jpg that is no picture, d.jpg is missing."""
    for name in ("a.jpg", "b.jpg"):
        picture(folder / ("images" if layout == "yolo" else "") / name)
    if layout == "coco":
        images = [{"id": n, "file_name": f"{name}.jpg"} for n, name in enumerate("abcd")]
        sides = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in BOXES]
        rows = [{"id": n, "image_id": 0, "category_id": 90, "bbox": s} for n, s in enumerate(sides)]
        coco(folder, images=images, annotations=rows)
    elif layout == "voc":
        objects = [("cat", x1 + 1, y1 + 1, x2, y2, "") for x1, y1, x2, y2 in BOXES]
        for name in "abcd":
            voc(folder, objects if name == "a" else [], name=name)
        (folder / "JPEGImages" / "d.jpg").unlink()
    elif layout == "yolo":
        lines = (
            f"0 {(x1 + x2) / 128} {(y1 + y2) / 96} {(x2 - x1) / 64} {(y2 - y1) / 48}\n"
            for x1, y1, x2, y2 in BOXES
        )
        yolo(folder, "".join(lines))
        (folder / "labels" / "d.txt").write_text("")
    else:
        rows = [f"a.jpg,{','.join(map(str, box))},cat\n" for box in BOXES]
        table(folder, HEAD + "".join([*rows, *(f"{name}.jpg,,,,,\n" for name in "bcd")]))
    inner = {"voc": "JPEGImages", "yolo": "images"}.get(layout, "")
    (folder / inner / "c.jpg").write_bytes(b"\xff\xd8\xff no more")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("layout", FORMATS)
def test_what_is_of_no_use_is_told_by_every_command(tmp_path, run, capsys, layout, command):
    data = spoiled(tmp_path / "data", layout)
    code = main(words(command, data, run, tmp_path))
    printed, complaint = capsys.readouterr()
    assert code == (1 if command == "convert" else 0), complaint
    for what in USELESS:
        assert printed.count(f"1 {what}; the first: ") == 1, what
    absent = 0 if layout == "yolo" else 1
    assert printed.count(f"1 {NO_PICTURE}; the first: ") == 1 - absent
    if command == "convert":
        assert printed.count(f"1 {UNREADABLE}; the first: ") == 1
        assert printed.count(f"1 {MISSING}; the first: ") == absent
        return
    # As of other data: each by its name, then how many; and not a second time as a count.
    named = [line for line in printed.splitlines() if line.startswith("left out ")]
    assert [line.split("/")[-1].split(" ")[0] for line in named] == ["c.jpg", "d.jpg"][: 1 + absent]
    assert f"{1 + absent} pictures left out, unreadable" in printed
    assert UNREADABLE not in printed and MISSING not in printed


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_machine_is_told_the_same(tmp_path, run, capsys, command):
    data = spoiled(tmp_path / "data", "coco")
    assert main([*words(command, data, run, tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["picture"].split("/")[-1] for one in told["broken"]] == ["c.jpg", "d.jpg"]
    counted = told["counted"] if command == "evaluate" else told["left_out"] + told["changed"]
    assert {one["what"]: one["n"] for one in counted} == dict.fromkeys(USELESS, 1)
    if command == "evaluate":
        assert told["pictures"] == 2 and told["true"] == 2
        assert OUTSIDE in (tmp_path / "e.html").read_text()


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("layout", FORMATS)
def test_too_many_pictures_that_cannot_be_read_are_refused(tmp_path, run, capsys, layout, command):
    data = spoiled(tmp_path / "data", layout)
    given = [word.replace("0.9", "0.1") for word in words(command, data, run, tmp_path)]
    assert main(given) == 2
    complaint = capsys.readouterr().err
    many, of = (1, 3) if layout == "yolo" else (2, 4)
    assert f"{many} of {of} pictures cannot be read, more than the share 0.1" in complaint
    assert "c.jpg" in complaint and complaint.count("\n") == 1
    assert not (tmp_path / "new").exists() and not (tmp_path / "e.html").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", REFUSED)
def test_every_command_refuses_in_one_line(tmp_path, run, capsys, case, command):
    make, told = REFUSED[case]
    if (case, command) == ("empty", "inspect"):
        told = "is empty"  # It may be meant for pictures of any kind.
    (tmp_path / "data").mkdir()
    assert main(words(command, make(tmp_path / "data"), run, tmp_path)) == 2
    printed, complaint = capsys.readouterr()
    assert told in complaint and complaint.count("\n") == 1 and not printed
    assert not any((tmp_path / made).exists() for made in ("new", "to", "e.html", "s.html"))


def test_ids_of_annotations_that_stand_twice_are_told_and_their_boxes_kept(tmp_path, capsys):
    row = {"id": 5, "image_id": 7, "category_id": 90}
    rows = [row | {"bbox": [n, n, 9, 9]} for n in range(3)]
    file = coco(tmp_path, annotations=[*rows, {**rows[0], "id": 6}])
    assert main(["convert", str(file), str(tmp_path / "to"), "--to", "coco", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["what"], one["n"]) for one in told["changed"]] == [(SAME_ID, 2)]
    assert told["changed"][0]["first"].endswith("instances.json annotation 1")
    assert told["parts"][""]["boxes"] == 4
