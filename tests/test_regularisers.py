"""Regularisers: each against its definition, and what holds after every step of a run."""

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Lasso
from torch import nn

import saccade
from saccade.augment import Augment
from saccade.config import settings
from saccade.data.batches import ShuffledBatches
from saccade.optim import (
    OPTIMISERS,
    REGULARISERS,
    after_step,
    make_optimiser,
    takes_whole_loss,
)
from saccade.tasks.classify import ClassifyNetwork, ClassifyTask
from saccade.training.draws import own_draws
from saccade.training.loop import train
from tests.descents import RATES, SmallCNN
from tests.runs import weights_of

STILL = Augment(rotate=0, scale=0, shift=0, flip=0, brightness=0, contrast=0, erase=0)
BATCHWISE = [name for name in OPTIMISERS if not takes_whole_loss(name)]


@pytest.mark.parametrize("name", REGULARISERS)
def test_every_row_says_what_it_is_and_names_its_setting(name):
    entry = REGULARISERS[name]
    assert entry.definition and entry.source and entry.range and entry.note
    assert any(setting in entry.note for setting in settings())


def sgd(module, lr=0.1):
    return make_optimiser([module], name="sgd", lr=lr, weight_decay=0.0)


# L1


@pytest.mark.parametrize("strength", [0.02, 0.5])
def test_the_step_of_l1_finds_the_least_of_its_penalty_and_the_squared_distance(strength):
    torch.manual_seed(0)
    layer = nn.Linear(5, 4).double()
    before = copy.deepcopy(layer)
    REGULARISERS["l1"].make(l1=strength)(sgd(layer, lr=0.4))
    assert torch.equal(layer.bias, before.bias)
    found = layer.weight.detach().flatten().tolist()
    for start, end in zip(before.weight.detach().flatten().tolist(), found, strict=True):
        least = minimize_scalar(
            lambda w, start=start: (w - start) ** 2 / 2 + 0.4 * strength * abs(w),
            bounds=(-1, 1),
            method="bounded",
            options={"xatol": 1e-12},
        )
        assert end == pytest.approx(least.x, abs=1e-6)


def test_descent_with_l1_ends_in_the_lasso():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(80, 12))
    goals = inputs @ np.where(np.arange(12) < 4, 2.0, 0.0) + draw.normal(size=80)
    peer = Lasso(alpha=0.2, tol=1e-12, max_iter=100_000).fit(inputs, goals)
    model = nn.Linear(12, 1).double()
    optimiser, penalty = sgd(model, lr=0.2), REGULARISERS["l1"].make(l1=0.2)
    for _ in range(500):
        optimiser.zero_grad()
        residuals = model(torch.from_numpy(inputs))[:, 0] - torch.from_numpy(goals)
        (residuals.square().mean() / 2).backward()
        optimiser.step()
        penalty(optimiser)
    found = model.weight.detach().numpy()[0]
    np.testing.assert_allclose(found, peer.coef_, atol=1e-8)
    assert np.count_nonzero(found == 0) > 2 and np.array_equal(found == 0, peer.coef_ == 0)


# Max norm


def norms(module):
    return torch.cat([p.detach().flatten(1).norm(dim=1) for p in module.parameters() if p.ndim > 1])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_max_norm_shortens_long_units_only(layout):
    torch.manual_seed(0)
    module = SmallCNN().to(memory_format=layout)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    limit = float(norms(module).median())
    REGULARISERS["max_norm"].make(max_norm=limit)(sgd(module))
    shortened = 0
    for name, value in module.named_parameters():
        if value.ndim == 1:
            assert torch.equal(value, before[name])
            continue
        for unit, former in zip(value.detach(), before[name], strict=True):
            length = float(former.norm())
            if length <= limit:
                assert torch.equal(unit, former)
            else:
                torch.testing.assert_close(unit, former * (limit / length))
                shortened += 1
    assert 0 < shortened < len(norms(module))


def test_weights_that_are_kept_are_not_shortened():
    kept, moved = SmallCNN(), SmallCNN()
    before = norms(kept)
    optimiser = make_optimiser(
        [kept, moved], name="sgd", lr=0.1, weight_decay=0.0, slow=kept, slow_share=0.0
    )
    REGULARISERS["max_norm"].make(max_norm=0.1)(optimiser)
    assert torch.equal(norms(kept), before) and float(norms(moved).max()) < 0.11


