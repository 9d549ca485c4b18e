"""What a model has learned, as pictures: first filters, and the templates of a linear map.

First filters: Krizhevsky, Sutskever, Hinton, NIPS 2012, figure 3. Templates: a linear map of pixels
adds up, for each class, the picture times a picture of weights (Duda and Hart, "Pattern
Classification and Scene Analysis", 1973, section 5.2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.nn.pixels import Pixels
from saccade.tasks.detector import OneStageNetwork
from saccade.tasks.embed import EmbeddingNetwork
from saccade.tasks.forecaster import Forecaster
from saccade.tasks.model import Model
from saccade.tasks.neighbours import NeighboursNetwork
from saccade.tasks.segmenter import SegmentNetwork
from saccade.values import UInt8Array

MOST = 256  # pictures
MIDDLE = 128  # the grey of a weight of 0


@dataclass(frozen=True, slots=True, eq=False)
class WeightPicture:
    """Weights (H, W, 3) or (H, W) uint8: 128 is 0, 255 the largest in size, 1 the most negative.

    ``largest``: what 255 stands for.
    """

    name: str
    largest: float
    pixels: UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """``kind``: "templates" or "first filters"; ``layer`` names it; ``total`` are there in all."""

    kind: str
    layer: str
    total: int
    pictures: tuple[WeightPicture, ...]


def weight_pictures(model: Model) -> Inside:
    """Return templates of a linear map of pixels, else the first layer's filters; MOST at most.

    Raises InputError, saying what to do, where neither is a picture.
    """
    network = model.network
    others = NeighboursNetwork | OneStageNetwork | SegmentNetwork | Forecaster
    if network is None or isinstance(network, others):
        raise InputError(f"{model.card['kind']}: this model has no weights to look at")
    head = network.project if isinstance(network, EmbeddingNetwork) else network.head
    if isinstance(network.backbone, Pixels):
        names = model.classes or model.targets or [f"{n + 1}" for n in range(head.out_features)]
        shape = (model.channels, *model.size_hw)
        rows = head.weight.reshape(-1, *shape)
        return Inside("templates", "head", len(rows), tuple(_pictures(rows, names)))
    name, rows = _first(network.backbone, channels=(model.channels, 3), size_hw=model.size_hw)
    numbers = [f"filter {number + 1}" for number in range(len(rows))]
    return Inside("first filters", name, len(rows), tuple(_pictures(rows, numbers)))


def _first(
    backbone: nn.Module, *, channels: tuple[int, ...], size_hw: tuple[int, int]
) -> tuple[str, Tensor]:
    """The name and weights (n, c, h, w) of the first layer with any, if it sees the picture."""
    for name, layer in backbone.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.in_channels in channels and min(layer.kernel_size) > 1:
                return name, layer.weight
            break
        if isinstance(layer, nn.Linear):
            for count in channels:
                if layer.in_features == count * size_hw[0] * size_hw[1]:
                    return name, layer.weight.reshape(-1, count, *size_hw)
            break
    raise InputError(
        "the first weights of this network do not lie on the picture itself, so they make no "
        "picture; saccade summary RUN shows its layers"
    )


def _pictures(rows: Tensor, names: Sequence[str]) -> Iterator[WeightPicture]:
    for weights, name in zip(rows.detach()[:MOST], names, strict=False):
        largest = float(weights.abs().max())
        scaled = weights.double() / (largest or 1.0) * (MIDDLE - 1) + MIDDLE
        pixels = torch.movedim(scaled.round().clamp(0, 255).to(torch.uint8), 0, -1)
        yield WeightPicture(name, largest, np.ascontiguousarray(pixels.squeeze(-1).numpy()))
