"""Boxes drawn on a picture: each kind has a colour and a line style of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from saccade.report.canvas import COLOURS
from saccade.values import UInt8Array

LONGEST_SIDE = 640  # pixels of the picture that is drawn on
STYLES = {
    "true": (COLOURS[0], (1, 0), 2),
    "missed": (COLOURS[4], (1, 0), 4),
    "right": (COLOURS[2], (10, 6), 2),
    "wrong": (COLOURS[1], (3, 5), 3),
    "ignored": (COLOURS[3], (3, 5), 2),
}  # kind → colour, pixels drawn and left out along a line, width


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box [x, y, width, height] in the picture's pixels, and its kind, a name in STYLES."""

    xywh: tuple[float, float, float, float]
    kind: str


def with_boxes(picture: UInt8Array, boxes: Sequence[DrawnBox]) -> UInt8Array:
    """Return (H, W, 3) uint8, at most LONGEST_SIDE, with the boxes on it, the last on top.

    ``picture``: (H, W, 3) uint8. Lines have a white rim, to be seen on any ground.
    """
    image = Image.fromarray(picture)
    wide = image.width
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    scale = image.width / wide
    pen = ImageDraw.Draw(image)
    for box in boxes:
        colour, dash, width = STYLES[box.kind]
        lines = list(_dashes([scale * side for side in box.xywh], dash))
        for line in lines:
            pen.line(line, fill="white", width=width + 2)
        for line in lines:
            pen.line(line, fill=colour, width=width)
    return np.asarray(image)


def _dashes(xywh: Sequence[float], dash: tuple[int, int]) -> Iterator[tuple[float, ...]]:
    """Yield the pieces (x0, y0, x1, y1) of the box's four sides."""
    left, top, right, bottom = xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3]
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    drawn, out = dash
    for (x0, y0), (x1, y1) in pairwise(corners):
        length = max(abs(x1 - x0), abs(y1 - y0))
        if not out or length <= drawn:
            yield x0, y0, x1, y1
            continue
        for start in np.arange(0, min(length, 4 * LONGEST_SIDE), drawn + out).tolist():
            a, b = start / length, min(1.0, (start + drawn) / length)
            yield x0 + a * (x1 - x0), y0 + a * (y1 - y0), x0 + b * (x1 - x0), y0 + b * (y1 - y0)
