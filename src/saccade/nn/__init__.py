"""Networks: backbones by name, each built with channels, width and size_hw."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from saccade.errors import UnknownNameError
from saccade.names import look_up
from saccade.nn.foreign import ForeignBackbone
from saccade.nn.gradients import GradientResNet
from saccade.nn.small_resnet import SmallResNet
from saccade.nn.timm_backbone import timm_backbone, timm_names
from saccade.nn.torchvision_backbone import torchvision_backbone, torchvision_names


class Family(NamedTuple):
    """The networks of another library: ``build(name, size_hw=…)``, and all names."""

    build: Callable[..., ForeignBackbone]
    names: Callable[[], list[str]]


def make_backbone(name: str, *, channels: int, width: int, size_hw: tuple[int, int]) -> nn.Module:
    """Return a backbone with fresh weights: one of BACKBONES, or "family/name" of FAMILIES.

    Called with (n, channels, H, W) float, normalised, it gives (n, ``features``) float. ``width``
    counts for BACKBONES only. Raises UnknownNameError, InputError for a size that cannot be taken.
    """
    family, slash, member = name.partition("/")
    if slash:
        return look_up(FAMILIES, family, "library of backbones").build(member, size_hw=size_hw)
    for library, found in FAMILIES.items() if name not in BACKBONES else ():
        if name in found.names():
            raise UnknownNameError(
                f"there is no backbone '{name}'; did you mean '{library}/{name}'?"
            )
    return look_up(BACKBONES, name, "backbone")(channels=channels, width=width, size_hw=size_hw)


BACKBONES = {"gradient_resnet": GradientResNet, "small_resnet": SmallResNet}
FAMILIES = {
    "timm": Family(timm_backbone, timm_names),
    "torchvision": Family(torchvision_backbone, torchvision_names),
}
