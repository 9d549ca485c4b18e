"""Masks painted over pictures, with the names of their colours; masks as indexed PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from saccade.files import replacing
from saccade.pictures.paint import (
    LETTER_SHARE,
    LONGEST_NAME,
    SMALLEST_LETTER,
    font_of,
    large_enough,
)
from saccade.report.mask_colours import class_colours, covered, palette
from saccade.report.text import short
from saccade.values import VOID, Segmentation, UInt8Array

PAPER, INK = "white", "black"


def painted_mask(picture: UInt8Array, found: Segmentation) -> UInt8Array:
    """Return (H, W, 3) uint8: the picture, or a multiple of it, under the colours of its classes.

    The first class is left bare. The names of the others that it shows stand below the picture.
    """
    view, _ = large_enough(covered(picture, found.mask))
    shown = [n for n, many in enumerate(found.pixels.values()) if n and many]
    return np.asarray(_with_key(view, [(n, found.classes[n]) for n in shown]))


def write_mask(found: Segmentation, place: Path) -> None:
    """Write the mask as PNG whose pixels are class numbers, with a palette; whole or not at all.

    Its folder is made if need be.
    """
    image = Image.fromarray(found.mask)
    image.putpalette(palette(len(found.classes), ignore=VOID))
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as temporary:
        image.save(temporary, format="PNG")


def _with_key(view: Image.Image, rows: Sequence[tuple[int, str]]) -> Image.Image:
    """Write each class's colour and name below a picture, as many lines as that takes."""
    letters = max(SMALLEST_LETTER, max(view.size) // LETTER_SHARE)
    font, line, side = font_of(letters), round(1.6 * letters), letters
    pen = ImageDraw.Draw(view)
    placed: list[tuple[int, int, int, str]] = []
    x, y = side // 2, view.height
    for number, name in rows:
        said = short(name, LONGEST_NAME)
        wide = round(pen.textlength(said, font)) + 3 * side
        if placed and x + wide > view.width:
            x, y = side // 2, y + line
        placed.append((x, y, number, said))
        x += wide
    whole = Image.new("RGB", (view.width, y + line if placed else view.height), PAPER)
    whole.paste(view)
    pen = ImageDraw.Draw(whole)
    for x, y, number, said in placed:
        middle = y + line // 2
        square = (x, middle - side // 2, x + side, middle + side // 2)
        colour = tuple(class_colours(np.array(number)).tolist())
        pen.rectangle(square, fill=colour, outline=INK)
        pen.text((x + round(1.4 * side), middle), said, INK, font, anchor="lm")
    return whole
