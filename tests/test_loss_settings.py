"""The settings of [loss]: what reaches the loss, from a recipe to a run."""

import math
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

import saccade
from saccade.api.procedures import PROCEDURES
from saccade.api.train import Training
from saccade.cli.app import main
from saccade.config import Recipe, override, settings
from saccade.losses import LOGIT_LOSSES, PAIR_LOSSES, VECTOR_LOSSES
from saccade.losses.class_weights import CLASS_WEIGHTS
from saccade.tasks.networks import build_network
from tests.conftest import CLASSES

CARD = {"backbone": "small_resnet", "width": 4, "channels": 3, "size_hw": [24, 24]}
KINDS = {
    "classify": {"kind": "classifier", "classes": list(CLASSES)},
    "embed": {"kind": "network", "dimension": 8},
}
NAMES = [
    *(("classify", name) for name in LOGIT_LOSSES if name != "hierarchical_cross_entropy"),
    *(("embed", name) for name in VECTOR_LOSSES | PAIR_LOSSES),
]
SHORT = {
    "model.width": 4,
    "model.dimension": 8,
    "train.epochs": 1,
    "train.threads": 1,
    "train.precision": "float32",
}
# What each loss has when nothing is set; the first of those that it takes is its margin.
DEFAULTS = {
    "cross_entropy": {"smoothing": 0.1},
    "hinge": {"margin": 1.0},
    "focal": {"gamma": 2.0},
    "arcface": {"inner.margin": math.radians(math.degrees(0.3)), "inner.scale": 16.0},
    "triplet": {"inner.margin": 0.3},
    "triplet_semi_hard": {"inner.margin": 0.3, "miner.margin": 0.3},
    "contrastive": {"margin": 1.0},
    "lossless_triplet": {"beta": 4.0, "epsilon": 1e-8},
}


def criterion(task, **given):
    """The loss that a recipe's task trains with, for six classes of ten pictures."""
    values = {"task": task} | {f"loss.{key}": value for key, value in given.items()}
    recipe = override(Recipe(), values.items(), where="test")
    network = build_network(CARD | KINDS[task])
    return PROCEDURES[task](recipe).task(network, counts=[10] * 6, card=KINDS[task]).criterion


def seen(loss, names):
    return {
        name: getattr(loss.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2])
        for name in names
    }


@pytest.mark.parametrize(("task", "name"), NAMES)
def test_without_settings_a_loss_has_its_own_defaults(task, name):
    found = seen(criterion(task, name=name), DEFAULTS[name])
    assert found == pytest.approx(DEFAULTS[name], rel=1e-12)


@pytest.mark.parametrize(("task", "name"), NAMES)
def test_a_margin_that_is_set_reaches_every_loss_that_has_one(task, name):
    places = [place for place in DEFAULTS[name] if "margin" in place]
    found = seen(criterion(task, name=name, margin=0.7), places)
    assert found == pytest.approx(dict.fromkeys(places, 0.7), rel=1e-12)


def test_the_other_settings_reach_their_losses():
    assert criterion("classify", smoothing=0.3).smoothing == 0.3
    assert criterion("classify", name="focal", gamma=0.5).gamma == 0.5
    assert criterion("embed", scale=30).inner.scale == 30


@pytest.mark.parametrize("task", KINDS)
def test_auto_is_the_loss_that_it_was(task):
    wanted = {"classify": "cross_entropy", "embed": "arcface"}[task]
    assert type(criterion(task)) is type(criterion(task, name=wanted))


@pytest.mark.parametrize(("task", "name"), NAMES)
def test_every_loss_trains_a_run(class_folders, tmp_path, task, name):
    changes = SHORT | {"loss.name": name}
    training = Training(class_folders, task=task, out=tmp_path / "run", settings=changes)
    assert all(
        math.isfinite(record.loss) and record.gradient_norm > 0 for record in training.records()
    )
    assert training.finish().validation is not None


def test_the_ways_to_weigh_classes_are_those_of_the_setting():
    assert settings()["loss.class_weights"].choices == tuple(CLASS_WEIGHTS)


def test_balanced_weights_come_from_the_pictures_that_are_learned_from(class_folders, tmp_path):
    data = shutil.copytree(class_folders, tmp_path / "data")
    for number, label in enumerate(CLASSES[:3]):
        for file in sorted((data / label).iterdir())[: number + 2]:
            file.unlink()
    changes = SHORT | {"loss.class_weights": "balanced"}
    training = Training(data, task="classify", out=tmp_path / "run", settings=changes)
    kept = [sample.label for sample in training.data.kept]
    assert len(set(Counter(kept).values())) > 1
    wanted = compute_class_weight("balanced", classes=np.array(training.data.classes), y=kept)
    weights = training.learner.task.criterion.class_weights
    torch.testing.assert_close(weights, torch.tensor(wanted).float())
    assert not any("class_weights" in name for name in training.learner.task.state_dict())
    assert all(math.isfinite(record.loss) for record in training.records())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--loss.name", "arcface", "--task", "classify"],
            "loss 'arcface' does not fit task classify; "
            "take one of: cross_entropy, focal, hierarchical_cross_entropy, hinge",
        ),
        (["--loss.name", "hinge"], "loss 'hinge' does not fit task embed; take one of: arcface, "),
        (["--loss.name", "squared"], "loss 'squared' does not fit task embed; take one of: "),
        (["--loss.name", "contrastiv"], "no loss for task embed 'contrastiv'; did you mean 'contr"),
        (
            ["--loss.name", "hierarchical_cross_entropy", "--task", "classify"],
            "hierarchical_cross_entropy needs a tree of the classes; name one with data.tree",
        ),
        (["--loss.class_weights", "balanced"], "loss.class_weights is for task classify; "),
        (["--loss.margin", "-1"], "loss.margin must be auto or 0 to 3. Got '-1' instead"),
    ],
)
def test_a_loss_that_does_not_serve_is_refused_before_anything_is_written(
    class_folders, tmp_path, capsys, words, said
):
    assert main(["train", str(class_folders), "--out", str(tmp_path / "run"), *words]) == 2
    told = capsys.readouterr().err
    assert said in " ".join(told.split())
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_of_before_keeps_its_margin(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text("[loss]\nname = 'triplet'\nmargin = 0.2\n")
    assert saccade.read_recipe(file).loss.margin == 0.2
