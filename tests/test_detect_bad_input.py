"""``saccade train --task detect`` on data and settings that are wrong: one line, exit code 2."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from saccade.cli.app import main
from saccade.data.shapes import SHAPES, write_shapes

FILE = "_annotations.coco.json"
SETTINGS = {
    "train.epochs": 1,
    "train.batch_size": 4,
    "train.threads": 1,
    "train.precision": "float32",
    "data.size": "24x32",
    "data.validation": 0.0,
    "model.width": 4,
    "detect.depth": 8,
    "detect.strides": "4,8",
    "detect.ratios": "1",
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder of six pictures with their annotation file."""
    root = tmp_path_factory.mktemp("shapes")
    write_shapes(root, parts={"train": 6})
    return root / "train"


@pytest.fixture
def data(drawn, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(drawn, tmp_path / "data")


def spoil(data, change):
    """Rewrite the annotations of ``data``; ``change`` is called with the document."""
    document = json.loads((data / FILE).read_text())
    change(document)
    (data / FILE).write_text(json.dumps(document))


def train(data, capsys, *words, **settings):
    """Run the command; returns the exit code, what it printed, and its one line of complaint."""
    given = SETTINGS | {name.replace("__", "."): value for name, value in settings.items()}
    flags = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    out = data.parent / "run"
    code = main(["train", str(data), "--task", "detect", "--out", str(out), *flags, *words])
    printed, complaint = capsys.readouterr()
    assert "Traceback" not in complaint and complaint.count("\n") == (code == 2)
    assert code != 2 or not out.exists()
    return code, printed, complaint


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"detect__remedy": "ignore_bnd"}, "ignore_band"),
        ({"detect__box_loss": "gio"}, "giou"),
        ({"detect__family": "one_stge"}, "one_stage"),
        ({"detect__suppression": "sof"}, "soft"),
        ({"detect__pool": "aline"}, "align"),
        ({"detect__stride": "8"}, "strides"),
        ({"detect__strides": "8,4"}, "rising powers of two"),
        ({"detect__strides": "8,12"}, "rising powers of two"),
        ({"detect__strides": "4;8"}, "detect.strides"),
        ({"detect__strides": ""}, "detect.strides"),
        ({"detect__ratios": "0"}, "detect.ratios"),
        ({"detect__ratios": "nan"}, "detect.ratios"),
        ({"detect__positive": 0.3, "detect__negative": 0.6}, "0.6"),
        ({"detect__depth": 2}, "detect.depth"),
        ({"model__backbone": "mlp"}, "small_resnet"),
        ({"model__backbone": "gradients"}, "gradient"),
        ({"data__size": "2x2"}, "2x2"),
        ({"train__epochs": 0}, "train.epochs"),
        ({"loss__name": "arcface"}, "detect.box_loss"),
        ({"train__batches": "balanced"}, "train.batches"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_a_wrong_setting_is_told_with_what_is_right(data, capsys, settings, wanted):
    code, _, complaint = train(data, capsys, **settings)
    assert code == 2 and wanted in complaint


def test_class_folders_have_no_boxes(class_folders, tmp_path, capsys):
    people = shutil.copytree(class_folders, tmp_path / "people")
    code, _, complaint = train(people, capsys)
    assert code == 2 and "holds no boxes" in complaint and "COCO" in complaint


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda document: document["annotations"].clear(), "hold no box"),
        (lambda document: [one.update(iscrowd=1) for one in document["annotations"]], "no box"),
        (
            lambda document: [one.update(bbox=[5, 5, 0, 0]) for one in document["annotations"]],
            "hold no box",
        ),
        (lambda document: document["annotations"][2].update(bbox=[1, 2, float("nan"), 4]), "3"),
        (lambda document: document["annotations"][0].update(category_id=99), "99"),
        (lambda document: document["annotations"][0].update(image_id=99), "99"),
        (lambda document: document["images"][1].update(file_name="../x.png"), "../x.png"),
        (
            lambda document: [document[key].clear() for key in ("images", "annotations")],
            "no picture",
        ),
        (lambda document: document["categories"].append({"id": 9, "name": "circle"}), "circle"),
    ],
    ids=["none", "crowds", "flat", "nan", "category", "image", "outside", "pictures", "twice"],
)
def test_annotations_that_cannot_be_learned_from(data, capsys, change, wanted):
    spoil(data, change)
    code, _, complaint = train(data, capsys)
    assert code == 2 and wanted in complaint and str(data) in complaint


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"images": 3}', "\0"])
def test_a_file_that_is_none(data, capsys, content):
    (data / FILE).write_text(content)
    code, _, complaint = train(data, capsys)
    assert code == 2 and FILE in complaint


