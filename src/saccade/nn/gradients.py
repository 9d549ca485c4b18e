"""Oriented gradients, and a residual network that sees nothing else.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005: the strength of
edges by direction, summed over overlapping cells and divided by that of the neighbourhood. We
differ: the directions are signed and overlap smoothly, a square root (Arandjelovic and Zisserman,
"Three Things Everyone Should Know to Improve Object Retrieval", CVPR 2012) evens strong and weak
edges, and no cell is cut into blocks. What is learned from a few dozen people is steadier on this
ground than on pixels.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from saccade.nn.blocks import ResidualBlock
from saccade.nn.initialisation import initialise

DIRECTIONS = 8
CELL = 8
SHARPNESS = 3
FLOOR = 0.05
TINY = 1e-8  # keeps the slope of the square roots finite where there is no edge


class OrientedGradients(nn.Module):
    """Edge strength in DIRECTIONS directions, in cells of CELL pixels that overlap by half."""

    angles: Tensor

    def __init__(self) -> None:
        super().__init__()
        turns = torch.arange(DIRECTIONS) * (2 * math.pi / DIRECTIONS)
        self.register_buffer("angles", turns.view(1, -1, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float, standardised → (n, DIRECTIONS, rows, columns) float ≥ 0.

        A side of s pixels, at least CELL, gives (s - CELL) // (CELL / 2) + 1 cells. Colours are
        averaged first.
        """
        grey = pad(pictures.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        across = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
        down = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
        strength = (across.square() + down.square() + TINY).sqrt()
        agreement = torch.cos(torch.atan2(down, across) - self.angles)
        maps = avg_pool2d(strength * agreement.clamp(min=0) ** SHARPNESS, CELL, CELL // 2)
        around = avg_pool2d(maps.sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
        return (maps / (around + FLOOR) + TINY).sqrt()


class GradientResNet(nn.Module):
    """Three residual stages on oriented gradients; the features keep their place in the picture.

    For aligned subjects, such as faces, where the place of an edge says as much as its direction.
    ``features`` is the length of the flattened vector.
    """

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        size_hw: tuple[int, int],
        activation: str = "relu",
        normalisation: str = "batch",
        initialisation: str = "",
    ) -> None:
        super().__init__()
        named = {"activation": activation, "normalisation": normalisation}
        self.gradients = OrientedGradients()
        self.layers = nn.Sequential(
            ResidualBlock(DIRECTIONS, width, stride=1, **named),
            ResidualBlock(width, 2 * width, stride=2, **named),
            ResidualBlock(2 * width, 4 * width, stride=2, **named),
        )
        cells = [(side - CELL) // (CELL // 2) + 1 for side in size_hw]
        last = [math.ceil(math.ceil(side / 2) / 2) for side in cells]
        self.features = 4 * width * last[0] * last[1]
        initialise(self, initialisation)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float, standardised → (n, features) float."""
        features: Tensor = self.layers(self.gradients(pictures)).flatten(1)
        return features
