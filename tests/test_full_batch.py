"""Runs whose step takes all pictures, and runs that end in the mean of their weights."""

import json

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import saccade
from saccade.augment import Augment
from saccade.data.batches import ShuffledBatches
from saccade.errors import NotFiniteError, SettingError
from saccade.optim import FULL_BATCH, make_optimiser
from saccade.training.loop import train
from saccade.training.run import read_history
from tests.runs import weights_of, without_time

STILL = {
    f"augment.{name}": 0.0
    for name in ("rotate", "scale", "shift", "flip", "brightness", "contrast", "erase")
}
SETTINGS = STILL | {
    "task": "classify",
    "train.epochs": 4,
    "train.threads": 1,
    "data.validation": 0.0,
    "train.batch_size": 10,
    "model.width": 4,
    "optim.lr": 1.0,
    "optim.schedule": "constant",
    "optim.warm_up": 0.0,
}


@pytest.mark.parametrize("name", [*FULL_BATCH, "asgd"])
def test_a_run_takes_its_steps_and_is_resumed_to_the_bit(class_folders, tmp_path, name):
    given = SETTINGS | {"optim.name": name}
    if name in ("gd", "asgd"):
        given |= {"optim.lr": 0.1, "train.precision": "float32"}
    whole = saccade.train(class_folders, out=tmp_path / "whole", settings=given)
    history = read_history(whole.folder)
    assert len(history) == (4 if name in FULL_BATCH else 16)
    if name in FULL_BATCH:
        losses = [record["loss"] for record in history]
        assert losses[-1] < losses[0]
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=given)
    records = training.records()
    for _ in range(len(history) // 2 + 1):
        next(records)
    records.close()
    saccade.train(resume=tmp_path / "run")
    assert weights_of(tmp_path / "run") == weights_of(whole.folder)
    assert without_time(read_history(tmp_path / "run")) == without_time(history)
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["precision"] == "float32"


@pytest.mark.parametrize("name", FULL_BATCH)
def test_an_embedding_takes_each_picture_once(class_folders, tmp_path, name):
    given = SETTINGS | {"task": "embed", "train.epochs": 1, "optim.name": name}
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=given)
    rows = [row for batch in training.batches.epoch(0) for row in batch]
    assert sorted(rows) == list(range(len(training.data.targets)))
    assert training.steps == len(list(training.records())) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optim.name": "gd", "train.accumulate": 2}, "train.accumulate must be 1"),
        ({"optim.name": "newton", "train.batches": "balanced"}, "train.batches auto or shuffled"),
        ({"optim.name": "newton", "augment.shift": 0.1}, "set to 0: augment.shift$"),
        (
            {"optim.name": "lbfgs", "model.dropout": 0.1, "optim.l1": 0.1, "optim.max_norm": 1.0},
            "set to 0: model.dropout, optim.l1, optim.max_norm$",
        ),
        ({"optim.name": "lbfgs", "train.precision": "bfloat16"}, "must be auto or float32"),
        ({"optim.name": "newton", "optim.backbone_lr": 0.5}, "backbone_lr must be 1 or 0"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    class_folders, tmp_path, changes, said
):
    with pytest.raises(SettingError, match=said):
        saccade.train(class_folders, out=tmp_path / "run", settings=SETTINGS | changes)
    assert not (tmp_path / "run").exists()


def test_gradient_descent_may_have_what_the_others_may_not(class_folders, tmp_path):
    given = SETTINGS | {"optim.name": "gd", "augment.flip": 0.5, "model.dropout": 0.2}
    saccade.Training(class_folders, out=tmp_path / "run", settings=given)


def test_the_model_of_asgd_is_the_mean_of_the_weights_after_each_step(class_folders, tmp_path):
    given = SETTINGS | {"optim.name": "asgd"}
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=given)
    weight = training.learner.network.head.weight
    seen = [weight.detach().clone() for _ in training.records()]
    found = training.finish().model.network.head.weight.detach()
    torch.testing.assert_close(found, torch.stack(seen).mean(0), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, seen[-1])


# In the loop


class Counted(nn.Module):
    """Softmax regression behind batch normalisation, which counts what it sees."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.map = nn.BatchNorm1d(3, momentum=None), nn.Linear(3, 6)

    def forward(self, pictures, targets):
        return cross_entropy(self.map(self.norm(pictures.mean((2, 3)))), targets)


def run(shapes, task, name, pictures=None):
    if pictures is None:
        pictures = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2)
    return train(
        task,
        pictures,
        torch.from_numpy(shapes[1]),
        batches=ShuffledBatches(36, batch_size=12, seed=0),
        augment=Augment(**{key.partition(".")[2]: value for key, value in STILL.items()}),
        optimiser=make_optimiser([task], name=name, lr=1.0, weight_decay=1e-3),
        schedule=lambda progress: 1.0,
        epochs=8,
        clip=0.0,
        seed=0,
        accumulate=3,
    )


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_the_loss_falls_at_each_step_and_pictures_are_gathered_once(shapes, name):
    task = Counted()
    records = []
    for record in run(shapes, task, name):
        records.append(record)
        assert int(task.norm.num_batches_tracked) == 3 * len(records)
    losses = [record.loss for record in records]
    assert len(losses) == 8 and losses[-1] < 0.5 * losses[0]
    means = shapes[0].mean((1, 2)) / 255
    assert task.norm.running_mean.tolist() == pytest.approx(means.mean(0).tolist(), rel=1e-4)
    assert all(record.wait_s > 0 and record.pictures_per_s > 0 for record in records)


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_the_first_record_tells_loss_and_gradient_of_the_first_weights(shapes, name):
    records = [next(run(shapes, Counted(), each)) for each in (name, "gd")]
    assert records[0].loss == pytest.approx(records[1].loss, rel=1e-6)
    task = Counted()
    decay = float(1e-3 * task.map.weight.detach().norm())
    assert records[0].gradient_norm == pytest.approx(records[1].gradient_norm, abs=decay)


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_pictures_that_are_not_numbers_stop_the_run(shapes, name):
    pictures = torch.full((36, 3, 24, 24), torch.nan)
    with pytest.raises(NotFiniteError, match="step 0: the loss is nan"):
        list(run(shapes, Counted(), name, pictures))
