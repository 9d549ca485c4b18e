"""Newton and L-BFGS: curvature, directions, line searches, and the optimum of others."""

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn.functional import cross_entropy

from saccade.errors import SettingError
from saccade.optim import make_optimiser
from saccade.optim.newton import newton_direction
from saccade.optim.whole import Objective
from tests.descents import Valley

DECAY = 1e-3


class Bumpy(nn.Module):
    """A small smooth network whose loss is not convex, in float64; one parameter is not used."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        self.idle = nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
        self.inputs = torch.randn(10, 3, dtype=torch.float64)
        self.targets = torch.arange(10) % 2

    def parts(self, *sizes):
        """The loss in parts of so many rows."""
        return lambda: (
            cross_entropy(self.layers(x), y) * len(y) / 10
            for x, y in zip(self.inputs.split(sizes), self.targets.split(sizes), strict=True)
        )

    def dense(self, vector, decay):
        """The loss with its decay as a function of all parameters as one vector."""
        shapes = {name: p.shape for name, p in self.named_parameters()}
        sizes = [shape.numel() for shape in shapes.values()]
        given = {
            name: part.view(shapes[name])
            for name, part in zip(shapes, vector.split(sizes), strict=True)
        }
        inner = {k.removeprefix("layers."): v for k, v in given.items() if k != "idle"}
        logits = torch.func.functional_call(self.layers, inner, (self.inputs,))
        squares = sum(v.square().sum() for v in given.values() if v.ndim > 1)
        return cross_entropy(logits, self.targets) + decay / 2 * squares


@pytest.mark.parametrize("sizes", [(10,), (4, 6), (1, 2, 3, 4)])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_value_gradient_and_curvature_are_those_of_the_whole_loss(sizes, decay):
    model = Bumpy()
    objective = Objective(model.parts(*sizes), list(model.parameters()), weight_decay=decay)
    here = torch.cat([p.detach().flatten() for p in model.parameters()])
    value, gradient = objective.gradient()
    assert value == pytest.approx(float(model.dense(here, decay)), rel=1e-12)
    assert objective.value() == pytest.approx(value, rel=1e-12)
    wanted = torch.autograd.functional.jacobian(lambda v: model.dense(v, decay), here)
    torch.testing.assert_close(gradient, wanted, rtol=1e-10, atol=1e-12)
    hessian = torch.autograd.functional.hessian(lambda v: model.dense(v, decay), here)
    step = torch.randn(len(here), dtype=torch.float64)
    torch.testing.assert_close(objective.curvature(step), hessian @ step, rtol=1e-9, atol=1e-11)


def test_curvature_is_the_finite_difference_of_gradients():
    model = Bumpy()
    objective = Objective(model.parts(5, 5), list(model.parameters()), weight_decay=0.1)
    start = [p.detach().clone() for p in model.parameters()]
    direction = torch.randn(sum(map(torch.numel, start)), dtype=torch.float64)
    wanted = objective.curvature(direction)
    sides = []
    for length in (1e-5, -1e-5):
        objective.move(start, direction, length)
        sides.append(objective.gradient()[1])
    torch.testing.assert_close((sides[0] - sides[1]) / 2e-5, wanted, rtol=1e-6, atol=1e-8)


class Bowl(nn.Module):
    """½ wᵀ A w - bᵀ w over a vector, with eigenvalues as given."""

    def __init__(self, *eigenvalues):
        super().__init__()
        torch.manual_seed(1)
        n = len(eigenvalues)
        turn = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64)).Q
        self.matrix = turn @ torch.tensor(eigenvalues, dtype=torch.float64).diag() @ turn.T
        self.goal = torch.randn(n, dtype=torch.float64)
        self.place = nn.Parameter(torch.zeros(n, dtype=torch.float64))

    def forward(self):
        return self.place @ self.matrix @ self.place / 2 - self.goal @ self.place


def test_the_direction_solves_newtons_equation_as_well_as_it_promises():
    bowl = Bowl(0.01, 0.5, 1.0, 3.0, 20.0)
    objective = Objective(lambda: [bowl()], [bowl.place])
    _, gradient = objective.gradient()
    for shrink in (1.0, 1e-2, 1e-6):
        small = gradient * shrink
        norm = float(small.norm())
        found = newton_direction(objective, small, products=50)
        residual = float((bowl.matrix @ found + small).norm())
        assert residual < min(0.5, norm**0.5) * norm
        assert float(found @ small) < 0
    exact = -torch.linalg.solve(bowl.matrix, small)
    torch.testing.assert_close(found, exact, rtol=1e-2, atol=1e-12)


def test_where_the_curvature_is_negative_the_direction_still_leads_down():
    bowl = Bowl(-1.0, -0.5, 2.0)
    objective = Objective(lambda: [bowl()], [bowl.place])
    for gradient in (bowl.goal, bowl.matrix @ bowl.goal, torch.eye(3, dtype=torch.float64)[0]):
        found = newton_direction(objective, gradient, products=50)
        assert float(found @ gradient) < 0
    ridge = Bowl(-1.0, -1.0, -1.0)  # The first product ends it: steepest descent.
    objective = Objective(lambda: [ridge()], [ridge.place])
    assert torch.equal(newton_direction(objective, ridge.goal, products=5), -ridge.goal)


def test_newton_never_rises_and_backtracks_from_a_length_far_too_long():
    model = Bumpy()
    optimiser = make_optimiser([model], name="newton", lr=1000.0, weight_decay=0.01)
    parts = model.parts(5, 5)
    values = []
    for _ in range(5):
        values.append(optimiser.objective(parts).value())
        optimiser.descend(parts)
    assert values == sorted(values, reverse=True) and values[-1] < 0.9 * values[0]


@pytest.mark.parametrize("name", ["newton", "lbfgs"])
def test_the_loss_is_told_without_its_decay_and_the_gradient_with_it(name):
    model = Bumpy()
    here = torch.cat([p.detach().flatten() for p in model.parameters()])
    optimiser = make_optimiser([model], name=name, lr=1.0, weight_decay=0.3)
    loss, norm = optimiser.descend(model.parts(10))
    assert loss == pytest.approx(float(model.dense(here, 0.0)), rel=1e-12)
    slope = torch.autograd.functional.jacobian(lambda v: model.dense(v, 0.3), here)
    assert norm == pytest.approx(float(slope.norm()), rel=1e-12)


@pytest.mark.parametrize("name", ["newton", "lbfgs"])
def test_weights_stay_where_the_gradient_vanishes_or_is_no_number(name):
    for loss, start in ((lambda w: (w * w).sum(), 0.0), (lambda w: w.sqrt().sum(), -1.0)):
        layer = nn.Linear(2, 1, bias=False)
        nn.init.constant_(layer.weight, start)
        optimiser = make_optimiser([layer], name=name, lr=1.0, weight_decay=0.0)
        optimiser.descend(lambda loss=loss, layer=layer: [loss(layer.weight)])
        if start == 0.0 or name == "newton":
            assert torch.equal(layer.weight, torch.full((1, 2), start))


# L-BFGS


def test_lbfgs_takes_the_direction_of_the_dense_formula_and_keeps_the_wolfe_conditions():
    """Nocedal and Wright, eq. 6.17 with 7.20, and 3.7."""
    valley = Valley()
    optimiser = make_optimiser([valley], name="lbfgs", lr=1.0, weight_decay=0.0)
    places, slopes, values = [], [], []
    for _ in range(9):
        places.append(valley.place.detach().clone().flatten())
        value = valley()
        slopes.append(torch.autograd.grad(value, valley.place)[0].flatten())
        values.append(float(value.detach()))
        optimiser.descend(lambda: [valley()])
    pairs = []
    for k in range(8):
        moved = places[k + 1] - places[k]
        direction = -slopes[k]
        if pairs:
            s, y = pairs[-1]
            inverse = torch.eye(2, dtype=torch.float64) * (s @ y) / (y @ y)
            for s, y in pairs:
                part = torch.eye(2, dtype=torch.float64) - torch.outer(s, y) / (s @ y)
                inverse = part @ inverse @ part.T + torch.outer(s, s) / (s @ y)
            direction = -inverse @ slopes[k]
        length = float(moved @ direction / (direction @ direction))
        torch.testing.assert_close(moved, length * direction, rtol=1e-6, atol=1e-9)
        slope = float(slopes[k] @ moved)
        assert values[k + 1] <= values[k] + 1e-4 * slope
        assert abs(float(slopes[k + 1] @ moved)) <= 0.9 * abs(slope)
        pairs.append((moved, slopes[k + 1] - slopes[k]))


# Softmax regression on digits: one optimum, whoever looks for it


@pytest.fixture(scope="module")
def digits():
    pixels, targets = load_digits(return_X_y=True)
    return torch.from_numpy(pixels / 16), torch.from_numpy(targets)


@pytest.fixture(scope="module")
def optimum(digits):
    """Weights (10, 64) and probabilities by scikit-learn, which counts its loss C·n-fold."""
    pixels, targets = (part.numpy() for part in digits)
    peer = LogisticRegression(C=1 / (DECAY * len(targets)), tol=1e-10, max_iter=5000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(pixels, targets)
    return peer.coef_, peer.predict_proba(pixels)


def solve(name, digits, steps, tolerance):
    """Returns the model and the gradient's norm at each step, in two parts."""
    torch.manual_seed(0)
    model = nn.Linear(64, 10, dtype=torch.float64)
    optimiser = make_optimiser([model], name=name, lr=1.0, weight_decay=DECAY)
    pixels, targets = digits

    def parts():
        for rows in (slice(0, 1000), slice(1000, None)):
            share = len(targets[rows]) / len(targets)
            yield cross_entropy(model(pixels[rows]), targets[rows]) * share

    norms = []
    for _ in range(steps):
        norms.append(optimiser.descend(parts)[1])
        if norms[-1] <= tolerance:
            break
    return model, norms


