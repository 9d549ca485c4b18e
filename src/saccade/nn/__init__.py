"""Networks: backbones by name, each built with channels, width and size_hw."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from saccade.errors import InputError, UnknownNameError
from saccade.names import look_up
from saccade.nn.activations import ACTIVATIONS
from saccade.nn.alexnet import AlexNet
from saccade.nn.canny import Canny
from saccade.nn.foreign import ForeignBackbone
from saccade.nn.gradients import GradientResNet
from saccade.nn.hog import Hog
from saccade.nn.initialisation import INITIALISATIONS, needs_pictures
from saccade.nn.layers import LAYERS
from saccade.nn.lenet import LeNet
from saccade.nn.mlp import Mlp
from saccade.nn.normalisation import LAYER_NORMALISATIONS, NORMALISATIONS
from saccade.nn.pixels import Pixels
from saccade.nn.resnet import ResNet
from saccade.nn.sift import Sift
from saccade.nn.small_resnet import SmallResNet
from saccade.nn.timm_backbone import timm_backbone, timm_names
from saccade.nn.torchvision_backbone import torchvision_backbone, torchvision_names
from saccade.nn.vgg import Vgg

__all__ = [
    "ACTIVATIONS",
    "BACKBONES",
    "FAMILIES",
    "INITIALISATIONS",
    "LAYERS",
    "LAYER_NORMALISATIONS",
    "LEARNS_WORDS",
    "NORMALISATIONS",
    "PLAIN",
    "Family",
    "make_backbone",
]


class Family(NamedTuple):
    """The networks of another library: ``build(name, size_hw=…)``, and all names."""

    build: Callable[..., ForeignBackbone]
    names: Callable[[], list[str]]


def make_backbone(
    name: str,
    *,
    channels: int,
    width: int,
    size_hw: tuple[int, int],
    activation: str = "",
    normalisation: str = "",
    initialisation: str = "",
) -> nn.Module:
    """Return a backbone with fresh weights: of BACKBONES, PLAIN, or "family/name" of FAMILIES.

    Called with (n, channels, H, W) float, normalised, it gives (n, ``features``) float. ``width``
    and what follows ``size_hw`` count for BACKBONES only; an empty name is the network's own. An
    initialisation that looks at pictures is left to ``initialise``. Raises UnknownNameError,
    InputError for a size or a part that cannot be taken.
    """
    named = {
        "activation": activation,
        "normalisation": normalisation,
        "initialisation": initialisation,
    }
    parts = {part: chosen for part, chosen in named.items() if chosen}
    family, slash, member = name.partition("/")
    if slash:
        library = look_up(FAMILIES, family, "library of backbones")
        for part in parts:
            raise InputError(
                f"backbone {name} has the {part} that {family} gives it; leave out model.{part}, "
                f"or take one of {', '.join(BACKBONES)}"
            )
        return library.build(member, size_hw=size_hw)
    if name in PLAIN:
        for part in parts:
            raise InputError(f"backbone {name} has no layers; leave out model.{part}")
        return PLAIN[name](channels=channels, size_hw=size_hw)
    for other, found in FAMILIES.items() if name not in BACKBONES else ():
        if name in found.names():
            raise UnknownNameError(f"there is no backbone '{name}'; did you mean '{other}/{name}'?")
    own = look_up(BACKBONES | PLAIN, name, "backbone")
    if needs_pictures(initialisation):
        del parts["initialisation"]
    return own(channels=channels, width=width, size_hw=size_hw, **parts)


BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "alexnet": AlexNet,
    "gradient_resnet": GradientResNet,
    "lenet": LeNet,
    "mlp": Mlp,
    "resnet": ResNet,
    "small_resnet": SmallResNet,
    "vgg": Vgg,
}
# Without layers, so without parts to choose: features made by hand, of pictures as they are.
PLAIN: dict[str, type[nn.Module]] = {
    "canny": Canny,
    "hog": Hog,
    "pixels": Pixels,
    "sift": Sift,
}
LEARNS_WORDS = ("sift",)  # of PLAIN: those that look at training pictures first
FAMILIES = {
    "timm": Family(timm_backbone, timm_names),
    "torchvision": Family(torchvision_backbone, torchvision_names),
}
