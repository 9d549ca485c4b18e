"""Backbones of torchvision whose ``features`` are maps; their mean over places is the vector.

Those of torchvision that timm lacks: AlexNet (Krizhevsky, 2014, arXiv:1404.5997) and SqueezeNet
(Iandola et al., 2016, arXiv:1602.07360); and the families whose head, too, begins with that mean.
"""

from collections import OrderedDict
from functools import partial

from torch import nn

from saccade.errors import UnknownNameError
from saccade.names import suggest
from saccade.nn.foreign import ForeignBackbone

FAMILIES = ("alexnet", "efficientnet", "mobilenet", "squeezenet", "vgg")


def torchvision_names() -> list[str]:
    """Return the names of torchvision's networks that can be a backbone."""
    from torchvision import models

    return [name for name in models.list_models(module=models) if name.startswith(FAMILIES)]


def torchvision_backbone(name: str, *, size_hw: tuple[int, int]) -> ForeignBackbone:
    """Return torchvision's network ``name`` with fresh weights and without its head.

    Raises UnknownNameError, InputError for a size that it cannot take.
    """
    if name not in torchvision_names():
        names = [f"torchvision/{known}" for known in torchvision_names()]
        wanted = f"torchvision/{name}"
        raise UnknownNameError(f"there is no backbone '{wanted}'; {suggest(wanted, names)}")
    return ForeignBackbone(
        partial(_make, name), name=f"torchvision/{name}", size_hw=size_hw, head=("classifier",)
    )


def _make(name: str) -> nn.Module:
    from torchvision import models

    return nn.Sequential(OrderedDict(features=models.get_model(name, weights=None).features))
