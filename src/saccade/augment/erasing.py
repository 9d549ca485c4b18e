"""Random erasing: a rectangle of random size, shape and place is covered.

Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", 2017, arXiv:1708.04896, algorithm
1: the share of the area and the height by the width are drawn evenly. We differ as the authors'
code does: a rectangle that is larger than the picture is drawn anew, TRIES times at most, and its
place is then one of those where it lies within; by the algorithm places beyond the edge are drawn
too, with a new size, which makes large rectangles rarer.
"""

import torch
from torch import Generator, Tensor

AREAS = (0.02, 0.4)  # shares of the picture
RATIOS = (0.3, 1 / 0.3)  # height by width
TRIES = 10


class RandomErasing:
    """Cover each picture with the chance ``chance``, with noise or, if ``grey``, one grey."""

    def __init__(self, *, chance: float, grey: bool = False) -> None:
        self.chance, self.grey = chance, grey

    def __call__(self, pictures: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """(n, c, H, W) float in [0, 1] → the same, rectangles covered in place; which (n, H, W).

        Noise is even in [0, 1), a draw for every value; the grey is one draw for a picture.
        """
        count, _, height, width = pictures.shape
        chosen = torch.rand(count, generator=generator) < self.chance
        covered = chosen[:, None, None] & rectangles(count, (height, width), generator)
        shape = (count, 1, 1, 1) if self.grey else pictures.shape
        fill = torch.rand(shape, generator=generator)
        return torch.where(covered[:, None], fill, pictures, out=pictures), covered


def rectangles(count: int, size_hw: tuple[int, int], generator: Generator) -> Tensor:
    """(count, H, W) bool: one rectangle each, of at least a pixel; none if no try fits."""
    height, width = size_hw
    share = _between(AREAS, (count, TRIES), generator)
    ratio = _between(RATIOS, (count, TRIES), generator)
    tall = (share * ratio * (height * width)).sqrt().round().clamp(min=1).long()
    wide = (share / ratio * (height * width)).sqrt().round().clamp(min=1).long()
    fits = (tall <= height) & (wide <= width)
    first = fits.int().argmax(1, keepdim=True)  # The first of the largest: the first that fits.
    tall, wide = (side.gather(1, first)[:, 0] for side in (tall, wide))
    place = torch.rand(2, count, generator=generator)
    top = (place[0] * (height - tall + 1)).long()
    left = (place[1] * (width - wide + 1)).long()
    rows, columns = _span(top, tall, height), _span(left, wide, width)
    return rows[:, :, None] & columns[:, None, :] & fits.any(1)[:, None, None]


def _between(ends: tuple[float, float], shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Even draws in [low, high)."""
    low, high = ends
    return low + (high - low) * torch.rand(shape, generator=generator)


def _span(first: Tensor, length: Tensor, whole: int) -> Tensor:
    """(n,) int64 each → (n, whole) bool: ``length`` places from ``first`` on."""
    place = torch.arange(whole)[None]
    return (place >= first[:, None]) & (place < (first + length)[:, None])
