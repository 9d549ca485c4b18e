"""The three losses of a picture that is painted, and their slope.

Gatys, Ecker, Bethge, CVPR 2016, eq. 1 to 7, and the total variation of Mahendran and Vedaldi, 2015,
as ``losses/pictures`` has them. We differ: content and style are shares of what the wanted maps and
Gram matrices hold themselves, so that weights mean the same for any network, layer and size;
variation is that of a place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import cast

import torch
from torch import Tensor

from saccade.errors import NotFiniteError
from saccade.losses.pictures import Content, Style, TotalVariation, gram
from saccade.pictures.style_features import StyleFeatures


@dataclass(frozen=True, slots=True)
class Weights:
    """What each of the three losses counts."""

    content: float
    style: float
    smooth: float


@dataclass(frozen=True, slots=True)
class StyleRecord:
    """The picture after ``step`` steps, ``size_hw``, and its losses without their weights.

    ``content``: the squared difference of the maps over the square of the wanted ones; ``style``:
    likewise of the Gram matrices, the mean over the layers; ``smooth``: the squared differences of
    neighbours, a place; ``total``: their weighted sum.
    """

    step: int
    size_hw: tuple[int, int]
    content: float
    style: float
    smooth: float
    total: float


class StyleObjective:
    """The weighted losses of a picture, of one size; remembers the last that it was asked."""

    def __init__(
        self,
        features: StyleFeatures,
        content: Tensor,
        styles: Sequence[Tensor],
        weights: Weights,
        shares: Sequence[float],
    ) -> None:
        self.features, self.weights = features, weights
        with torch.no_grad():
            self.wanted = features.maps(content)[1]
            # Sum_s share_s |G - A_s|² has the slope of |G - sum_s share_s A_s|².
            grams = [[gram(one) for one in features.maps(style)[0]] for style in styles]
            self.grams = [
                cast(Tensor, sum(share * one for share, one in zip(shares, layer, strict=True)))
                for layer in zip(*grams, strict=True)
            ]
        self.places = content.shape[2] * content.shape[3]
        self.whole = _or_one(float(Content()(self.wanted, torch.zeros_like(self.wanted))))
        self.style = Style(
            weights=[4 / _or_one(float(a.square().sum())) / len(self.grams) for a in self.grams]
        )
        self.last: tuple[Tensor, Tensor, dict[str, float]] | None = None

    def gradient(self, picture: Tensor) -> tuple[float, Tensor]:
        """Return the total and its gradient; the same picture again costs nothing."""
        if self.last is None or not torch.equal(self.last[0], picture):
            learned = picture.detach().clone().requires_grad_()
            maps, shown = self.features.maps(learned)
            losses = {
                "content": Content()(shown, self.wanted) / self.whole,
                "style": self.style.to_grams(maps, self.grams),
                "smooth": TotalVariation()(learned) / self.places,
            }
            total = cast(
                Tensor, sum(getattr(self.weights, name) * loss for name, loss in losses.items())
            )
            (slope,) = torch.autograd.grad(total, learned)
            told = {name: float(loss.detach()) for name, loss in losses.items()}
            self.last = (learned.detach(), slope, told | {"total": float(total.detach())})
        return self.last[2]["total"], self.last[1]

    def record(self, step: int) -> StyleRecord:
        """Return the losses of the picture last asked about; NotFiniteError where one is none."""
        found, _, told = cast("tuple[Tensor, Tensor, dict[str, float]]", self.last)
        height, width = found.shape[2:]
        for name, value in told.items():
            if not isfinite(value):
                raise NotFiniteError(
                    f"step {step} at {height}x{width}: the {name} loss is {value}; lower the "
                    "weights, or take other features"
                )
        return StyleRecord(step=step, size_hw=(height, width), **told)


def _or_one(value: float) -> float:
    return value if value > 0 else 1.0
