"""Segmenters by the command line: judged, asked, compared, exported; and what is refused."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.api.tune_folds import deal_any
from saccade.api.tune_plan import PLAN_FILE
from saccade.cli.app import main
from saccade.data.mask_readers import read_masks
from saccade.data.mask_targets import mask_of
from saccade.data.shapes import write_shapes
from saccade.judge.segmentation import judge_segmentation
from saccade.report.mask_colours import class_colours
from tests.runs import OF_TASK, flags

CLASSES = ("ground", "circle", "square", "triangle")
SETTINGS = {
    **OF_TASK["segment"],
    "segment.classes": ",".join(CLASSES),
    "train.epochs": 4,
    "train.batch_size": 8,
    "train.threads": 1,
    "train.precision": "float32",
    "model.width": 4,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Drawn shapes, 40 pictures to learn from, 6 and 5 to judge on."""
    root = tmp_path_factory.mktemp("masks") / "shapes"
    write_shapes(root, parts={"train": 40, "val": 6, "test": 5})
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A segmenter that has learned a little."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return saccade.train(data, task="segment", out=folder, settings=SETTINGS).folder


def asked(capsys, *words):
    """Run a command; returns the exit code, what it printed, and its one line of complaint."""
    code = main([str(word) for word in words])
    printed, complaint = capsys.readouterr()
    assert "Traceback" not in complaint and complaint.count("\n") == (code == 2)
    return code, printed, complaint


def masks_of(data, part):
    return [np.asarray(Image.open(file)) for file in sorted((data / "masks" / part).glob("*.png"))]


def test_evaluate_judges_the_part_val_and_paints_the_worst(run, data, tmp_path, capsys):
    page = tmp_path / "page.html"
    code, printed, _ = asked(capsys, "evaluate", run, data, "--report", page, "--json")
    told = json.loads(printed)
    model = saccade.load(run)
    files = sorted((data / "val").glob("*.png"))
    answers = [one.mask for one in model.segment(files)]
    own = judge_segmentation(zip(masks_of(data, "val"), answers, strict=True), classes=CLASSES)
    assert code == 0 and told["figures"]["mean IoU"]["value"] == own.figures["mean IoU"].value
    assert told["confusion"] == [list(row) for row in own.confusion]
    text = page.read_text()
    assert all(f">{label}<" in text for label in CLASSES) and "000.png" in text
    code, printed, _ = asked(capsys, "evaluate", run, data / "val", "--report", page)
    assert code == 0 and "mean IoU" in printed


def test_the_part_test_is_sealed_and_its_opening_recorded(run, data, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "run")
    for place in (data / "test",):
        code, _, complaint = asked(capsys, "evaluate", copy, place)
        assert code == 2 and "--open-test" in complaint
    code, printed, _ = asked(capsys, "evaluate", copy, data, "--open-test")
    assert code == 0 and "for the first time" in printed
    assert len((copy / "test_openings.jsonl").read_text().splitlines()) == 1


def test_evaluate_judges_groups_of_pictures(run, data, tmp_path, capsys):
    table = tmp_path / "places.csv"
    lines = [f"{n:03}.png,{('Ulm', 'Bonn')[n % 2]}" for n in range(6)]
    table.write_text("path,town\n" + "\n".join(lines) + "\n")
    words = ("--metadata", table, "--by", "town", "--report", tmp_path / "page.html")
    code, printed, _ = asked(capsys, "evaluate", run, data, *words)
    assert code == 0 and "Ulm: 3 pictures" in printed and "Bonn: 3 pictures" in printed


def test_predict_writes_indexed_masks_and_painted_pictures(run, data, tmp_path, capsys):
    out, views = tmp_path / "masks", tmp_path / "views"
    words = ("predict", run, data / "test", "--out", out, "--painted", views)
    code, printed, _ = asked(capsys, *words)
    assert code == 0 and printed.count(".png: ") == 5 and "ground " in printed
    answers = saccade.load(run).segment(sorted((data / "test").glob("*.png")))
    for one, file in zip(answers, sorted(out.glob("*.png")), strict=True):
        with Image.open(file) as image:
            assert image.mode == "P"
            np.testing.assert_array_equal(np.asarray(image), one.mask)
            wanted = class_colours(one.mask)
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), wanted)
    assert len(list(views.glob("*.png"))) == 5
    code, _, complaint = asked(capsys, *words)
    assert code == 2 and "exists already" in complaint and "--out" in complaint