def test_newton_finds_the_optimum_of_softmax_regression_within_twenty_steps(digits, optimum):
    model, norms = solve("newton", digits, 20, 1e-8)
    assert norms[0] > 0.1 and norms[-1] <= 1e-8
    weights, shares = optimum
    found = model(digits[0]).softmax(1).detach().numpy()
    np.testing.assert_allclose(found, shares, atol=2e-5)
    np.testing.assert_allclose(model.weight.detach().numpy(), weights, atol=2e-4)


def test_lbfgs_finds_the_same_optimum(digits, optimum):
    model, norms = solve("lbfgs", digits, 250, 1e-6)
    assert norms[-1] <= 1e-6
    weights, shares = optimum
    found = model(digits[0]).softmax(1).detach().numpy()
    np.testing.assert_allclose(found, shares, atol=2e-4)
    np.testing.assert_allclose(model.weight.detach().numpy(), weights, atol=2e-3)


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_where_they_end_in_a_bumpy_loss_scipy_finds_no_way_down(name):
    model = Bumpy()
    optimiser = make_optimiser([model], name=name, lr=1.0, weight_decay=0.05)
    norms = [1.0]
    while len(norms) < 300 and norms[-1] > 1e-6:
        norms.append(optimiser.descend(model.parts(3, 7))[1])
    assert norms[-1] <= 1e-6

    def both(vector):
        here = torch.from_numpy(vector).requires_grad_()
        value = model.dense(here, 0.05)
        return float(value.detach()), torch.autograd.grad(value, here)[0].numpy()

    end = torch.cat([p.detach().flatten() for p in model.parameters()])
    hessian = torch.autograd.functional.hessian(lambda v: model.dense(v, 0.05), end)
    assert float(torch.linalg.eigvalsh(hessian).min()) > -1e-8
    peer = minimize(both, end.numpy(), jac=True, method="BFGS", options={"gtol": 1e-9})
    assert both(end.numpy())[0] == pytest.approx(peer.fun, rel=1e-9)


# Parts of a network


@pytest.mark.parametrize("name", ["newton", "lbfgs"])
def test_a_part_can_be_kept_but_not_slowed(name):
    model = Bumpy()
    given = {"name": name, "lr": 1.0, "weight_decay": 0.1, "slow": model.layers[0]}
    with pytest.raises(SettingError, match=r"optim.backbone_lr must be 1 or 0 .* Got 0.5"):
        make_optimiser([model], slow_share=0.5, **given)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimiser = make_optimiser([model], slow_share=0.0, **given)
    optimiser.descend(model.parts(10))
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {"layers.2.weight", "layers.2.bias", "idle"}
    assert all(p.grad is None for p in model.layers[0].parameters())
