"""Every activation: value, derivative, range, saturation and cost, against the definition."""

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from saccade.errors import UnknownNameError
from saccade.nn.activation_layers import SwishBeta
from saccade.nn.activations import ACTIVATIONS, SATURATED, activation_costs, make_activation

GRID = torch.linspace(-30, 30, 6001, dtype=torch.float64)  # steps of 0.01
# At these the derivative jumps; a difference across one says nothing.
KINKS = torch.tensor([-3.0, -2.5, 0.0, 2.5, 3.0, 6.0], dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def normal_share(x):
    return math.erfc(-x / math.sqrt(2)) / 2


def selu(x):
    alpha, scale = 1.6732632423543772848, 1.0507009873554804934
    return scale * (x if x > 0 else alpha * math.expm1(x))


# The definitions, one number at a time; softmax: beside one other channel, which is 0.
DEFINITIONS = {
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: min(1.0, max(0.0, 0.2 * x + 0.5)),
    "tanh": math.tanh,
    "softmax": sigmoid,
    "softplus": softplus,
    "relu": lambda x: max(0.0, x),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "prelu": lambda x: x if x > 0 else 0.25 * x,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "selu": selu,
    "swish": lambda x: x * sigmoid(x),
    "swish_beta": lambda x: x * sigmoid(x),
    "hard_swish": lambda x: x * min(6.0, max(0.0, x + 3)) / 6,
    "relu6": lambda x: min(6.0, max(0.0, x)),
    "mish": lambda x: x * math.tanh(softplus(x)),
    "gelu": lambda x: x * normal_share(x),
}
everyone = pytest.mark.parametrize("name", ACTIVATIONS)


def along(name, values, function):
    """``function`` of numbers (n,), as channel 0; softmax gets a second channel of zeros."""
    if name != "softmax":
        return function(values)
    return function(torch.stack([values, torch.zeros_like(values)], 1))[:, 0]


def made(name, dtype=torch.float64):
    return ACTIVATIONS[name].make().to(dtype)


@everyone
def test_the_value_is_that_of_the_definition(name):
    found = along(name, GRID, made(name)).detach().numpy()
    expected = [DEFINITIONS[name](x) for x in GRID.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@everyone
def test_the_derivative_is_the_slope_of_the_value(name):
    values = GRID.clone().requires_grad_()
    along(name, values, made(name)).sum().backward()
    slope = along(name, GRID, ACTIVATIONS[name].slope)
    smooth = (GRID[:, None] - KINKS).abs().amin(1) > 1e-9
    torch.testing.assert_close(values.grad[smooth], slope[smooth], rtol=1e-7, atol=1e-8)


@everyone
def test_gradients_are_those_of_finite_differences(name):
    draw = torch.Generator().manual_seed(0)
    values = 3 * torch.randn(4, 5, generator=draw, dtype=torch.float64)
    assert (values[..., None] - KINKS).abs().min() > 1e-3
    module = made(name)
    inputs = (values.requires_grad_(), *module.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: module(x), inputs)


@everyone
def test_the_slope_stays_below_the_limit_where_it_is_said_to_and_only_there(name):
    row = ACTIVATIONS[name]
    flat = along(name, GRID, row.slope).abs() < SATURATED
    lowest = float(GRID[~flat].min())
    highest = float(GRID[~flat].max())
    below = [to for start, to in row.saturation if start == -math.inf]
    above = [start for start, to in row.saturation if to == math.inf]
    assert len(below) + len(above) == len(row.saturation)
    assert below == ([pytest.approx(lowest, abs=0.011)] if flat[0] else [])
    assert above == ([pytest.approx(highest, abs=0.011)] if flat[-1] else [])


@everyone
def test_values_fill_the_range(name):
    left, low, high, right = re.fullmatch(
        r"([\[(])(\S+), (\S+)([\])])", ACTIVATIONS[name].range
    ).groups()
    low, high = (float(end.replace("∞", "inf")) for end in (low, high))
    values = along(name, GRID, made(name)).detach()
    assert values.min() >= low - 1e-4 and values.max() <= high + 1e-4
    assert values.min() < (low + 1e-3 if low > -math.inf else -0.2)
    assert values.max() > (high - 1e-3 if high < math.inf else 20)
    # A bound that belongs to the range is met near 0; tanh(4.5) is 2.5e-4 from its own.
    assert (left == "[") == bool(values[GRID.abs() <= 4.5].min() < low + 5e-5)
    assert (right == "]") == bool(values[GRID.abs() <= 6].max() > high - 1e-6)


@everyone
def test_zero_centred_are_those_whose_mean_for_normal_values_is_zero(name):
    weight = torch.exp(-(GRID**2) / 2) / math.sqrt(2 * math.pi)
    mean = torch.trapezoid(along(name, GRID, made(name)).detach() * weight, GRID)
    assert ACTIVATIONS[name].zero_centred == (abs(float(mean)) < 0.01)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float32,
        pytest.param(torch.bfloat16, marks=pytest.mark.slow),
        pytest.param(torch.float64, marks=pytest.mark.slow),
    ],
)
@everyone
def test_large_values_and_their_gradients_are_finite(name, dtype):
    values = torch.tensor([[-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4]], dtype=dtype).requires_grad_()
    module = made(name, dtype)
    found = module(values)
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(values.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())
    if name != "softmax":
        expected = [DEFINITIONS[name](x) for x in values.flatten().tolist()]
        np.testing.assert_allclose(
            found.detach().double().flatten(), expected, rtol=1e-2, atol=1e-6
        )