def test_predictions_are_judged_as_the_model_is(run, data, tmp_path, capsys):
    """What is written is what ``evaluate --predictions`` reads back."""
    asked(capsys, "predict", run, data / "val", "--out", tmp_path / "masks")
    truth = data / "masks" / "val"
    words = ("--predictions", tmp_path / "masks", "--truth", truth, "--json")
    _, printed, _ = asked(capsys, "evaluate", *words)
    scores = saccade.evaluate(saccade.load(run), data)
    figure = json.loads(printed)["figures"]["mean IoU"]["value"]
    assert figure == pytest.approx(scores.figures["mean IoU"].value)


def test_predict_tells_a_machine_how_many_pixels(run, data, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    good = data / "test" / "000.png"
    code, printed, complaint = asked(capsys, "predict", run, good, bad, "--json")
    told = json.loads(printed)
    assert code == 2 and "bad.png" in complaint
    assert sum(told[0]["pixels"].values()) == 48 * 72 and list(told[0]["pixels"]) == list(CLASSES)
    assert told[1]["pixels"] is None and "bad.png" in told[1]["error"]
    code, _, complaint = asked(capsys, "predict", run, bad, "--out", tmp_path / "masks")
    assert code == 2 and "bad.png" in complaint and not (tmp_path / "masks").exists()


def test_two_segmenters_are_compared(run, data, tmp_path, capsys):
    settings = SETTINGS | {"train.epochs": 1, "train.seed": 1}
    other = saccade.train(data, task="segment", out=tmp_path / "other", settings=settings).folder
    page = tmp_path / "page.html"
    code, printed, _ = asked(capsys, "compare", run, other, data, "--json", "--report", page)
    told = json.loads(printed)
    both = [saccade.evaluate(saccade.load(one), data) for one in (run, other)]
    for side, scores in zip((told["a"], told["b"]), both, strict=True):
        assert side["value"] == pytest.approx(scores.figures["mean IoU"].value)
    assert code in (0, 1) and told["figure"] == "mean IoU" and page.is_file()


def test_segmenters_of_other_classes_are_not_compared(run, data, tmp_path, capsys):
    names = {"segment.classes": "ground,disc,box,wedge"}
    other = saccade.train(data, task="segment", out=tmp_path / "run", settings=SETTINGS | names)
    code, _, complaint = asked(capsys, "compare", run, other.folder, data)
    assert code == 2 and "wedge" in complaint and "triangle" in complaint


@pytest.mark.parametrize("mirror", [False, True])
def test_an_exported_graph_answers_as_its_model(data, tmp_path, capsys, mirror):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    settings = SETTINGS | {"model.mirror": mirror, "train.epochs": 1}
    made = saccade.train(data, task="segment", out=tmp_path / "run", settings=settings)
    file = tmp_path / "masks.onnx"
    code, printed, _ = asked(capsys, "export-model", made.folder, file)
    assert code == 0 and "kind: segmenter" in printed and "3 triangle" in printed
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 48), np.uint8)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pictures": (pixels / 255).astype(np.float32)})
    wanted = made.model.segment_prepared(saccade_tensor(pixels)).numpy()
    assert found.shape == (5, 4, 32, 48)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert 'kind = "segmenter"' in file.with_suffix(".toml").read_text()


def saccade_tensor(pixels):
    import torch

    return torch.from_numpy(pixels)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--segment.stride", "6"), "32, 16, 8, 4, 2"),
        (("--segment.fit", "tile"), "tiles"),
        (("--segment.overlap", "0.95"), "0.9"),
        (("--segment.dice", "-1"), "segment.dice"),
        (("--loss.name", "arcface"), "cross_entropy, dice, focal"),
        (("--loss.name", "dic"), "dice"),
        (("--model.backbone", "mlp"), "small_resnet"),
        (("--model.name", "knn"), "model.name knn"),
        (("--data.tree", "folders"), "data.tree"),
        (("--data.target", "age"), "data.target"),
        (("--data.extra_classes", "turned"), "data.extra_classes"),
        (("--train.batches", "balanced"), "train.batches"),
        (("--train.epochs", "0"), "train.epochs"),
        (("--augment.mosaic", "0.5"), "augment.mosaic"),
        (("--segment.classes", "ground"), "segment.classes"),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, tuple) else None,
)
def test_a_wrong_setting_is_told_with_what_is_right(data, tmp_path, capsys, words, wanted):
    out = tmp_path / "run"
    given = [*flags(SETTINGS), *words]
    code, _, complaint = asked(capsys, "train", data, "--task", "segment", "--out", out, *given)
    assert code == 2 and wanted in complaint and not out.exists()


