"""Pictures with their true boxes, wherever they came from, and what was left out of them.

A box is [x, y, width, height] in pixels, as in ``saccade.boxes``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from saccade.boxes import BoolArray
from saccade.values import Broken, Float64Array, IntArray

DECIMALS = 9  # of a pixel: numbers that were computed are rounded, so that whole ones stay whole
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # no text in any format
LONGEST = 300  # letters of a place that is told
AREAS = "areas of objects not written, only those of their boxes"


@dataclass(frozen=True, slots=True)
class Counted:
    """What was left out or changed: the words for it, how often, and the first place."""

    what: str
    n: int
    first: str

    @property
    def sentence(self) -> str:
        """All of it as one line."""
        return f"{self.n:,} {self.what}; the first: {self.first}"


class BoxPicture(NamedTuple):
    """A picture's file, its height and width in pixels, and what else the data say of it."""

    path: Path
    size_hw: tuple[int, int]
    metadata: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class BoxColumns:
    """n boxes, in the order of their pictures.

    ``picture``, ``category``: (n,) int64 numbers from 0; ``xywh``: (n, 4) float64 pixels, inside
    the picture, width and height above 0; ``area``: (n,) float64 pixels of the object, of the box
    where the data do not say; ``crowd`` (around many objects), ``difficult`` (need not be found),
    ``ignored`` (counts neither way): (n,) bool.
    """

    picture: IntArray
    category: IntArray
    xywh: Float64Array
    area: Float64Array
    crowd: BoolArray
    difficult: BoolArray
    ignored: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class BoxSet:
    """One part of the data: pictures below ``root``, the names of all categories, the boxes.

    ``left_out`` counts pictures and boxes that could not be used, ``changed`` what was read
    otherwise than it stands there. ``broken`` names the pictures left out, but for hidden ones.
    """

    root: Path
    pictures: tuple[BoxPicture, ...]
    categories: tuple[str, ...]
    boxes: BoxColumns
    left_out: tuple[Counted, ...] = ()
    changed: tuple[Counted, ...] = ()
    broken: tuple[Broken, ...] = ()

    def names(self) -> list[str]:
        """Return the pictures' names below ``root``, with / between folders."""
        return [one.path.relative_to(self.root).as_posix() for one in self.pictures]

    def tell_areas(self, losses: "Losses") -> None:
        """Count the areas that are not the box's own, for a format that cannot hold them."""
        own = self.boxes.xywh[:, 2] * self.boxes.xywh[:, 3]
        for row in np.flatnonzero(~np.isclose(self.boxes.area, own, rtol=1e-6, atol=0)):
            losses.changed.add(AREAS, str(self.pictures[self.boxes.picture[row]].path))


class Tally:
    """Counts by their words, in the order of first appearance, each with its first place."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, what: str, where: str, n: int = 1) -> None:
        """Count ``n`` more; only the first ``where`` is kept."""
        before, first = self._found.get(what, (0, where))
        self._found[what] = (before + n, f"{first:.{LONGEST}}")

    def counted(self) -> tuple[Counted, ...]:
        """Return what was counted."""
        return tuple(Counted(what, n, first) for what, (n, first) in self._found.items())


def together(counts: Iterable[Counted]) -> tuple[Counted, ...]:
    """Return the counts with those of the same words added up."""
    tally = Tally()
    for one in counts:
        tally.add(one.what, one.first, one.n)
    return tally.counted()


@dataclass(frozen=True, slots=True)
class Losses:
    """What a format cannot hold: what of the data was left out of it, and what was changed."""

    left_out: Tally = field(default_factory=Tally)
    changed: Tally = field(default_factory=Tally)


def from_corners(corners: Sequence[float], first_pixel: int) -> tuple[float, ...]:
    """Return [x, y, width, height] of xmin, ymin, xmax, ymax.

    ``first_pixel`` 1: the corners are pixels inside the box, the picture's first is 1, and the
    width is xmax - xmin + 1 (Everingham and others, "The PASCAL Visual Object Classes Challenge
    2007 Development Kit"); a single pixel is a slip of the mouse, a box without width and height.
    0: they are edges, those of the picture 0 and its width, and the width is xmax - xmin.
    """
    left, top, right, bottom = corners
    if first_pixel and (left, top) != (right, bottom):
        return (left - 1, top - 1, right - left + 1, bottom - top + 1)
    return (left - first_pixel, top - first_pixel, right - left, bottom - top)


def to_corners(xywh: Sequence[float], first_pixel: int) -> tuple[float, ...]:
    """Return xmin, ymin, xmax, ymax, from which ``from_corners`` makes the box again."""
    x, y, width, height = xywh
    ends = (x + first_pixel, y + first_pixel, x + width, y + height)
    return tuple(round(one, DECIMALS) for one in ends)


def number_text(number: float) -> str:
    """Return a number as the shortest text that is read as the same, whole ones without a point."""
    return str(int(number)) if number == int(number) else repr(number)