@everyone
def test_shape_order_and_an_empty_batch_are_kept(name):
    module = made(name)
    assert module(torch.empty(0, 3, 4, 5, dtype=torch.float64)).shape == (0, 3, 4, 5)
    values = torch.randn(5, 3, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(module(values).flip(0), module(values.flip(0)))


def test_softmax_sums_to_one_over_channels_and_does_not_see_a_shift():
    values = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    found = made("softmax")(values)
    torch.testing.assert_close(found.sum(1), torch.ones(4, 2, 2, dtype=torch.float64))
    torch.testing.assert_close(made("softmax")(values + 1e4), found, rtol=1e-8, atol=0)


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_the_derivative_at_zero_is_zero(name):
    value = torch.zeros(1, requires_grad=True)
    ACTIVATIONS[name].make()(value).backward()
    assert float(value.grad) == 0 == float(ACTIVATIONS[name].slope(torch.zeros(1)))


@pytest.mark.parametrize("slope", [1 / 6, 0.5])
def test_the_slope_of_hard_sigmoid_can_be_set(slope):
    found = ACTIVATIONS["hard_sigmoid"].make(slope=slope)(GRID)
    expected = [min(1, max(0, slope * x + 0.5)) for x in GRID.tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    if slope == 1 / 6:
        torch.testing.assert_close(found, nn.functional.hardsigmoid(GRID))


def test_the_beta_of_swish_is_learned():
    module = SwishBeta().double()
    optimiser = torch.optim.SGD(module.parameters(), lr=4)
    values = torch.linspace(-4, 4, 41, dtype=torch.float64)
    for _ in range(60):
        optimiser.zero_grad()
        (module(values) - values * torch.sigmoid(1.7 * values)).square().mean().backward()
        optimiser.step()
    assert module.beta.item() == pytest.approx(1.7, abs=0.02)


@everyone
def test_in_a_network_it_gives_the_same_also_in_place(name):
    values = torch.randn(3, 4, 2, 2)
    torch.testing.assert_close(
        make_activation(name)(values.clone()), made(name, torch.float32)(values)
    )


def test_costs_are_of_every_activation_and_relative_to_relu():
    costs = activation_costs()
    assert set(costs) == set(ACTIVATIONS)
    assert all(0 < cost < 100 for cost in costs.values())
    assert costs["relu"] == pytest.approx(1, abs=0.1)


def test_a_typing_mistake_gets_the_nearest_name():
    with pytest.raises(
        UnknownNameError, match="no activation 'leeky_relu'; did you mean 'leaky_relu'"
    ):
        make_activation("leeky_relu")
