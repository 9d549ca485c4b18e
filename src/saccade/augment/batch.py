"""Augmentation of a whole batch at once: one resampling, then light, then a covered rectangle."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample

ERASE_SIDE = (0.1, 0.4)


class Augment:
    """Random rotation, scale, shift, mirroring, brightness, contrast and erasing.

    Arguments are the largest change or the chance, as in the recipe. Erasing covers a rectangle
    with one random grey (Zhong et al., "Random Erasing", 2017, arXiv:1708.04896).
    """

    def __init__(
        self,
        *,
        rotate: float,
        scale: float,
        shift: float,
        flip: float,
        brightness: float,
        contrast: float,
        erase: float,
    ) -> None:
        self.rotate, self.scale, self.shift, self.flip = rotate, scale, shift, flip
        self.brightness, self.contrast, self.erase = brightness, contrast, erase

    def __call__(self, pictures: Tensor, generator: Generator) -> Tensor:
        """(n, c, H, W) float in [0, 1] → the same shape and, roughly, range; may change its input.

        In place, because on a processor new memory costs more than the arithmetic.
        """
        if self.rotate or self.scale or self.shift or self.flip:
            pictures = self._move(pictures, generator)
        if self.brightness or self.contrast:
            pictures = self._light(pictures, generator)
        return self._erase(pictures, generator) if self.erase else pictures

    def _move(self, pictures: Tensor, generator: Generator) -> Tensor:
        count, height, width = len(pictures), pictures.shape[2], pictures.shape[3]
        angle = _symmetric(count, generator) * math.radians(self.rotate)
        zoom = (1 + self.scale) ** _symmetric(count, generator)
        mirror = 1.0 - 2.0 * (torch.rand(count, generator=generator) < self.flip).float()
        # Places run from -1 to 1 on both axes, so a rotation must undo the aspect ratio.
        aspect = height / width
        right, down = (
            2 * self.shift * _symmetric(count, generator).view(-1, 1, 1) for _ in range(2)
        )
        cosine, sine = (part.view(-1, 1, 1) for part in (angle.cos() * zoom, angle.sin() * zoom))
        mirror = mirror.view(-1, 1, 1)
        across, along = _places(width), _places(height)[:, None]
        places = torch.stack(
            [
                cosine * mirror * across + (right - sine * aspect * along),
                sine * mirror / aspect * across + (down + cosine * along),
            ],
            dim=3,
        )
        return grid_sample(pictures, places, padding_mode="reflection", align_corners=False)

    def _light(self, pictures: Tensor, generator: Generator) -> Tensor:
        count = len(pictures)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        factor = ((1 + self.contrast) ** _symmetric(count, generator)).view(-1, 1, 1, 1)
        offset = (self.brightness * _symmetric(count, generator)).view(-1, 1, 1, 1)
        # (pictures - mean) * factor + mean + offset, in two passes.
        return pictures.mul_(factor).add_(mean * (1 - factor) + offset)

    def _erase(self, pictures: Tensor, generator: Generator) -> Tensor:
        count, height, width = len(pictures), pictures.shape[2], pictures.shape[3]
        chosen = torch.rand(count, generator=generator) < self.erase
        rows = _span(count, height, generator)
        columns = _span(count, width, generator)
        covered = chosen[:, None, None] & rows[:, :, None] & columns[:, None, :]
        grey = torch.rand(count, 1, 1, 1, generator=generator)
        return torch.where(covered[:, None], grey, pictures, out=pictures)


def _symmetric(count: int, generator: Generator) -> Tensor:
    """(count,) uniform in [-1, 1)."""
    return torch.rand(count, generator=generator) * 2 - 1


def _places(length: int) -> Tensor:
    """(length,) the middles of the pixels, from -1 at the first edge to 1 at the last."""
    return (2 * torch.arange(length) + 1) / length - 1


def _span(count: int, length: int, generator: Generator) -> Tensor:
    """(count, length) bool: a random run of positions, ERASE_SIDE of the length long."""
    low, high = ERASE_SIDE
    half = (low + (high - low) * torch.rand(count, 1, generator=generator)) * length / 2
    centre = torch.rand(count, 1, generator=generator) * length
    return (torch.arange(length)[None] - centre).abs() < half
