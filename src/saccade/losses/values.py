"""Losses for regression: what a value that is off by some amount costs.

Huber, "Robust Estimation of a Location Parameter", 1964: squares near 0, a line beyond.
Girshick, "Fast R-CNN", 2015, arXiv:1504.08083, eq. 3: the same, scaled to the slope 1. Lu, Ma, Ni,
Yang, Reid, Yang, "Deep Regression Tracking with Shrinkage Loss", ECCV 2018, section 3: squares
in which values that are nearly right count little.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss, smooth_l1_loss

from saccade.losses.batch import mean, require_same_shape


class Squared(nn.Module):
    """(value - target)², averaged."""

    def forward(self, values: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Float values and targets of one shape → mean over all, a scalar; weights as ``mean``."""
        require_same_shape(values, targets, "squared")
        return mean((values - targets) ** 2, weights)


class Absolute(nn.Module):
    """|value - target|, averaged."""

    def forward(self, values: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Float values and targets of one shape → mean over all, a scalar; weights as ``mean``."""
        require_same_shape(values, targets, "absolute")
        return mean((values - targets).abs(), weights)


class AbsoluteSquared(nn.Module):
    """|value - target| + weight (value - target)², averaged.

    The square draws what is unsure to the mean, so that learning begins; the other sharpens it.
    """

    def __init__(self, *, weight: float = 10.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, values: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Float values and targets of one shape → mean over all, a scalar; weights as ``mean``."""
        require_same_shape(values, targets, "absolute_squared")
        off = (values - targets).abs()
        return mean(off + self.weight * off**2, weights)


class SmoothL1(nn.Module):
    """l² / (2 beta) for l = |value - target| < beta, l - beta / 2 beyond, averaged."""

    def __init__(self, *, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, values: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Float values and targets of one shape → mean over all, a scalar; weights as ``mean``."""
        require_same_shape(values, targets, "smooth_l1")
        return mean(smooth_l1_loss(values, targets, reduction="none", beta=self.beta), weights)


class Huber(nn.Module):
    """l² / 2 for l = |value - target| ≤ delta, delta * (l - delta / 2) beyond, averaged."""

    def __init__(self, *, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, values: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Float values and targets of one shape → mean over all, a scalar; weights as ``mean``."""
        require_same_shape(values, targets, "huber")
        return mean(huber_loss(values, targets, reduction="none", delta=self.delta), weights)


class Shrinkage(nn.Module):
    """l² / (1 + exp(speed * (centre - l))) for l = |value - target|, averaged.

    ``speed`` and ``centre`` are the paper's a and c. With ``importance`` each is multiplied by
    exp(target), as the paper does for targets in [0, 1].
    """

    def __init__(
        self, *, speed: float = 10.0, centre: float = 0.2, importance: bool = False
    ) -> None:
        super().__init__()
        self.speed, self.centre, self.importance = speed, centre, importance

    def forward(self, values: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Float values and targets of one shape → mean over all, a scalar; weights as ``mean``."""
        require_same_shape(values, targets, "shrinkage")
        off = (values - targets).abs()
        costs = off**2 * torch.sigmoid(self.speed * (off - self.centre))
        return mean(costs * targets.exp() if self.importance else costs, weights)
