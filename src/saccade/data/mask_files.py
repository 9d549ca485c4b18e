"""Masks in PNG files: numbers, places of a palette, or colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from saccade.data.mask_classes import MaskClasses
from saccade.data.masks import NUMBERS
from saccade.data.pictures import BROKEN, MAX_PIXELS
from saccade.errors import InputError, PictureError
from saccade.values import UInt8Array


@dataclass(frozen=True, slots=True)
class PngMask:
    """The mask in the file ``path``, whose pixels mean what ``classes`` say."""

    path: Path
    size_hw: tuple[int, int]
    classes: MaskClasses

    def read(self) -> UInt8Array:
        """Return (H, W) uint8: numbers of classes, or VOID.

        Raises PictureError for a file that cannot be read, InputError for what is no class.
        """
        with _opened(self.path) as image:
            mode = image.mode
            pixels = np.asarray(image.convert("RGB") if self.classes.colours else image)
        if self.classes.colours:
            return self.classes.of_colours(pixels, self.path)
        if mode not in NUMBERS:
            pixels = self._grey(pixels, mode)
        return self.classes.of_numbers(pixels.astype(np.int64), self.path)

    def _grey(self, pixels: UInt8Array, mode: str) -> UInt8Array:
        """The one number that red, green and blue all say."""
        if mode == "LA":
            return pixels[..., 0]
        if (pixels[..., :3] != pixels[..., :1]).any():
            raise InputError(
                f"{self.path} holds colours ({mode}); name a .csv or .toml file of names and "
                "colours with segment.classes, or save it with one channel or a palette"
            )
        return pixels[..., 0]

    def __str__(self) -> str:
        return str(self.path)


def open_mask(path: Path, classes: MaskClasses) -> PngMask:
    """Return a mask by its file's head; raises PictureError where there is none."""
    with _opened(path) as image:
        return PngMask(path, (image.height, image.width), classes)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a PNG; whatever fails within, while it is decoded, is a PictureError."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PictureError(
                    f"mask {path} is over the limit of {MAX_PIXELS:,} pixels; make it smaller"
                )
            yield image
    except (Image.DecompressionBombError, *BROKEN) as error:
        raise PictureError(f"mask {path} cannot be read as a PNG; write it again") from error
