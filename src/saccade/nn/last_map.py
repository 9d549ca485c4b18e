"""The last maps of features of a network: the last values that still have places in the picture.

Selvaraju et al., "Grad-CAM", ICCV 2017, section 3: the last convolutional layer is the best
compromise between what is seen and where. We differ: a layer is found by what it gives, (n, d, h,
w) with more than one place, not by its name; maps that were only pooled are passed over for the
finer ones before them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saccade.errors import InputError

POOLS = ("MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool", "LPPool")


def last_map(backbone: nn.Module, seen: Tensor) -> nn.Module:
    """Return the layer whose output are the last maps; ``seen`` (n, c, H, W) is shown to it.

    The backbone is in the mode that it is left in. Raises InputError, saying why, where there is
    none: fully connected layers, rows of tokens, maps that keep their channels last.
    """
    if getattr(getattr(backbone, "body", None), "output_fmt", "NCHW") != "NCHW":
        raise InputError("its maps keep their channels last, which Grad-CAM does not read here")
    calls: list[tuple[nn.Module, Tensor]] = []
    handles = [
        layer.register_forward_hook(_noting(calls))
        for layer in backbone.modules()
        if layer is not backbone
    ]
    try:
        with torch.no_grad():
            backbone(seen)
    finally:
        for handle in handles:
            handle.remove()
    return _chosen(calls)


def _noting(calls: list[tuple[nn.Module, Tensor]]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(layer: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            calls.append((layer, output))

    return hook


def _chosen(calls: list[tuple[nn.Module, Tensor]]) -> nn.Module:
    # A container gives what its last layer gave, so what was pooled is known by identity.
    pooled = {id(output) for layer, output in calls if type(layer).__name__.startswith(POOLS)}
    uses = [id(layer) for layer, _ in calls]
    for layer, output in reversed(calls):
        if output.ndim == 3:
            raise InputError("it ends in rows of tokens, not in maps of features")
        several = output.ndim == 4 and output.shape[2] * output.shape[3] > 1
        if several and id(output) not in pooled and uses.count(id(layer)) == 1:
            return layer
    raise InputError("it has no maps of features: its layers are fully connected")
