"""Layers: against loops over every place, finite differences, and what all of them keep."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from saccade.nn.layers import LAYERS
from saccade.nn.locally_connected import LocallyConnected

# What each is built with, by case; maps are (n, 4, 6, 7).
CASES = {
    "linear": {"in_features": 5, "out_features": 3},
    "conv": {"in_channels": 4, "out_channels": 6, "kernel_size": 3},
    "conv, padded, strided": {
        "in_channels": 4, "out_channels": 6, "kernel_size": 3, "padding": 2, "stride": 2,
    },
    "conv, dilated": {"in_channels": 4, "out_channels": 2, "kernel_size": 2, "dilation": 3},
    "conv, 1x1": {"in_channels": 4, "out_channels": 6, "kernel_size": 1},
    "conv, grouped": {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "groups": 2},
    "transposed_conv": {"channels_in": 4, "channels_out": 3},
    "transposed_conv, three": {"channels_in": 4, "channels_out": 4, "factor": 3},
    "locally_connected": {"channels_in": 4, "channels_out": 3, "size": 3, "size_hw": (6, 7)},
    "locally_connected, padded, strided": {
        "channels_in": 4, "channels_out": 3, "size": 2, "size_hw": (6, 7), "padding": 1,
        "stride": 2,
    },
    "max_pool": {"kernel_size": 2},
    "max_pool, overlapping": {"kernel_size": 3, "stride": 2},
    "avg_pool": {"kernel_size": 2},
    "avg_pool, overlapping": {"kernel_size": 3, "stride": 1},
    "global_avg_pool": {},
    "global_max_pool": {},
}  # fmt: skip
everyone = pytest.mark.parametrize("case", CASES)


def made(case, dtype=torch.float64):
    torch.manual_seed(0)
    return LAYERS[case.partition(",")[0]].build(**CASES[case]).to(dtype)


def values(case, count=3, dtype=torch.float64):
    draw = torch.Generator().manual_seed(1)
    shape = (5,) if case == "linear" else (4, 6, 7)
    return torch.randn(count, *shape, generator=draw, dtype=torch.float64).to(dtype)


def windows(x, size, stride=1, padding=0, dilation=1):
    """Yield (row, column, (n, c, size, size) window) for every place, from x (n, c, H, W)."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    reach = (size - 1) * dilation + 1
    for row, top in enumerate(range(0, x.shape[2] - reach + 1, stride)):
        for column, left in enumerate(range(0, x.shape[3] - reach + 1, stride)):
            yield row, column, x[:, :, top : top + reach : dilation, left : left + reach : dilation]


