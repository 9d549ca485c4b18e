"""How far a unit of a network's last maps sees into the picture.

Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019,
eq. 1 to 3: layer by layer, a window of k places, d apart, widens the field by (k - 1) d times the
stride so far. Where branches are added, the field is what either sees.
"""

from typing import NamedTuple

from torch import nn

from saccade.errors import InputError
from saccade.nn.activations import ACTIVATIONS
from saccade.nn.blocks import ResidualBlock
from saccade.nn.layers import GlobalPool
from saccade.nn.locally_connected import LocallyConnected
from saccade.nn.resnet import PlainShortcutBlock

WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, LocallyConnected)
# What a unit at one place gives does not ask what is at others, but for the figures of a batch.
PLACEWISE = (
    nn.Identity,
    nn.Dropout,
    nn.BatchNorm2d,
    nn.GroupNorm,
    nn.InstanceNorm2d,
    nn.LocalResponseNorm,
    *(type(row.make()) for row in ACTIVATIONS.values()),
)
# From here on a unit sees all of the maps.
ENDS = (nn.Flatten, nn.Linear, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, GlobalPool)


class ReceptiveField(NamedTuple):
    """``size_hw``: pixels that a unit sees; ``stride_hw``: between the fields of neighbours."""

    size_hw: tuple[int, int]
    stride_hw: tuple[int, int]


class _Reach(NamedTuple):
    """Along one axis, unit i sees pixels ``first`` + i · ``step`` to ``last`` + i · ``step``."""

    first: int = 0
    last: int = 0
    step: int = 1

    def through(self, size: int, *, stride: int, padding: int, dilation: int = 1) -> "_Reach":
        first = self.first - padding * self.step
        last = self.last + ((size - 1) * dilation - padding) * self.step
        return _Reach(first, last, self.step * stride)


def receptive_field(network: nn.Module) -> ReceptiveField:
    """Return the field of the units of the last maps, before they are pooled or flattened.

    ``network`` is a Sequential, or one of Saccade's, whose parts follow each other too. What
    normalisation learns of other places is not counted. Raises InputError, naming it, for a layer
    whose field is not known here.
    """
    walked = nn.Sequential(*network.children()) if hasattr(network, "layers") else network
    rows, columns = (_walk(walked, _Reach(), axis) for axis in (0, 1))
    size_hw = (rows.last - rows.first + 1, columns.last - columns.first + 1)
    return ReceptiveField(size_hw, (rows.step, columns.step))


def _walk(layer: nn.Module, reach: _Reach, axis: int) -> _Reach:
    if isinstance(layer, nn.Sequential):
        for inner in layer:
            if isinstance(inner, ENDS):
                break
            reach = _walk(inner, reach, axis)
        return reach
    if isinstance(layer, ResidualBlock):
        return _either(_walk(layer.body, reach, axis), _walk(layer.shortcut, reach, axis))
    if isinstance(layer, PlainShortcutBlock):
        beside = reach.through(1, stride=layer.stride, padding=0)
        return _either(_walk(layer.body, reach, axis), beside)
    if isinstance(layer, nn.ZeroPad2d):
        return reach.through(1, stride=1, padding=int(layer.padding[2 - 2 * axis]))
    if isinstance(layer, WINDOWS):
        return reach.through(
            _along(layer, "kernel_size", axis),
            stride=_along(layer, "stride", axis),
            padding=_along(layer, "padding", axis),
            dilation=_along(layer, "dilation", axis),
        )
    if isinstance(layer, PLACEWISE):
        return reach
    kind = type(layer).__name__
    raise InputError(f"the receptive field of a {kind} is not known; walk the parts around it")


def _either(first: _Reach, second: _Reach) -> _Reach:
    return _Reach(min(first.first, second.first), max(first.last, second.last), first.step)


def _along(layer: nn.Module, name: str, axis: int) -> int:
    """A setting that is one number, or one for rows and one for columns."""
    value = getattr(layer, name, 1)
    if value in ("same", "valid"):
        around = (_along(layer, "kernel_size", axis) - 1) * _along(layer, "dilation", axis)
        return around // 2 if value == "same" else 0
    return int(value[axis] if isinstance(value, tuple) else value)
