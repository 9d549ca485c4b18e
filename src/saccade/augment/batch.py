"""Augmentation of a whole batch at once: one resampling, then light, then a covered rectangle."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample

from saccade.augment.erasing import RandomErasing
from saccade.augment.moves import Moves

ERASE_SIDE = (0.1, 0.4)


class Augment:
    """Random rotation, scale, crop, shift, mirroring, brightness, contrast, colour and erasing.

    Arguments are the largest change or the chance, as in the recipe. ``erase`` covers a rectangle
    with one random grey; ``random_erasing`` one of other sizes and shapes, with noise. ``frames``:
    how many frames, one after the other, the channels of a picture are of; all change alike.
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
        crop: float = 0.0,
        colour: float = 0.0,
        random_erasing: float = 0.0,
        frames: int = 1,
    ) -> None:
        self.rotate, self.scale, self.shift, self.flip = rotate, scale, shift, flip
        self.brightness, self.contrast, self.erase = brightness, contrast, erase
        self.crop, self.colour, self.frames = crop, colour, frames
        self.random_erasing = RandomErasing(chance=random_erasing)

    def __call__(self, pictures: Tensor, generator: Generator) -> Tensor:
        """(n, c, H, W) float in [0, 1] → the same shape and, roughly, range; may change its input.

        In place, because on a processor new memory costs more than the arithmetic.
        """
        moves = self.moves(len(pictures), generator)
        if moves is not None:
            places = moves.places(pictures.shape[2], pictures.shape[3])
            pictures = grid_sample(pictures, places, padding_mode="reflection", align_corners=False)
        return self.recoloured(pictures, generator)

    def with_targets(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Change pictures as a call does; their targets stay."""
        return self(pictures, generator), targets

    def moves(
        self, count: int, generator: Generator, *, window: Tensor | None = None
    ) -> Moves | None:
        """Draw how each picture is moved; None when none is.

        ``window`` (count,): the share of each picture's side that is looked at, at a random place
        within it, where it is below 1.
        """
        given = window is not None and bool((window < 1).any())
        if not (self.rotate or self.scale or self.shift or self.flip or self.crop or given):
            return None
        angle = _symmetric(count, generator) * math.radians(self.rotate)
        zoom = (1 + self.scale) ** _symmetric(count, generator)
        mirror = 1.0 - 2.0 * (torch.rand(count, generator=generator) < self.flip).float()
        right, down = (2 * self.shift * _symmetric(count, generator) for _ in range(2))
        if self.crop:
            kept = 1 - self.crop * torch.rand(count, generator=generator)
            window = kept if window is None else window * kept
        if window is not None:
            zoom = zoom * window
            right = right + (1 - window) * _symmetric(count, generator)
            down = down + (1 - window) * _symmetric(count, generator)
        return Moves(angle.cos() * zoom, angle.sin() * zoom, mirror, right, down)

    def recoloured(self, pictures: Tensor, generator: Generator) -> Tensor:
        """Change light and colour, and cover a rectangle, in place."""
        return self.recoloured_with(pictures, generator)[0]

    def recoloured_with(
        self, pictures: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Return the same, and what is covered (n, H, W) bool; None where nothing ever is."""
        if self.brightness or self.contrast:
            pictures = self._light(pictures, generator)
        if self.colour:
            shape = (len(pictures), pictures.shape[1] // self.frames, 1, 1)
            drawn = (torch.rand(shape, generator=generator) * 2 - 1).repeat(1, self.frames, 1, 1)
            pictures = pictures.mul_((1 + self.colour) ** drawn)
        covered = None
        if self.erase:
            pictures, covered = self._erase(pictures, generator)
        if self.random_erasing.chance:
            pictures, more = self.random_erasing(pictures, generator)
            covered = more if covered is None else covered | more
        return pictures, covered

    def _light(self, pictures: Tensor, generator: Generator) -> Tensor:
        count = len(pictures)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        factor = ((1 + self.contrast) ** _symmetric(count, generator)).view(-1, 1, 1, 1)
        offset = (self.brightness * _symmetric(count, generator)).view(-1, 1, 1, 1)
        # (pictures - mean) * factor + mean + offset, in two passes.
        return pictures.mul_(factor).add_(mean * (1 - factor) + offset)

    def _erase(self, pictures: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        count, height, width = len(pictures), pictures.shape[2], pictures.shape[3]
        chosen = torch.rand(count, generator=generator) < self.erase
        rows = _span(count, height, generator)
        columns = _span(count, width, generator)
        covered = chosen[:, None, None] & rows[:, :, None] & columns[:, None, :]
        grey = torch.rand(count, 1, 1, 1, generator=generator)
        return torch.where(covered[:, None], grey, pictures, out=pictures), covered


def _symmetric(count: int, generator: Generator) -> Tensor:
    """(count,) uniform in [-1, 1)."""
    return torch.rand(count, generator=generator) * 2 - 1


def _span(count: int, length: int, generator: Generator) -> Tensor:
    """(count, length) bool: a random run of positions, ERASE_SIDE of the length long."""
    low, high = ERASE_SIDE
    half = (low + (high - low) * torch.rand(count, 1, generator=generator)) * length / 2
    centre = torch.rand(count, 1, generator=generator) * length
    return (torch.arange(length)[None] - centre).abs() < half
