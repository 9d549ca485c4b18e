"""Boxes of many pictures, in columns, and how far two of them overlap.

Everywhere a box is [x, y, width, height] in pixels, x and y its left upper corner counted from 0,
as in COCO's files (T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float64Array, IntArray

PAIR_BLOCK = 1 << 20  # pairs of boxes compared at once
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class TrueBoxes:
    """What is to be found: n boxes.

    ``picture``, ``category``: (n,) int64 numbers from 0; ``xywh``: (n, 4) float64 pixels; ``area``:
    (n,) float64 pixels, of the object rather than its box where the data say so; ``crowd``: (n,)
    bool, boxes around many objects, which need not be found.
    """

    picture: IntArray
    category: IntArray
    xywh: Float64Array
    area: Float64Array
    crowd: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class FoundBoxes:
    """What a detector found: n boxes, in any order.

    ``picture``, ``category``: (n,) int64 numbers from 0; ``xywh``: (n, 4) float64 pixels; its
    ``score``: (n,) float64, higher is surer.
    """

    picture: IntArray
    category: IntArray
    xywh: Float64Array
    score: Float64Array

    def take(self, chosen: IntArray) -> "FoundBoxes":
        """Return the boxes of these places, in their order."""
        return FoundBoxes(
            self.picture[chosen], self.category[chosen], self.xywh[chosen], self.score[chosen]
        )


Boxes = TypeVar("Boxes", TrueBoxes, FoundBoxes)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of a found and a true box: their places, (p,) int64 each, and ``iou`` (p,) float64."""

    found: IntArray
    true: IntArray
    iou: Float64Array


def of_pictures(boxes: Boxes, places: Sequence[int], pictures: int) -> Boxes:
    """Return the boxes of the pictures ``places``, different numbers below ``pictures``.

    These pictures are numbered anew, from 0, in the order of ``places``.
    """
    number = np.full(pictures, -1, np.int64)
    number[places] = np.arange(len(places))
    kept = np.flatnonzero(number[boxes.picture] >= 0)
    columns = {one.name: getattr(boxes, one.name)[kept] for one in fields(boxes)}
    return replace(boxes, **columns | {"picture": number[boxes.picture[kept]]})


def overlap(found_xywh: Float64Array, true_xywh: Float64Array, crowd: BoolArray) -> Float64Array:
    """Return (p,) float64 in [0, 1]: the intersection over union of box i with box i; 0 for none.

    Of a ``crowd`` (p,) the intersection is taken over the found box alone, as in COCO.
    """
    left_top = np.maximum(found_xywh[:, :2], true_xywh[:, :2])
    right_bottom = np.minimum(
        found_xywh[:, 2:] + found_xywh[:, :2], true_xywh[:, 2:] + true_xywh[:, :2]
    )
    sides = np.maximum(right_bottom - left_top, 0.0)
    shared = sides[:, 0] * sides[:, 1]
    own = found_xywh[:, 2] * found_xywh[:, 3]
    union = np.where(crowd, own, own + true_xywh[:, 2] * true_xywh[:, 3] - shared)
    shares: Float64Array = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return shares


def overlapping(
    true: TrueBoxes,
    found: FoundBoxes,
    *,
    true_key: IntArray,
    found_key: IntArray,
    at_least: float,
) -> Pairs:
    """Return the pairs of one key (such as the picture) whose overlap reaches ``at_least``.

    ``true_key``, ``found_key``: (n,) int64 numbers. Sorted by the found box, then by the true one;
    memory grows with the pairs returned, not with those compared.
    """
    order = np.argsort(true_key, kind="stable")
    keys = true_key[order]
    first = np.searchsorted(keys, found_key, side="left")
    many = np.searchsorted(keys, found_key, side="right") - first
    blocks = [
        _overlapping(true, found, places, order[partners], at_least)
        for places, partners in _expanded(first, many)
    ]
    if not blocks:
        nothing = np.zeros(0, np.int64)
        return Pairs(nothing, nothing, np.zeros(0))
    return Pairs(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


def _overlapping(
    true: TrueBoxes, found: FoundBoxes, places: IntArray, partners: IntArray, at_least: float
) -> tuple[IntArray, IntArray, Float64Array]:
    iou = overlap(found.xywh[places], true.xywh[partners], true.crowd[partners])
    kept = iou >= at_least
    return places[kept], partners[kept], iou[kept]


def _expanded(first: IntArray, many: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield blocks of (place, partner): i goes with first[i] … first[i] + many[i] - 1."""
    those = np.flatnonzero(many)
    ends = np.cumsum(many[those])
    start = 0
    while start < len(those):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + PAIR_BLOCK, side="right")))
        block = those[start:stop]
        places = np.repeat(block, many[block])
        begins = np.repeat(ends[start:stop] - many[block] - before, many[block])
        yield places, first[places] + np.arange(len(places)) - begins
        start = stop
