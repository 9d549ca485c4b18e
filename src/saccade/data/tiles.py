"""Overlapping tiles that cover a large picture, and how what is said of each becomes one answer.

The scores of tiles are averaged where they overlap, weighted by how far a pixel is from the edge
of its tile, since a network sees less of what is around an edge: O. Ronneberger, P. Fischer, T.
Brox, "U-Net", 2015, arXiv:1505.04597, figure 2, cuts the edges off; here they fade.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from saccade.errors import InputError
from saccade.values import Float32Array, Float64Array


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture: its upper left corner in pixels from 0, height and width."""

    top: int
    left: int
    height: int
    width: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def tiles_of(
    size_hw: tuple[int, int], tile_hw: tuple[int, int], *, overlap: float = 0.25
) -> list[Tile]:
    """Return tiles, row by row, that cover a picture of ``size_hw`` exactly.

    All are of ``tile_hw``, or of the picture's side where that is smaller; neighbours share at
    least the share ``overlap`` of their side, rounded up, and differ by a pixel at most in how
    much. Raises InputError for a side below 1 or an overlap outside of [0, 1).
    """
    if min(*size_hw, *tile_hw) < 1 or not 0 <= overlap < 1:
        raise InputError(
            f"tiles need sides of at least 1 pixel and an overlap in [0, 1). Got {size_hw}, "
            f"{tile_hw} and {overlap}"
        )
    sides = [min(tile, size) for size, tile in zip(size_hw, tile_hw, strict=True)]
    rows, columns = (
        _starts(size, side, overlap) for size, side in zip(size_hw, sides, strict=True)
    )
    return [Tile(top, left, *sides) for top in rows for left in columns]


def tile_weights(tile_hw: tuple[int, int]) -> Float32Array:
    """Return (H, W) float32 in (0, 1]: how much a pixel of a tile counts, most in the middle.

    The product of a slope of each side from an edge to the middle.
    """
    rows, columns = (_slope(side) for side in tile_hw)
    weights: Float32Array = (rows[:, None] * columns).astype(np.float32)
    return weights


def blend(size_hw: tuple[int, int], scored: Iterable[tuple[Tile, Float32Array]]) -> Float32Array:
    """Return (classes, H, W) float32: the weighted mean of tiles' scores (classes, height, width).

    Raises InputError where a pixel is in no tile.
    """
    total, weight = None, np.zeros(size_hw, np.float32)
    for tile, scores in scored:
        own = tile_weights((tile.height, tile.width))
        if total is None:
            total = np.zeros((len(scores), *size_hw), np.float32)
        total[:, *tile.place] += scores * own
        weight[tile.place] += own
    if total is None or not weight.all():
        raise InputError("the tiles do not cover the picture; every pixel needs one")
    total /= weight
    return total


def _starts(size: int, side: int, overlap: float) -> list[int]:
    """Where tiles of ``side`` begin on ``size`` pixels: as few as overlap enough, evenly."""
    step = max(1, side - int(np.ceil(overlap * side)))
    count = 1 + -(-(size - side) // step)
    return [round(place) for place in np.linspace(0, size - side, count)]


def _slope(side: int) -> Float64Array:
    from_edge = np.minimum(np.arange(side) + 1, side - np.arange(side))
    slope: Float64Array = from_edge / from_edge.max()
    return slope
