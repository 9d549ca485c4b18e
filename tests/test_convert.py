"""``saccade convert``: the command, what it says, and that it writes all or nothing."""

import json
import os

import pytest

import saccade
from saccade.cli.app import main
from saccade.data.box_readers import read_boxes
from saccade.data.box_sets import AREAS
from saccade.errors import InputError
from tests.box_folders import coco, picture, rows_of, voc


@pytest.fixture
def cells(tmp_path):
    """COCO with a box without width, a crowd, and one of another area."""
    rows = [
        {"image_id": 7, "category_id": 90, "bbox": [1, 2, 30, 40], "area": 600},
        {"image_id": 7, "category_id": 18, "bbox": [1, 2, 0, 40]},
        {"image_id": 7, "category_id": 18, "bbox": [4, 4, 8, 8], "iscrowd": 1},
    ]
    return coco(tmp_path / "in", annotations=rows).parent


def test_the_command_says_what_became_of_everything(cells, tmp_path, capsys):
    assert main(["convert", str(cells), str(tmp_path / "out"), "--to", "yolo"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["2 boxes in 2 pictures, 1 of them without a box", "2 categories: dog, cat"]
    assert lines[2].startswith("1 boxes left out: no width or no height; the first: ")
    assert lines[2].endswith("instances.json annotation 1")
    assert lines[3].startswith("1 crowds and ignored boxes, for which YOLO has no place; the first")
    assert lines[4].startswith(f"1 {AREAS}; the first")
    assert lines[5:] == [f"yolo: {tmp_path / 'out'}"]
    assert [len(one.boxes.picture) for one in read_boxes(tmp_path / "out").values()] == [1]


def test_json_and_python_say_the_same(cells, tmp_path, capsys):
    assert main(["convert", str(cells), str(tmp_path / "a"), "--to", "csv", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    done = saccade.convert(cells, tmp_path / "b", to="csv")
    assert found == json.loads(json.dumps(done.to_dict() | {"out": str(tmp_path / "a")}))
    assert found["parts"] == {"": {"pictures": 2, "boxes": 2, "empty": 1}}
    assert found["left_out"][0]["n"] == 1 and found["changed"] == []


@pytest.mark.parametrize("way", ["copy", "link", "none"])
def test_pictures_are_copied_linked_or_left(tmp_path, way, capsys):
    voc(tmp_path / "in", [("cat", 1, 1, 9, 9, "")])
    words = ["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--to", "coco"]
    assert main([*words, "--pictures", way]) == 0
    source, target = tmp_path / "in" / "JPEGImages" / "a.jpg", tmp_path / "out" / "a.jpg"
    assert target.exists() == (way != "none")
    if way != "none":
        assert target.read_bytes() == source.read_bytes()
        assert os.path.samefile(source, target) == (way == "link")  # noqa: PTH121
    again = read_boxes(tmp_path / "out", files_needed=way != "none")[""]
    assert rows_of(again) == [("a.jpg", "cat", (0, 0, 9, 9), 81, False, False, False)]


def test_annotations_alone_need_no_pictures(cells, tmp_path):
    for file in cells.glob("*.jpg"):
        file.unlink()
    with pytest.raises(InputError, match="no picture that can be used"):
        saccade.convert(cells, tmp_path / "out", to="voc")
    saccade.convert(cells, tmp_path / "out", to="voc", pictures="none")
    assert sorted(f.name for f in (tmp_path / "out" / "Annotations").iterdir()) == [
        "a.xml",
        "b.xml",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--to", "coc"], "there is no format of boxes 'coc'; did you mean 'coco'?"),
        (["--to", "voc", "--pictures", "cpy"], "did you mean 'copy'?"),
        (["--to", "voc", "--first-pixel", "2"], "the first pixel is a matter of VOC and CSV"),
        (["--to", "voc", "--from", "yolo"], "holds no boxes as yolo has them"),
    ],
)
def test_wrong_words_are_told_in_one_line(cells, tmp_path, capsys, change, words):
    assert main(["convert", str(cells), str(tmp_path / "out"), *change]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_of_a_conversion_that_fails(cells, tmp_path, capsys, monkeypatch):
    (tmp_path / "there").mkdir()
    assert main(["convert", str(cells), str(tmp_path / "there"), "--to", "voc"]) == 2
    assert "exists already; name a new folder" in capsys.readouterr().err
    assert main(["convert", str(cells), str(tmp_path / "no" / "out"), "--to", "voc"]) == 2

    def full(source, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("shutil.copyfile", full)
    assert main(["convert", str(cells), str(tmp_path / "out"), "--to", "voc"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in", "there"]


def test_hostile_names_are_shown_as_escapes(tmp_path, capsys):
    picture(tmp_path / "in" / "a\u202eb.jpg")
    images = [{"id": 7, "file_name": "a\u202eb.jpg"}, {"id": 8, "file_name": "no\x1bne.jpg"}]
    coco(tmp_path / "in", images=images, categories=[{"id": 90, "name": "c\u202e\nat"}])
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--to", "coco"]) == 1
    told = capsys.readouterr().out
    assert "\u202e" not in told and "\x1b" not in told
    assert "c\\u202e at" in told and "no\\x1bne.jpg" in told
