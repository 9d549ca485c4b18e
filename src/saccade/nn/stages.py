"""The maps of features that a backbone makes on its way, one a stride: the last of each.

T.-Y. Lin and others, "Feature pyramid networks for object detection", CVPR 2017, arXiv:1612.03144,
section 3: a stage is all layers whose maps have one size, and its last map has the strongest
features. We differ: stages are found by showing the network a picture, not by its layers' names, so
that any backbone with maps can carry a pyramid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from saccade.errors import InputError


@dataclass(frozen=True, slots=True)
class Stage:
    """``layer``: the name of the layer whose output is the map; its ``channels`` and ``map_hw``.

    ``stride``: how many pixels of the picture a place of the map stands for, a power of two.
    """

    layer: str
    stride: int
    channels: int
    map_hw: tuple[int, int]


def find_stages(backbone: nn.Module, *, channels: int, size_hw: tuple[int, int]) -> list[Stage]:
    """Return the stages of a backbone for pictures (n, channels, H, W), finest first.

    Raises InputError where it makes no maps of at least two places a side that grow coarser.
    """
    names = {id(layer): name for name, layer in backbone.named_modules() if name}
    found: dict[int, Stage] = {}
    height, width = size_hw

    def note(layer: nn.Module, _: Any, output: Any) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4 or min(output.shape[2:]) < 2:
            return
        down = height / output.shape[2]
        stride = 1 << round(torch.tensor(down).log2().item())
        if max(found, default=0) <= stride:
            map_hw = (output.shape[2], output.shape[3])
            found[stride] = Stage(names[id(layer)], stride, output.shape[1], map_hw)

    mode = backbone.training
    inner = [layer for name, layer in backbone.named_modules() if name]
    handles = [layer.register_forward_hook(note) for layer in inner]
    try:
        with torch.no_grad():
            backbone.eval()(torch.zeros(1, channels, height, width))
    finally:
        backbone.train(mode)
        for handle in handles:
            handle.remove()
    stages = [stage for stage in found.values() if stage.stride > 1]
    if not stages:
        raise InputError(
            "the backbone makes no maps of features that a detector or a segmenter could look "
            "at; take one with convolutions, such as small_resnet"
        )
    return stages


def stage_maps(backbone: nn.Module, layers: tuple[str, ...], seen: Tensor) -> list[Tensor]:
    """Show ``seen`` (n, c, H, W) to a backbone; returns the output of each of these layers.

    Several threads may do so at once: each keeps only what it computed itself.
    """
    maps: dict[str, Tensor] = {}
    handles = [
        backbone.get_submodule(name).register_forward_hook(_keeping(maps, name)) for name in layers
    ]
    try:
        backbone(seen)
    finally:
        for handle in handles:
            handle.remove()
    return [maps[name] for name in layers]


def _keeping(maps: dict[str, Tensor], name: str) -> Callable[[nn.Module, Any, Any], None]:
    thread = get_ident()

    def hook(_: nn.Module, __: Any, output: Tensor) -> None:
        if get_ident() == thread:
            maps[name] = output

    return hook
