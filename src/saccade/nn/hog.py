"""Histograms of oriented gradients: which way the edges of each part of a picture run.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, as
scikit-image's ``hog`` reads it: central differences, of colours the channel with the strongest
gradient, BINS directions of half a turn, cells, blocks of BLOCK x BLOCK cells each brought to
length 1, cut at MOST and brought to length 1 again. We differ: a gradient counts for one direction
and one cell, as there, where the paper shares it between neighbours; a whole batch at once.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

BINS = 9
BLOCK = 2  # cells a side
MOST, EPS = 0.2, 1e-5
CELLS = 8  # about, along the shorter side


class Hog(nn.Module):
    """``features`` = blocks · BLOCK² · BINS numbers in [0, 1]; a cell is ``cell`` pixels a side."""

    def __init__(self, *, channels: int, size_hw: tuple[int, int]) -> None:
        super().__init__()
        self.cell = max(2, round(min(size_hw) / CELLS))
        rows, columns = (side // self.cell - BLOCK + 1 for side in size_hw)
        self.features = rows * columns * BLOCK * BLOCK * BINS

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float in [0, 1] → (n, features) float."""
        down, right = _gradients(pictures.double())  # In float32 an angle could change its bin.
        strength = torch.hypot(down, right)
        angle = torch.rad2deg(torch.atan2(down, right)) % 180
        bins = (angle / (180 / BINS)).long().clamp(max=BINS - 1)
        votes = functional.one_hot(bins, BINS).movedim(-1, 1) * strength[:, None]
        cells = functional.avg_pool2d(votes, self.cell)
        blocks = cells.unfold(2, BLOCK, 1).unfold(3, BLOCK, 1)  # (n, BINS, rows, columns, B, B)
        rows = blocks.permute(0, 2, 3, 4, 5, 1).flatten(3)
        return _unit(_unit(rows).clamp(max=MOST)).flatten(1).to(pictures.dtype)


def _gradients(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Differences down and to the right (n, H, W), 0 at the border, of the strongest channel."""
    down, right = torch.zeros_like(pictures), torch.zeros_like(pictures)
    down[:, :, 1:-1] = pictures[:, :, 2:] - pictures[:, :, :-2]
    right[:, :, :, 1:-1] = pictures[:, :, :, 2:] - pictures[:, :, :, :-2]
    strongest = torch.hypot(down, right).argmax(1, keepdim=True)
    return down.gather(1, strongest)[:, 0], right.gather(1, strongest)[:, 0]


def _unit(rows: Tensor) -> Tensor:
    return rows / torch.sqrt((rows * rows).sum(-1, keepdim=True) + math.pow(EPS, 2))
