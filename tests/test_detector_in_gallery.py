"""A detector that was trained here gives a gallery its crops: ``cut``, ``enrol``, ``find``."""

import json

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.cli.app import main
from saccade.data.folders import read_class_folders
from saccade.data.pictures import read_picture
from saccade.values import UNKNOWN
from tests.box_cases import iou
from tests.squares import photo

SETTINGS = {
    "train.epochs": 25,
    "train.batch_size": 8,
    "train.threads": 1,
    "train.precision": "float32",
    "data.size": "40x64",
    "data.validation": 0.0,
    "model.width": 8,
    "optim.lr": 0.01,
    "augment.rotate": 0.0,
    "augment.scale": 0.0,
    "augment.erase": 0.0,
    "detect.strides": "4,8",
    "detect.side": 3.0,
    "detect.depth": 16,
    "detect.ratios": "1",
    "detect.positive": 0.5,
    "detect.negative": 0.4,
}
TEAM = {101: "Ada", 102: "Ben", 103: "Cleo"}  # none of whom the detector has seen
STRANGER = 113
GROUP = ((102, 20, 30, 70), (101, 200, 90, 90), (103, 120, 20, 64))


def write(path, *placed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo(*placed)).save(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A detector of one class, "face", that learned from 48 photos of one or two people."""
    root = tmp_path_factory.mktemp("faces")
    draw, rows = np.random.default_rng(0), ["filename,x,y,width,height,label"]
    for number in range(48):
        placed = []
        for half in range(1 + number % 2):
            side = int(draw.integers(60, 95))
            x = 160 * half + int(draw.integers(0, 160 - side))
            placed.append((number + 50 * half, x, int(draw.integers(0, 200 - side)), side))
        write(root / "photos" / f"{number}.png", *placed)
        rows += [f"{number}.png,{x},{y},{side},{side},face" for _, x, y, side in placed]
    (root / "photos" / "boxes.csv").write_text("\n".join(rows) + "\n")
    made = saccade.train(root / "photos", task="detect", out=root / "run", settings=SETTINGS)
    return made.folder


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """Two photos of each of the team, a face in each."""
    root = tmp_path_factory.mktemp("team")
    for person, name in TEAM.items():
        write(root / name / "a.png", (person, 40, 30, 80))
        write(root / name / "b.png", (person, 190, 80, 66))
    return root


@pytest.fixture(scope="module")
def gallery(run, team, tmp_path_factory):
    """A gallery of the team, enrolled by what the detector found."""
    place = tmp_path_factory.mktemp("gallery") / "g"
    assert main(["create", str(place), "--embedder", "pixels", "--threshold", "0.95"]) == 0
    assert main(["enrol", str(place), str(team), "--detector", str(run)]) == 0
    return place


def test_each_face_of_a_group_gets_its_name_where_it_is(gallery, run, tmp_path, capsys):
    write(tmp_path / "group.png", *GROUP)
    words = ["find", str(gallery), str(tmp_path / "group.png"), "--detector", str(run)]
    capsys.readouterr()
    assert main([*words, "--painted", str(tmp_path / "painted"), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert len(told["boxes"]) == len(GROUP)
    for person, *wanted in GROUP:
        wanted = [wanted[0], wanted[1], wanted[2], wanted[2]]
        (mine,) = [one for one in told["boxes"] if iou(one["box"], wanted) > 0.6]
        assert mine["identity"] == TEAM[person]
    assert len(list((tmp_path / "painted").iterdir())) == 1


def test_a_stranger_is_unknown_and_an_empty_photo_shows_nothing(gallery, run, tmp_path, capsys):
    write(tmp_path / "stranger.png", (STRANGER, 60, 60, 80))
    write(tmp_path / "ground.png")
    words = ["find", str(gallery), str(tmp_path), "--detector", str(run), "--json"]
    capsys.readouterr()
    assert main(words) == 1
    ground, stranger = json.loads(capsys.readouterr().out)
    assert ground["boxes"] == []
    (one,) = stranger["boxes"]
    assert one["searched"] and one["identity"] == UNKNOWN and not stranger["known"]


def test_cut_writes_the_faces_and_leaves_out_what_shows_none(run, team, tmp_path, capsys):
    assert main(["cut", str(team), str(tmp_path / "crops"), "--detector", str(run)]) == 0
    assert "6 cut in 3 classes, 0 left out" in capsys.readouterr().out
    ground = np.full(3, 128)
    for one in read_class_folders(tmp_path / "crops"):
        crop = read_picture(one)
        assert crop.shape == (112, 112, 3)
        middle = crop[20:-20, 20:-20].reshape(-1, 3)
        assert (abs(middle.astype(int) - ground).max(axis=1) > 12).mean() > 0.95
    write(tmp_path / "more" / "Ada" / "ground.png")
    write(tmp_path / "more" / "Ada" / "one.png", (101, 40, 30, 80))
    words = ["cut", str(tmp_path / "more"), str(tmp_path / "again"), "--detector", str(run)]
    assert main(words) == 1
    assert "1 cut in 1 classes, 1 left out" in capsys.readouterr().out


def test_another_run_than_that_of_the_crops_is_warned_of(gallery, run, tmp_path, capsys):
    card = json.loads((run / "model.json").read_text())
    card["answer"]["at_least"] = 0.6
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.json").write_text(json.dumps(card))
    (other / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    write(tmp_path / "one.png", (101, 40, 30, 80))
    capsys.readouterr()
    assert main(["find", str(gallery), str(tmp_path / "one.png"), "--detector", str(other)]) == 0
    assert "has crops of detector" in capsys.readouterr().err
