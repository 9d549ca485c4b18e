"""Every optimiser against its rule, written once more by hand in float64."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from saccade.optim import OPTIMISERS, make_optimiser, takes_whole_loss
from saccade.optim.muon import orthogonalised
from tests.descents import RATES, SmallCNN, Valley, advance

DRAW = np.random.default_rng(5)
INPUTS, GOALS = DRAW.normal(size=(12, 4)), DRAW.normal(size=(12, 3))
FIRST = {"weight": DRAW.normal(size=(3, 4)), "bias": DRAW.normal(size=3)}
LR, DECAY, STEPS = 0.03, 0.2, 3


class LogCosh(nn.Linear):
    """Mean of log cosh of the residuals of a linear map: smooth, convex, curved everywhere."""

    def __init__(self):
        super().__init__(4, 3, dtype=torch.float64)
        self.load_state_dict({k: torch.from_numpy(v) for k, v in FIRST.items()})

    def loss(self):
        return torch.cosh(self(torch.from_numpy(INPUTS)) - torch.from_numpy(GOALS)).log().mean()


def slopes(weights):
    """The gradient of LogCosh by hand."""
    residuals = np.tanh(INPUTS @ weights["weight"].T + weights["bias"] - GOALS) / GOALS.size
    return {"weight": residuals.T @ INPUTS, "bias": residuals.sum(0)}


def by_element(rule, decoupled=False):
    """Apply ``rule(gradient, memory, step)``, which gives the change, to each parameter."""

    def run():
        weights = {k: v.copy() for k, v in FIRST.items()}
        memory = {k: {} for k in weights}
        for step in range(1, STEPS + 1):
            gradients = slopes(weights)
            for name, gradient in gradients.items():
                decay = DECAY if name == "weight" else 0.0
                if decoupled:
                    weights[name] *= 1 - LR * decay
                else:
                    gradient = gradient + decay * weights[name]
                weights[name] = weights[name] + rule(gradient, memory[name], step)
        return weights

    return run


def plain(g, memory, step):
    return -LR * g


def heavy_ball(g, memory, step):
    memory["b"] = 0.9 * memory.get("b", 0) + g
    return -LR * memory["b"]


def nesterov(g, memory, step):
    memory["b"] = 0.9 * memory.get("b", 0) + g
    return -LR * (g + 0.9 * memory["b"])


def adagrad(g, memory, step):
    memory["v"] = memory.get("v", 0) + g * g
    return -LR * g / (np.sqrt(memory["v"]) + 1e-10)


def adadelta(g, memory, step):
    memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g * g
    u = memory.get("u", np.zeros_like(g))
    change = np.sqrt(u + 1e-6) / np.sqrt(memory["v"] + 1e-6) * g
    memory["u"] = 0.9 * u + 0.1 * change * change
    return -LR * change


def rmsprop(g, memory, step):
    memory["v"] = 0.99 * memory.get("v", 0) + 0.01 * g * g
    return -LR * g / (np.sqrt(memory["v"]) + 1e-8)


def adam(g, memory, step):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g * g
    mean, square = memory["m"] / (1 - 0.9**step), memory["v"] / (1 - 0.999**step)
    return -LR * mean / (np.sqrt(square) + 1e-8)


def nadam(g, memory, step):
    now, ahead = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * t)) for t in (step, step + 1))
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g * g
    memory["p"] = memory.get("p", 1) * now
    mean = ahead * memory["m"] / (1 - memory["p"] * ahead) + (1 - now) * g / (1 - memory["p"])
    return -LR * mean / (np.sqrt(memory["v"] / (1 - 0.999**step)) + 1e-8)


def muon(g, memory, step):
    """Newton-Schulz acts on each singular value alone, so here through them."""
    if g.ndim == 1:
        return adam(g, memory, step)
    memory["b"] = 0.95 * memory.get("b", 0) + 0.05 * g
    ahead = 0.95 * memory["b"] + 0.05 * g
    left, values, right = np.linalg.svd(ahead, full_matrices=False)
    values = values / (np.linalg.norm(values) + 1e-7)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return -LR * 0.2 * math.sqrt(max(g.shape)) * (left * values) @ right


REFERENCES = {
    "adadelta": by_element(adadelta),
    "adagrad": by_element(adagrad),
    "adam": by_element(adam),
    "adamw": by_element(adam, decoupled=True),
    "asgd": by_element(plain),
    "gd": by_element(plain),
    "momentum": by_element(heavy_ball),
    "muon": by_element(muon, decoupled=True),
    "nadam": by_element(nadam),
    "nesterov": by_element(nesterov),
    "rmsprop": by_element(rmsprop),
    "sgd": by_element(plain),
}


def test_every_row_is_held_here():
    assert set(REFERENCES) | {"lbfgs", "newton"} == set(OPTIMISERS) == set(RATES)
    for entry in OPTIMISERS.values():
        assert entry.definition and entry.source and "lr " in entry.note


@pytest.mark.parametrize("name", REFERENCES)
def test_three_steps_follow_the_rule(name):
    model = LogCosh()
    optimiser = make_optimiser([model], name=name, lr=LR, weight_decay=DECAY)
    for _ in range(STEPS):
        advance(optimiser, model.loss)
    for key, wanted in REFERENCES[name]().items():
        found = model.state_dict()[key].numpy()
        moved = np.abs(wanted - FIRST[key]).max()
        assert moved > 1e-4
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7 * moved)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_goes_down_the_valley_of_rosenbrock(name):
    valley = Valley()
    lr = {"asgd": 1e-3, "gd": 1e-3, "sgd": 1e-3, "momentum": 2e-4, "nesterov": 2e-4}
    optimiser = make_optimiser([valley], name=name, lr=lr.get(name, RATES[name]), weight_decay=0.0)
    for _ in range(80 if takes_whole_loss(name) else 400):
        advance(optimiser, valley)
    limit = 1e-12 if takes_whole_loss(name) else 4.2
    assert float(Valley()().detach()) > 24.19 and float(valley().detach()) < limit


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_lowers_the_loss_of_a_small_network(name):
    task = SmallCNN()
    optimiser = make_optimiser([task], name=name, lr=RATES[name], weight_decay=1e-3)
    losses = [advance(optimiser, task) for _ in range(25)]
    assert losses[0] > 1 and losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_state_that_is_loaded_goes_on_to_the_bit(name):
    task = SmallCNN()
    optimiser = make_optimiser([task], name=name, lr=RATES[name], weight_decay=1e-3)
    for _ in range(3):
        advance(optimiser, task)
    again = copy.deepcopy(task)
    other = make_optimiser([again], name=name, lr=0.7, weight_decay=0.0)
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    before = torch.cat([p.detach().flatten() for p in again.parameters()])
    for _ in range(3):
        assert advance(optimiser, task) == advance(other, again)
    for one, two in zip(task.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(before, torch.cat([p.detach().flatten() for p in again.parameters()]))


# Muon


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for rows, columns in ((5, 40), (40, 5), (16, 16), (1, 7)):
        matrix = torch.randn(rows, columns, dtype=torch.float64)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        inner = left.T @ orthogonalised(matrix) @ right.T
        large = inner.diagonal()[values > 0.02 * values.norm()]
        assert float(large.min()) > 0.68 and float(large.max()) < 1.14
        assert float(inner.diagonal().min()) > 0
        assert float((inner - inner.diagonal().diag()).abs().max()) < 1e-12
    assert torch.equal(orthogonalised(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_muon_moves_matrices_as_the_one_of_torch_does():
    torch.manual_seed(0)
    first, gradients = torch.randn(6, 9), torch.randn(4, 6, 9)
    ours, theirs = nn.Parameter(first.clone()), nn.Parameter(first.clone())
    settings = {"lr": 0.1, "weight_decay": 0.3}
    optimisers = (
        OPTIMISERS["muon"].build([{"params": [ours], **settings}], lr=0.1),
        torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", nesterov=True, **settings),
    )
    for gradient in gradients:
        for parameter, optimiser in zip((ours, theirs), optimisers, strict=True):
            parameter.grad = gradient.clone()
            optimiser.step()
    ours, theirs = ours.detach(), theirs.detach()
    moved = float((theirs - first).norm())
    assert float((ours - theirs).norm()) < 0.02 * moved  # theirs is rounded to bfloat16


def test_muon_takes_a_kernel_as_a_matrix_in_either_layout():
    torch.manual_seed(0)
    first, gradient = torch.randn(6, 3, 2, 2), torch.randn(6, 3, 2, 2)
    found = []
    for layout in (torch.contiguous_format, torch.channels_last, None):
        weight = first.flatten(1) if layout is None else first.to(memory_format=layout)
        parameter = nn.Parameter(weight.clone())
        parameter.grad = gradient.view(weight.shape).clone()
        optimiser = OPTIMISERS["muon"].build([{"params": [parameter], "weight_decay": 0.1}], lr=0.1)
        optimiser.step()
        assert torch.equal(parameter.grad, gradient.view(weight.shape))
        found.append(parameter.detach().reshape(6, 12))
    assert torch.allclose(found[0], found[2]) and torch.allclose(found[1], found[2])