def test_missing_data(tmp_path, capsys):
    code, _, complaint = train(tmp_path / "none", capsys)
    assert code == 2 and "does not exist" in complaint


def test_missing_pictures_are_counted_and_none_left_is_refused(data, capsys):
    (data / "000.png").unlink()
    code, printed, _ = train(data, capsys, data__broken=0.5)
    assert code == 0 and "000.png does not exist" in printed
    assert "1 pictures left out, unreadable" in printed
    shutil.rmtree(data.parent / "run")
    for file in data.glob("*.png"):
        file.unlink()
    code, _, complaint = train(data, capsys)
    assert code == 2 and "no such file" in complaint


def test_useless_boxes_are_left_out_and_counted(data, capsys):
    bad = ([5, 5, 0, 4], [5, 5, 4, 0], [9, 9, -4, 3], [500, 5, 4, 4], [-3, -3, 10, 10])

    def change(document):
        many = len(document["annotations"])
        for number, box in enumerate(bad, many + 1):
            document["annotations"].append(
                {"id": number, "image_id": 1, "category_id": 1, "bbox": box, "area": 9}
            )

    spoil(data, change)
    code, printed, _ = train(data, capsys)
    assert code == 0
    for words in (
        "2 boxes left out: no width or no height; the first: ",
        "1 boxes left out: the right or lower edge comes first; the first: ",
        "1 boxes left out: wholly outside of their picture; the first: ",
        "1 boxes cut off at the edge of their picture; the first: ",
    ):
        assert words in printed
    shutil.rmtree(data.parent / "run")
    code, printed, _ = train(data, capsys, "--json")
    told = json.loads(printed)
    assert code == 0 and [one["n"] for one in told["left_out"]] == [2, 1, 1]
    assert [one["n"] for one in told["changed"]] == [1]


def test_the_share_of_background_is_told(data, capsys):
    shares = {}
    for remedy in ("none", "hard_negative_mining"):
        code, printed, _ = train(data, capsys, "--json", detect__remedy=remedy)
        assert code == 0
        shares[remedy] = json.loads(printed)["background"]
        shutil.rmtree(data.parent / "run")
    assert shares["hard_negative_mining"]["counted"] == pytest.approx(0.75)
    assert 0.95 < shares["none"]["counted"] == shares["none"]["all"] < 1
    _, printed, _ = train(data, capsys)
    assert "background with remedy ignore_band: " in printed


def test_pictures_without_boxes_are_background(data, capsys):
    def change(document):
        kept = [one for one in document["annotations"] if one["image_id"] < 3]
        document["annotations"] = kept

    spoil(data, change)
    assert train(data, capsys)[0] == 0


def test_one_picture_and_one_class_are_enough(data, capsys):
    def change(document):
        document["annotations"] = [
            {**one, "category_id": 1} for one in document["annotations"] if one["image_id"] == 1
        ]
        document["images"] = document["images"][:1]
        document["categories"] = document["categories"][:1]

    spoil(data, change)
    code, printed, _ = train(data, capsys, data__validation=0.2)
    assert code == 0 and "nothing was held out" in printed
    card = json.loads((data.parent / "run" / "model.json").read_text())
    assert card["classes"] == [SHAPES[0]]


def test_pictures_that_cannot_be_read_are_named(data, capsys):
    whole = (data / "001.png").read_bytes()
    (data / "001.png").write_bytes(whole[: len(whole) // 2])
    code, printed, complaint = train(data, capsys, data__broken=0.5)
    assert code == 0 and "001.png" in printed
    shutil.rmtree(data.parent / "run")
    code, _, complaint = train(data, capsys, data__broken=0.0)
    assert code == 2 and "001.png" in complaint


def test_a_picture_of_another_size_than_stated_is_left_out(data, capsys):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(data / "002.png")
    code, printed, _ = train(data, capsys, data__broken=0.5)
    assert code == 0 and "002.png is 20x20, its annotations say 72x48" in printed
