"""Segmenters learn, from drawn shapes; stopped or repeated they end alike."""

import json

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.data.shapes import write_shapes
from saccade.training.run import read_history
from tests.runs import OF_TASK, weights_of, without_time

CLASSES = ("ground", "circle", "square", "triangle")
NAMES = ",".join(CLASSES)
LEARNED = {
    "segment.classes": NAMES,
    "segment.stride": 2,
    "train.epochs": 12,
    "train.batch_size": 8,
    "train.threads": 1,
    "train.precision": "float32",
    "model.width": 8,
    "loss.smoothing": 0.0,
    "optim.lr": 0.01,
    "augment.rotate": 0.0,
    "augment.scale": 0.0,
    "augment.shift": 0.0,
    "augment.flip": 0.5,
    "augment.brightness": 0.1,
    "augment.contrast": 0.1,
    "augment.erase": 0.0,
}
QUICK = {
    **OF_TASK["segment"],
    "segment.classes": NAMES,
    "train.epochs": 3,
    "train.batch_size": 10,
    "train.threads": 1,
    "train.precision": "float32",
    "model.width": 4,
    "model.dropout": 0.2,
    "optim.ema": 0.9,
    "augment.crop": 0.2,
    "augment.colour": 0.1,
}
STEPS = 3 * QUICK["train.epochs"]


def test_nearly_every_pixel_of_drawn_shapes_gets_its_class(tmp_path):
    data = tmp_path / "shapes"
    write_shapes(data, parts={"train": 600, "val": 40, "test": 60})
    run = saccade.train(data, task="segment", out=tmp_path / "run", settings=LEARNED)
    model = saccade.load(run.folder)
    scores = saccade.evaluate(model, data, open_test=True)
    assert scores.figures["mean IoU"].value >= 0.9
    assert all(one.values["IoU"] >= 0.8 for one in scores.per_class)
    # By a loop of its own: of all pixels of a shape most are called so, and few others are.
    right, either = np.zeros(4), np.zeros(4)
    for file in sorted((data / "test").glob("*.png")):
        (one,) = model.segment([file])
        true = np.asarray(Image.open(data / "masks" / "test" / file.name))
        for k in range(4):
            right[k] += ((one.mask == k) & (true == k)).sum()
            either[k] += ((one.mask == k) | (true == k)).sum()
    assert scores.figures["mean IoU"].value == pytest.approx((right / either).mean())
    card = json.loads((run.folder / "model.json").read_text())
    assert card["classes"] == list(CLASSES) and card["masks"]["names"] == list(CLASSES)
    kept = card["score"]["mean IoU"]["value"]
    assert kept == dict(run.validation.headline)["mean IoU"].value > 0.85
    page = (run.folder / "report.html").read_text()
    assert "<svg" in page and page.count("data:image/png") >= 3 * 5 + 4 and ">triangle<" in page


@pytest.fixture(scope="module")
def unbroken(box_folder, tmp_path_factory):
    """A short run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return saccade.train(box_folder, task="segment", out=folder, settings=QUICK).folder


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(
    unbroken, box_folder, tmp_path
):
    again = saccade.train(box_folder, task="segment", out=tmp_path / "again", settings=QUICK)
    assert weights_of(again.folder) == weights_of(unbroken)
    settings = QUICK | {"train.seed": 1, "train.epochs": 1}
    other = saccade.train(box_folder, task="segment", out=tmp_path / "other", settings=settings)
    first = [read_history(run)[0]["loss"] for run in (unbroken, other.folder)]
    assert first[0] != first[1]


@pytest.mark.parametrize("steps", [1, 4, STEPS])
def test_a_segmenter_that_was_stopped_is_the_unbroken_one(unbroken, box_folder, tmp_path, steps):
    out = tmp_path / "run"
    training = saccade.Training(box_folder, task="segment", out=out, settings=QUICK)
    records = training.records()
    for _ in range(steps):
        next(records)
    records.close()
    made = saccade.train(resume=out).folder
    assert weights_of(made) == weights_of(unbroken)
    assert without_time(read_history(made)) == without_time(read_history(unbroken))
    cards = [json.loads((run / "model.json").read_text()) for run in (made, unbroken)]
    assert cards[0] == cards[1]


def test_a_run_that_was_stopped_does_not_go_on_with_other_masks(box_folder, tmp_path):
    data = tmp_path / "data"
    write_shapes(data, parts={"train": 12, "val": 4})
    training = saccade.Training(data, task="segment", out=tmp_path / "run", settings=QUICK)
    records = training.records()
    next(records)
    records.close()
    file = data / "masks" / "train" / "003.png"
    Image.fromarray(np.asarray(Image.open(file))[::-1]).save(file)
    with pytest.raises(saccade.InputError, match="are not those"):
        saccade.train(resume=tmp_path / "run")


@pytest.mark.parametrize(
    "settings",
    [
        {"loss.name": "focal"},
        {"loss.name": "dice", "segment.depth": 16},
        {"loss.class_weights": "balanced", "segment.dice": 0.0},
        {"segment.stride": 32, "model.backbone": "resnet", "data.size": "64x64"},
        {"model.mirror": True, "data.validation": 0.0},
        {"segment.fit": "tiles", "data.size": "24x32", "segment.overlap": 0.5},
    ],
    ids=lambda one: "-".join(map(str, one.values())),
)
def test_what_else_can_be_chosen_lowers_the_loss(box_folder, tmp_path, settings):
    """Two epochs to learn, and one picture of another size answered at that size."""
    settings = QUICK | {"train.epochs": 6, "model.dropout": 0.0} | settings
    training = saccade.Training(box_folder, task="segment", out=tmp_path / "run", settings=settings)
    losses = [record.loss for record in training.records()]
    run = training.finish()
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:3])
    picture = tmp_path / "large.png"
    Image.open(box_folder / "val" / "000.png").resize((101, 83)).save(picture)
    (one,) = saccade.load(run.folder).segment([picture])
    assert one.mask.shape == (83, 101) and sum(one.pixels.values()) == 83 * 101
    assert (run.validation is None) == (settings.get("data.validation") == 0.0)


def test_tiles_answer_a_picture_larger_than_what_was_learned(unbroken, box_folder, tmp_path):
    """A picture four times as large, of four pictures, is answered as those, but for the seams."""
    settings = QUICK | {"segment.fit": "tiles", "data.size": "48x72", "train.epochs": 12}
    run = saccade.train(box_folder, task="segment", out=tmp_path / "run", settings=settings)
    files = sorted((box_folder / "val").glob("*.png"))[:4]
    rows = [np.hstack([np.asarray(Image.open(one)) for one in files[n : n + 2]]) for n in (0, 2)]
    Image.fromarray(np.vstack(rows)).save(tmp_path / "four.png")
    (whole,) = run.model.segment([tmp_path / "four.png"])
    alone = [one.mask for one in run.model.segment(files)]
    joined = np.vstack([np.hstack(alone[:2]), np.hstack(alone[2:])])
    assert (whole.mask == joined).mean() > 0.85 and len(np.unique(joined)) > 1