def test_data_without_masks_are_refused(class_folders, tmp_path, capsys):
    words = ("--task", "segment", "--out", tmp_path / "run", *flags(SETTINGS))
    code, _, complaint = asked(capsys, "train", class_folders, *words)
    assert code == 2 and "mask" in complaint and not (tmp_path / "run").exists()


def test_tune_scores_folds_by_the_mean_overlap(data, tmp_path):
    """Each fold's score is that of a training by hand on the others, judged on it."""
    less = tmp_path / "less"
    less.mkdir()
    for place in ("train", "masks/train"):
        shutil.copytree(data / place, less / place)
    settings = SETTINGS | {"train.epochs": 1}
    vary = {"train.seed": [0, 1]}
    saccade.tune(less, out=tmp_path / "t", task="segment", folds=2, vary=vary, settings=settings)
    plan = json.loads((tmp_path / "t" / PLAN_FILE).read_text())
    samples = read_masks(less / "train", classes=",".join(CLASSES))[""].samples
    folds = deal_any(samples, 2, None, 0)
    scores = []
    for places in folds:
        training = saccade.Training(
            less, task="segment", settings=settings | {"data.validation": 0}, apart=places.tolist()
        )
        list(training.records())
        model = training.complete()
        fold = [samples[place] for place in places]
        pairs = [(mask_of(one).read(), model.segment([one])[0].mask) for one in fold]
        scores.append(judge_segmentation(pairs, classes=CLASSES).figures["mean IoU"].value)
    assert plan["standing"]["scores"][0] == pytest.approx(scores)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("predict RUN PICTURE --at-least 0.5", "--at-least"),
        ("predict RUN PICTURE --out OUT --painted OUT", "one folder"),
        ("predict RUN PICTURE --out PICTURE", "is a file"),
        ("predict RUN PICTURE --neighbours OUT.html", "knn"),
        ("evaluate RUN PEOPLE", "mask"),
        ("evaluate RUN DATA --alarm circle --miss-cost 2", "alarm"),
        ("robustness RUN DATA", "segment"),
        ("limits RUN DATA --masks DATA", "segment"),
        ("explain RUN PICTURE --out OUT.html", "segment"),
        ("create OUT --embedder RUN", "segment"),
        ("learning-curve DATA --task segment", "segment"),
        ("bias-variance DATA --task segment", "segment"),
    ],
)
def test_what_a_segmenter_cannot_do_is_told(
    run, data, class_folders, tmp_path, capsys, words, wanted
):
    place = {
        "RUN": run,
        "DATA": data,
        "PICTURE": data / "test" / "000.png",
        "PEOPLE": class_folders,
        "OUT": tmp_path / "out",
        "OUT.html": tmp_path / "out.html",
    }
    given = [str(place.get(word, word)) for word in words.split()]
    code, _, complaint = asked(capsys, *given)
    assert code == 2 and wanted in complaint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["a"]},
        {"classes": ["a", "a", "b", "c"]},
        {"segment": {}},
        {"segment": {"stride": 3, "depth": 0, "fit": "stretch", "overlap": 0.2, "masks": ""}},
        {"segment": {"stride": 4, "depth": 0, "fit": "cut", "overlap": 0.2, "masks": ""}},
        {"segment": {"stride": 4, "depth": 0, "fit": "tiles", "overlap": 1.0, "masks": ""}},
        {
            "segment": {
                "stride": 4,
                "depth": 0,
                "fit": "tiles",
                "overlap": 0,
                "masks": "",
                "whole_hw": "x",
            }
        },
        {"masks": 3},
    ],
    ids=str,
)
def test_a_damaged_card_is_refused(run, tmp_path, change):
    copy = shutil.copytree(run, tmp_path / "run")
    card = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps(card | change))
    with pytest.raises(saccade.InputError, match="not a complete model card"):
        saccade.load(copy)