def start(task, shapes, name, **changes):
    pictures, targets = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2), torch.from_numpy(shapes[1])
    return train(
        task,
        pictures,
        targets,
        batches=ShuffledBatches(len(targets), batch_size=12, seed=0),
        augment=STILL,
        optimiser=make_optimiser([task], name=name, lr=10 * RATES[name], weight_decay=0.01),
        schedule=lambda progress: 1.0,
        epochs=2,
        clip=5.0,
        seed=0,
        **changes,
    )


def build_task(dropout):
    torch.manual_seed(0)
    network = ClassifyNetwork(
        classes=6, backbone="small_resnet", width=4, channels=3, size_hw=(24, 24)
    )
    return ClassifyTask(network, loss="cross_entropy", smoothing=0.1, dropout=dropout)


@pytest.mark.parametrize("name", BATCHWISE)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_no_unit_is_over_the_norm_after_any_step(shapes, name, dropout):
    task = build_task(dropout)
    for _ in start(task, shapes, name, after_step=after_step(l1=0.0, max_norm=0.4)):
        assert float(norms(task).max()) <= 0.4 * (1 + 1e-6)
    assert float(norms(task).max()) > 0.39


def test_a_strength_of_zero_leaves_nothing_to_do():
    assert after_step(l1=0.0, max_norm=0.0) == []
    assert len(after_step(l1=0.1, max_norm=2.0)) == 2


# Weight decay as a term of the loss


def test_the_squared_norm_and_its_gradient():
    torch.manual_seed(0)
    parameters = [torch.randn(s, dtype=torch.float64) for s in ((3, 4), (5,), (2, 1, 2, 2))]
    penalty = REGULARISERS["weight_decay"].make(weight_decay=0.3)
    wanted = 0.15 * (np.square(parameters[0].numpy()).sum() + (parameters[2].numpy() ** 2).sum())
    assert float(penalty(parameters)) == pytest.approx(float(wanted), rel=1e-12)
    leaves = [p.requires_grad_() for p in parameters]
    assert torch.autograd.gradcheck(lambda *given: penalty(given), leaves)
    assert float(penalty([parameters[1]])) == 0 and float(penalty([])) == 0


# Dropout


def test_dropout_keeps_the_mean_drops_its_share_and_rests_in_eval():
    features = torch.ones(400, 100)
    drop = REGULARISERS["dropout"].make(p=0.3)
    with own_draws(0):
        found = drop(features)
    assert found.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert float((found == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(drop.eval()(features), features)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_dropout_changes_training_and_nothing_else_that_is_drawn(shapes, name):
    ends = []
    for dropout in (0.0, 0.5, 0.5):
        task = build_task(dropout)
        torch.manual_seed(len(ends))
        before = torch.get_rng_state()
        list(start(task, shapes, name))
        assert torch.equal(torch.get_rng_state(), before)
        ends.append(torch.cat([p.detach().flatten() for p in task.parameters()]))
    assert torch.equal(ends[1], ends[2]) and not torch.equal(ends[0], ends[1])


SMALL = {
    "train.epochs": 3,
    "train.threads": 1,
    "train.precision": "float32",
    "train.batch_size": 10,
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 4,
    "model.width": 4,
    "model.dimension": 8,
}
ALL = {"model.dropout": 0.4, "optim.l1": 0.5, "optim.max_norm": 0.5, "train.patience": 2}


@pytest.mark.parametrize("task", ["classify", "embed"])
def test_a_run_with_all_of_them_is_resumed_to_the_bit(class_folders, tmp_path, task):
    given = SMALL | ALL | {"task": task}
    whole = saccade.train(class_folders, out=tmp_path / "whole", settings=given)
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=given)
    records = training.records()
    for _ in range(5):
        next(records)
    records.close()
    saccade.train(resume=tmp_path / "run")
    assert weights_of(tmp_path / "run") == weights_of(whole.folder)
    backbone = whole.model.network.backbone
    assert float(norms(backbone).max()) <= 0.5 * (1 + 1e-6)
    assert any(bool((p == 0).any()) for p in backbone.parameters() if p.ndim > 1)
