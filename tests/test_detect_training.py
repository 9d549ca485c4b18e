"""Detectors of both families learn, from drawn shapes; stopped or repeated they end alike."""

import json
from collections import Counter

import numpy as np
import pytest

import saccade
from saccade.api.box_samples import found_boxes, samples_of, true_boxes
from saccade.cli.demo_detect import FAMILIES, SETTINGS
from saccade.data.box_readers import read_boxes
from saccade.data.shapes import SHAPES, write_shapes
from saccade.judge.detection import judge_detection
from saccade.training.run import read_history
from tests.box_cases import iou
from tests.runs import OF_TASK, once, weights_of, without_time

QUICK = {
    **OF_TASK["detect"],
    "train.epochs": 3,
    "train.batch_size": 10,
    "train.threads": 1,
    "train.precision": "float32",
    "model.width": 4,
    "optim.ema": 0.9,
    "augment.mosaic": 0.3,
    "augment.crop": 0.2,
    "augment.colour": 0.1,
}
STEPS = 3 * QUICK["train.epochs"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, worker_id):
    """The shapes of the demo, drawn once for all processes."""
    return once(tmp_path_factory, worker_id, "drawn", write_shapes)


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request, drawn, tmp_path_factory, worker_id):
    """A family, and the folder of a finished run of it with the settings of the demo, made once.

    Beside the run, what the model found when it had just been trained.
    """
    family = request.param

    def train(folder):
        settings = SETTINGS | {"train.threads": 1, "detect.family": family}
        model = saccade.train(drawn, task="detect", out=folder / "run", settings=settings).model
        found = [plain(one) for one in model.detect(first_pictures(drawn))]
        (folder / "found.json").write_text(json.dumps(found))

    return family, once(tmp_path_factory, worker_id, family, train) / "run"


def first_pictures(drawn):
    return sorted((drawn / "val").glob("*.png"))[:5]


def plain(found):
    return [list(found.labels), found.xywh.tolist(), found.scores.tolist()]


def test_nearly_all_shapes_are_found(trained, drawn):
    model = saccade.load(trained[1])
    samples = samples_of(read_boxes(drawn)["test"])
    found = model.detect([sample.path for sample in samples])
    scores = judge_detection(
        true_boxes(samples, model.objects),
        found_boxes(found, model.objects),
        pictures=len(samples),
        classes=model.objects,
    )
    assert dict(scores.headline)["AP50"].value >= 0.9


def test_circles_are_called_circles(trained, drawn):
    """Of each class nearly all shapes are found by a sure box with their own name, few by another.

    Counted by a loop of its own: which names have the sure boxes that lie on a true one?
    """
    samples = samples_of(read_boxes(drawn)["test"])
    called = {label: Counter() for label in SHAPES}
    found = saccade.load(trained[1]).detect(samples)
    for sample, one in zip(samples, found, strict=True):
        for label, box in zip(sample.boxes.labels, sample.boxes.xywh.tolist(), strict=True):
            rows = zip(one.labels, one.xywh.tolist(), one.scores.tolist(), strict=True)
            called[label].update(
                {name for name, found, sure in rows if sure >= 0.5 and iou(box, found) >= 0.5}
            )
            called[label]["shown"] += 1
    for label, counts in called.items():
        assert counts[label] >= 0.85 * counts["shown"] > 20, (label, called)
        others = sum(counts[name] for name in SHAPES if name != label)
        assert others <= 0.15 * counts["shown"], (label, called)


def test_a_run_keeps_its_card_its_score_and_its_report(trained, drawn):
    family, run = trained
    card = json.loads((run / "model.json").read_text())
    assert card["classes"] == sorted(SHAPES) and card["detect"]["family"] == family
    kept = card["score"]["AP50"]["value"]
    assert kept == dict(saccade.evaluate(run, drawn / "val").headline)["AP50"].value > 0.8
    page = (run / "report.html").read_text()
    assert "<svg" in page and "data:image/" in page
    losses = [record["loss"] for record in read_history(run)]
    assert np.mean(losses[-30:]) < 0.4 * np.mean(losses[:30])


def test_a_saved_detector_finds_the_same_boxes(trained, drawn):
    run = trained[1]
    again = saccade.load(run).detect(first_pictures(drawn))
    assert sum(len(found.labels) for found in again) >= 5
    kept = json.loads((run.parent / "found.json").read_text())
    assert [plain(found) for found in again] == kept


@pytest.fixture(scope="module", params=FAMILIES)
def unbroken(request, box_folder, tmp_path_factory):
    """A short run that nothing disturbed."""
    settings = QUICK | {"detect.family": request.param}
    folder = tmp_path_factory.mktemp("whole") / "run"
    return saccade.train(box_folder, task="detect", out=folder, settings=settings).folder, settings


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(
    unbroken, box_folder, tmp_path
):
    whole, settings = unbroken
    again = saccade.train(box_folder, task="detect", out=tmp_path / "again", settings=settings)
    assert weights_of(again.folder) == weights_of(whole)
    settings = settings | {"train.seed": 1, "train.epochs": 1}
    other = saccade.train(box_folder, task="detect", out=tmp_path / "other", settings=settings)
    first = [read_history(run)[0]["loss"] for run in (whole, other.folder)]
    assert first[0] != first[1]


@pytest.mark.parametrize("steps", [1, 4, STEPS])
def test_a_detector_that_was_stopped_is_the_unbroken_one(unbroken, box_folder, tmp_path, steps):
    whole, settings = unbroken
    training = saccade.Training(box_folder, task="detect", out=tmp_path / "run", settings=settings)
    records = training.records()
    for _ in range(steps):
        next(records)
    records.close()
    made = saccade.train(resume=tmp_path / "run").folder
    assert weights_of(made) == weights_of(whole)
    assert without_time(read_history(made)) == without_time(read_history(whole))
    cards = [json.loads((run / "model.json").read_text()) for run in (made, whole)]
    assert cards[0] == cards[1]