def convolved(x, layer):
    """By the sum over windows, of a group's channels each."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    found = {}
    out, per_group = len(weight), weight.shape[1]
    for row, column, window in windows(
        x, weight.shape[2], layer.stride[0], layer.padding[0], layer.dilation[0]
    ):
        for o in range(out):
            first = o // (out // layer.groups) * per_group
            seen = window[:, first : first + per_group]
            found[o, row, column] = (seen * weight[o]).sum((1, 2, 3)) + bias[o]
    return gathered(found)


def locally_connected(x, layer):
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    found = {}
    places = windows(x, layer.kernel_size, layer.stride, layer.padding)
    for place, (row, column, window) in enumerate(places):
        for o in range(weight.shape[1]):
            seen = window.reshape(len(x), -1)
            found[o, row, column] = seen @ weight[place, o] + bias[o, row, column]
    return gathered(found)


def transposed(x, layer):
    """Each input value lays its kernel, so many times itself, over the output."""
    weight, step, cut = layer.weight.detach().numpy(), layer.stride[0], layer.padding[0]
    _, out, size, _ = weight.shape
    sides = [(side - 1) * step + size for side in x.shape[2:]]
    found = np.zeros((len(x), out, *sides))
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            laid = np.einsum("nc,cohw->nohw", x[:, :, row, column], weight)
            found[:, :, row * step : row * step + size, column * step : column * step + size] += (
                laid
            )
    found += layer.bias.detach().numpy()[:, None, None]
    return found[:, :, cut : sides[0] - cut, cut : sides[1] - cut]


def pooled(x, layer, reduce):
    found = {}
    for row, column, window in windows(x, layer.kernel_size, layer.stride):
        for channel in range(x.shape[1]):
            found[channel, row, column] = reduce(window[:, channel], axis=(1, 2))
    return gathered(found)


def gathered(found):
    """{(channel, row, column): (n,)} → (n, channels, rows, columns)."""
    sides = [1 + max(key[axis] for key in found) for axis in range(3)]
    whole = np.empty((len(next(iter(found.values()))), *sides))
    for (channel, row, column), numbers in found.items():
        whole[:, channel, row, column] = numbers
    return whole


REFERENCES = {
    "linear": lambda x, layer: x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy(),
    "conv": convolved,
    "transposed_conv": transposed,
    "locally_connected": locally_connected,
    "max_pool": lambda x, layer: pooled(x, layer, np.max),
    "avg_pool": lambda x, layer: pooled(x, layer, np.mean),
    "global_avg_pool": lambda x, layer: x.mean((2, 3)),
    "global_max_pool": lambda x, layer: x.max((2, 3)),
}


def test_every_row_has_a_case_and_a_reference():
    assert {case.partition(",")[0] for case in CASES} == set(LAYERS) == set(REFERENCES)


@everyone
def test_a_layer_is_its_definition(case):
    layer, x = made(case), values(case)
    expected = REFERENCES[case.partition(",")[0]](x.numpy(), layer)
    np.testing.assert_allclose(layer(x).detach(), expected, rtol=1e-9, atol=1e-9)


@everyone
def test_gradients_are_those_of_finite_differences(case):
    layer, x = made(case), values(case, count=2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, *_: layer(x), (x, *layer.parameters()), fast_mode=True
    )


@everyone
def test_order_and_an_empty_batch_are_kept(case):
    layer, x = made(case), values(case)
    torch.testing.assert_close(layer(x.flip(0)), layer(x).flip(0))
    assert layer(x[:0]).shape == (0, *layer(x).shape[1:])


@pytest.mark.parametrize(
    "dtype", [torch.float32, pytest.param(torch.bfloat16, marks=pytest.mark.slow)]
)
@everyone
def test_large_values_stay_finite(case, dtype):
    layer, x = made(case, dtype), values(case, dtype=dtype).sign() * 1e4
    found = layer(x.requires_grad_())
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(x.grad).all()


def test_a_locally_connected_layer_with_one_kernel_is_a_convolution():
    conv = nn.Conv2d(4, 3, 3, 2, 1).double()
    layer = LocallyConnected(4, 3, 3, size_hw=(6, 7), stride=2, padding=1).double()
    with torch.no_grad():
        layer.weight[:] = conv.weight.flatten(1)
        layer.bias[:] = conv.bias[:, None, None]
    x = values("conv")
    torch.testing.assert_close(layer(x), conv(x))


def test_a_locally_connected_layer_begins_as_torch_begins_a_convolution():
    torch.manual_seed(0)
    layer = LocallyConnected(4, 8, 3, size_hw=(12, 12))
    conv = nn.Conv2d(4, 800, 3)
    for name in ("weight", "bias"):
        ours, theirs = getattr(layer, name), getattr(conv, name)
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)
        assert ours.abs().max() <= 1 / math.sqrt(36)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_transposed_convolution_begins_as_interpolation(factor):
    layer = LAYERS["transposed_conv"].make(channels_in=4, channels_out=4, factor=factor)
    x = values("transposed_conv", dtype=torch.float32)
    expected = interpolate(x, scale_factor=factor, mode="bilinear")
    inner = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(layer(x)[inner], expected[inner])
    assert layer(x).shape == expected.shape and layer.weight.requires_grad
