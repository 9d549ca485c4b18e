"""The field that is computed is the one that gradients find."""

import itertools

import pytest
import torch
from torch import nn

from saccade.errors import InputError
from saccade.nn import BACKBONES
from saccade.nn.blocks import ResidualBlock
from saccade.nn.layers import GlobalPool
from saccade.nn.locally_connected import LocallyConnected
from saccade.nn.receptive_field import ENDS, receptive_field
from saccade.nn.resnet import PlainShortcutBlock

SIDE = 64
TRIES = 40  # pictures, because a maximum lets only one gradient through
NETWORKS = {
    "one pixel": [nn.Conv2d(1, 2, 1), nn.ReLU()],
    "strides": [nn.Conv2d(1, 2, 5, 2, 2), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3, 3, 1)],
    "rows and columns": [nn.Conv2d(1, 2, (3, 5), (1, 2), (1, 2)), nn.Conv2d(2, 2, (5, 1))],
    "dilated": [nn.Conv2d(1, 2, 3, 1, 2, dilation=2), nn.Conv2d(2, 2, 3, padding=3, dilation=3)],
    "pooled": [nn.Conv2d(1, 2, 3, 1, 1), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.GELU()],
    "padded apart": [nn.ZeroPad2d(3), nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3)],
    "same": [nn.Conv2d(1, 2, 5, padding="same"), nn.Conv2d(2, 2, 3, padding="valid")],
    "unshared": [LocallyConnected(1, 2, 3, size_hw=(SIDE, SIDE), stride=2, padding=1)],
    "grouped": [nn.Conv2d(1, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3, 2, groups=4), nn.Tanh())],
    "residual": [ResidualBlock(1, 2, stride=2), ResidualBlock(2, 2, stride=1)],
    "plain residual": [
        PlainShortcutBlock(1, 2, stride=2, activation="relu", normalisation="none"),
        PlainShortcutBlock(2, 2, stride=1, activation="relu", normalisation="none"),
    ],
}


def field_by_gradients(network, side=SIDE, tries=TRIES):
    """Which pixels the middle unit sees, and how far the field of the next one lies from it."""
    torch.manual_seed(0)
    pictures = torch.randn(tries, 1, side, side, requires_grad=True)
    maps = network(pictures)
    row, column = maps.shape[2] // 2, maps.shape[3] // 2
    boxes = []
    for place in ((row, column), (row + 1, column + 1)):
        unit = maps[:, :, place[0], place[1]].sum()
        (gradient,) = torch.autograd.grad(unit, pictures, retain_graph=True)
        seen = gradient.abs().sum((0, 1)).nonzero()
        boxes.append((seen.amin(0), seen.amax(0)))
    (first, last), (following, _) = boxes
    return tuple((last - first + 1).tolist()), tuple((following - first).tolist())


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_the_field_is_the_one_that_gradients_find(layers):
    network = nn.Sequential(*layers).eval()
    assert tuple(receptive_field(network)) == field_by_gradients(network)


@pytest.mark.parametrize("name", ["small_resnet", "resnet", "vgg"])
def test_of_whole_networks_too(name):
    torch.manual_seed(0)
    network = BACKBONES[name](channels=1, width=4, size_hw=(32, 32)).eval()
    before = itertools.takewhile(lambda layer: not isinstance(layer, ENDS), network.layers)
    maps = nn.Sequential(*before)
    assert tuple(receptive_field(network)) == field_by_gradients(maps, side=128, tries=8)


def test_lenet_is_as_its_paper_says():
    """A unit of S4 sees 16 pixels, 4 apart: 5, then 6, then 14, then 16."""
    network = BACKBONES["lenet"](channels=1, width=6, size_hw=(28, 28))
    assert receptive_field(network) == ((16, 16), (4, 4))


def test_what_sees_everything_ends_the_walk():
    layers = [nn.Conv2d(1, 2, 3), GlobalPool(), nn.Linear(2, 2)]
    assert receptive_field(nn.Sequential(*layers)) == ((3, 3), (1, 1))


def test_a_layer_that_is_not_known_is_named():
    with pytest.raises(InputError, match="field of a OrientedGradients is not known"):
        receptive_field(BACKBONES["gradient_resnet"](channels=1, width=4, size_hw=(32, 32)))
    with pytest.raises(InputError, match="field of a ConvTranspose2d is not known"):
        receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), nn.ConvTranspose2d(1, 1, 2)))
