"""Activations that torch has not, or not with a setting that is needed here."""

import torch
from torch import Tensor, nn


class HardSigmoid(nn.Module):
    """A line of this ``slope`` through (0, ½), cut at 0 and 1.

    Courbariaux, Bengio, David, "BinaryConnect", 2015, arXiv:1511.00363, eq. 3, has the slope ½;
    Howard et al., "Searching for MobileNetV3", 2019, arXiv:1905.02244, section 5.2, 1/6.
    """

    def __init__(self, *, slope: float = 0.2) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, values: Tensor) -> Tensor:
        """Float of any shape → the same shape, in [0, 1]."""
        return (self.slope * values + 0.5).clamp(0, 1)


class SwishBeta(nn.Module):
    """x · sigmoid(βx), with one β, learned, that begins at ``beta``.

    Ramachandran, Zoph, Le, "Searching for Activation Functions", 2017, arXiv:1710.05941, section 2.
    """

    def __init__(self, *, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor([beta]))

    def forward(self, values: Tensor) -> Tensor:
        """Float of any shape → the same shape."""
        return values * torch.sigmoid(self.beta * values)
