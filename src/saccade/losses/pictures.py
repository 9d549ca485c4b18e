"""Losses on pictures and their features: what is shown, in which style, how smoothly.

Content and style: Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural
Networks", CVPR 2016, eq. 1 and eq. 3 to 5 (arXiv:1508.06576, eq. 1 and 3 to 5). Total variation:
Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them", 2015,
arXiv:1412.0035, section 3, the regulariser with exponent beta.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from saccade.errors import InputError
from saccade.losses.batch import mean, require_same_shape


class Content(nn.Module):
    """Half the sum of squared differences of the features, averaged over the pictures."""

    def forward(self, features: Tensor, wanted: Tensor) -> Tensor:
        """Twice (n, c, h, w) float, features of one layer → a scalar."""
        require_same_shape(features, wanted, "content")
        return mean(((features - wanted) ** 2).flatten(1).sum(1) / 2)


class Style(nn.Module):
    """The sum over layers of weight * sum((G - A)²) / (4 c² (h w)²), averaged over the pictures.

    G and A are Gram matrices: (c, c), the features' products summed over the places. Without
    ``weights`` every layer counts 1 / layers, as in the paper. We differ where sizes do: each Gram
    matrix is divided by its own h w.
    """

    def __init__(self, *, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
        """Twice a (n, c, h, w) float for each layer, h and w of any size → a scalar.

        Of the ``wanted`` n may be 1: one style for all.
        """
        return self.to_grams(features, [gram(one) for one in wanted])

    def to_grams(self, features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
        """As ``forward``, with the ``gram`` of what is wanted, (n, c, c) for each layer."""
        weights = self.weights or [1 / max(1, len(features))] * len(features)
        if not len(weights) == len(features) == len(wanted) > 0:
            raise InputError(
                "loss style takes as many layers as it has weights, at least one. Got "
                f"{len(weights)} weights, {len(features)} layers, {len(wanted)} wanted"
            )
        layers = zip(weights, features, wanted, strict=True)
        return sum(
            (w * mean(((gram(f) - a) ** 2).flatten(1).sum(1)) / 4 for w, f, a in layers),
            start=torch.zeros((), device=features[0].device),
        )


class TotalVariation(nn.Module):
    """The sum over the places of (dx² + dy²) ** (beta / 2), averaged over the pictures.

    dx and dy are the differences to the next pixel on the right and below, 0 at the border.
    """

    def __init__(self, *, beta: float = 2.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float → a scalar."""
        across = pad(pictures.diff(dim=3), (0, 1))
        down = pad(pictures.diff(dim=2), (0, 0, 0, 1))
        squares = across**2 + down**2
        # At 0 a power below 1 has no gradient.
        some = squares > 0
        powers = torch.where(some, squares, 1.0) ** (self.beta / 2)
        return mean(torch.where(some, powers, 0.0).flatten(1).sum(1))


def gram(features: Tensor) -> Tensor:
    """(n, c, h, w) → (n, c, c): the sum over the places of f fᵀ, over c h w."""
    rows = features.flatten(2)
    return rows @ rows.transpose(1, 2) / max(1, rows.shape[1] * rows.shape[2])
