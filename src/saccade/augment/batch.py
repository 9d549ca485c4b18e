"""Augmentation of a whole batch at once: one resampling, then light, then a covered rectangle."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

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
        """(n, c, H, W) float in [0, 1] → the same shape and, roughly, range."""
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
        # The grid runs from -1 to 1 on both axes, so a rotation must undo the aspect ratio.
        aspect = height / width
        grid = torch.zeros(count, 2, 3)
        grid[:, 0, 0] = angle.cos() * zoom * mirror
        grid[:, 0, 1] = -angle.sin() * zoom * aspect
        grid[:, 1, 0] = angle.sin() * zoom * mirror / aspect
        grid[:, 1, 1] = angle.cos() * zoom
        grid[:, :, 2] = (
            2 * self.shift * torch.stack([_symmetric(count, generator) for _ in "xy"], 1)
        )
        places = affine_grid(grid, list(pictures.shape), align_corners=False)
        return grid_sample(pictures, places, padding_mode="reflection", align_corners=False)

    def _light(self, pictures: Tensor, generator: Generator) -> Tensor:
        count = len(pictures)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        factor = ((1 + self.contrast) ** _symmetric(count, generator)).view(-1, 1, 1, 1)
        offset = (self.brightness * _symmetric(count, generator)).view(-1, 1, 1, 1)
        return (pictures - mean) * factor + mean + offset

    def _erase(self, pictures: Tensor, generator: Generator) -> Tensor:
        count, height, width = len(pictures), pictures.shape[2], pictures.shape[3]
        chosen = torch.rand(count, generator=generator) < self.erase
        rows = _span(count, height, generator)
        columns = _span(count, width, generator)
        covered = chosen[:, None, None] & rows[:, :, None] & columns[:, None, :]
        grey = torch.rand(count, 1, 1, 1, generator=generator)
        return torch.where(covered[:, None], grey, pictures)


def _symmetric(count: int, generator: Generator) -> Tensor:
    """(count,) uniform in [-1, 1)."""
    return torch.rand(count, generator=generator) * 2 - 1


def _span(count: int, length: int, generator: Generator) -> Tensor:
    """(count, length) bool: a random run of positions, ERASE_SIDE of the length long."""
    low, high = ERASE_SIDE
    half = (low + (high - low) * torch.rand(count, 1, generator=generator)) * length / 2
    centre = torch.rand(count, 1, generator=generator) * length
    return (torch.arange(length)[None] - centre).abs() < half
