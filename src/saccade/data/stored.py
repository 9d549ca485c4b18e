"""Pictures that stay where they are, in memory or mapped from a file, and are gathered by row."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from saccade.values import IntArray, UInt8Array

Image = tuple[bool, int]
ITSELF: tuple[Image, ...] = ((False, 0),)


class Pictures(Protocol):
    """(n, c, H, W) uint8: a Tensor, or what is gathered when it is asked for."""

    @property
    def shape(self) -> torch.Size:
        """(n, c, H, W)."""

    def __len__(self) -> int:
        """How many pictures."""

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """Return the pictures of these rows (b,) int64: (b, c, H, W) uint8."""


class StoredPictures:
    """Some rows of ``pixels`` (m, c, H, W) uint8, which is not copied; then their images.

    ``images`` are (mirrored, quarter turns): all rows under the first, all under the second, …
    """

    def __init__(
        self, pixels: UInt8Array, rows: IntArray, *, images: tuple[Image, ...] = ITSELF
    ) -> None:
        self.pixels, self.rows, self.images = pixels, rows, images

    @property
    def shape(self) -> torch.Size:
        """(n, c, H, W), the images counted."""
        return torch.Size((len(self), *self.pixels.shape[1:]))

    def __len__(self) -> int:
        """How many pictures, the images counted."""
        return len(self.rows) * len(self.images)

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """Return the pictures of these rows (b,) int64: (b, c, H, W) uint8, a copy."""
        number, place = np.divmod(rows.numpy(), len(self.rows))
        found = torch.from_numpy(self.pixels[self.rows[place]])
        for image, (mirrored, turns) in enumerate(self.images):
            if (mirrored, turns) != ITSELF[0]:
                chosen = torch.from_numpy(np.flatnonzero(number == image))
                found[chosen] = _image(found[chosen], mirrored=mirrored, turns=turns)
        return found


def _image(pictures: Tensor, *, mirrored: bool, turns: int) -> Tensor:
    """(b, c, H, W) mirrored left to right, then turned by quarters counter-clockwise."""
    return torch.rot90(pictures.flip(3) if mirrored else pictures, turns, (2, 3))


class StoredWindows(StoredPictures):
    """Windows of ``pixels`` (m, c, H, W) uint8: ``rows`` (n, length), the frames of each in order.

    A window is one picture whose channels are those of its frames, one frame after the other.
    """

    @property
    def shape(self) -> torch.Size:
        """(n, length · c, H, W)."""
        _, channels, height, width = self.pixels.shape
        return torch.Size((len(self.rows), self.rows.shape[1] * channels, height, width))

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """Return the windows of these rows (b,) int64: (b, length · c, H, W) uint8, a copy."""
        return torch.from_numpy(self.pixels[self.rows[rows.numpy()]]).flatten(1, 2)
