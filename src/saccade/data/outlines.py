"""Outlines of objects in COCO's files: polygons and run-length codes, and the pixels they cover.

The pixels are those of COCO's own tools (``rleFrPoly`` and ``rleFrString`` of P. Dollár and T.-Y.
Lin's ``maskApi.c``), bit for bit: an edge is walked in steps of a fifth of a pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.boxes import BoolArray
from saccade.errors import InputError
from saccade.values import Float64Array, IntArray

FINE = 5  # steps along an edge for each pixel
FEWEST_POINTS = 3
LONGEST_WAY = 50_000_000  # steps along one polygon
FARTHEST = 100_000  # pixels that a point may be from the picture's corner
MOST = 1e15  # a larger number is none


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """An object in several pieces: of each (points, 2) float64, x and y in pixels."""

    pieces: tuple[Float64Array, ...]

    def pixels(self, size_hw: tuple[int, int]) -> BoolArray:
        """Return what it covers, (H, W)."""
        covered = np.zeros(size_hw, bool)
        for piece in self.pieces:
            covered |= _filled(piece, size_hw)
        return covered


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Lengths of runs of pixels, column by column: first those outside, then inside, and so on."""

    counts: IntArray

    def pixels(self, size_hw: tuple[int, int]) -> BoolArray:
        """Return what it covers, (H, W)."""
        inside = np.arange(len(self.counts)) % 2 == 1
        height, width = size_hw
        return np.repeat(inside, self.counts).reshape(width, height).T


@dataclass(frozen=True, slots=True)
class Box:
    """What is known of an object without an outline: [x, y, width, height]."""

    xywh: tuple[float, ...]

    def pixels(self, size_hw: tuple[int, int]) -> BoolArray:
        """Return every pixel that it touches, (H, W)."""
        x, y, width, height = self.xywh
        covered = np.zeros(size_hw, bool)
        rows = slice(max(0, math.floor(y)), max(0, math.ceil(y + height)))
        covered[rows, max(0, math.floor(x)) : max(0, math.ceil(x + width))] = True
        return covered


Outline = Polygons | Runs | Box


def read_outline(given: Any, size_hw: tuple[int, int], where: str) -> Outline | None:
    """Return what an annotation's "segmentation" says of a picture; None for an empty one.

    A list of polygons, each x, y, x, y, …; or run lengths, {"size": [h, w], "counts": …}, as
    numbers or packed in text. Raises InputError, naming ``where``, for anything else.
    """
    if given is None or given == []:
        return None
    if isinstance(given, dict):
        return _runs(given, size_hw, where)
    if isinstance(given, list):
        whole = [given] if _is_number(given[0]) else given
        return Polygons(tuple(_polygon(one, where) for one in whole))
    raise InputError(f"{where}: segmentation must be polygons or run lengths; got {_shown(given)}")


def unpack_counts(text: str, where: str) -> list[int]:
    """Return the run lengths that COCO packs in text; InputError for other letters."""
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise InputError(f"{where}: the text of run lengths is damaged at {letter!r}")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise InputError(f"{where}: the text of run lengths ends within a number")
    return counts


def _runs(given: dict[str, Any], size_hw: tuple[int, int], where: str) -> Runs:
    size, counts = given.get("size"), given.get("counts")
    if size != list(size_hw):
        raise InputError(
            f"{where}: run lengths are of the size {_shown(size)}, the picture is "
            f"{list(size_hw)} (height, width)"
        )
    if isinstance(counts, str):
        counts = unpack_counts(counts, where)
    if not isinstance(counts, list) or not all(type(one) is int and one >= 0 for one in counts):
        raise InputError(f"{where}: counts must be whole numbers of pixels; got {_shown(counts)}")
    if sum(counts) != math.prod(size_hw):
        raise InputError(
            f"{where}: run lengths add up to {sum(counts)}, but {size_hw[0]} x {size_hw[1]} pixels "
            f"are {math.prod(size_hw)}; write them again"
        )
    return Runs(np.array(counts, np.int64))


def _polygon(given: Any, where: str) -> Float64Array:
    if not isinstance(given, list) or not all(map(_is_number, given)) or len(given) % 2:
        raise InputError(f"{where}: a polygon must be x, y, x, y, …; got {_shown(given)}")
    points = np.array(given, np.float64).reshape(-1, 2)
    if len(points) < FEWEST_POINTS:
        raise InputError(
            f"{where} has a polygon with {len(points)} points; it takes {FEWEST_POINTS}, so "
            "correct it, or remove the annotation"
        )
    if np.abs(points).max() > FARTHEST or _way(points) > LONGEST_WAY:
        raise InputError(f"{where} has a polygon that is far larger than any picture; correct it")
    return points


def _way(points: Float64Array) -> float:
    closed = np.concatenate([points, points[:1]])
    return float(FINE * np.abs(np.diff(closed, axis=0)).max(axis=1).sum())


def _filled(points: Float64Array, size_hw: tuple[int, int]) -> BoolArray:
    """The pixels of one polygon: between an odd and an even crossing of its columns."""
    height, width = size_hw
    fine = (FINE * points + 0.5).astype(np.int64)  # Towards 0, as in C.
    u, v = _walked(np.concatenate([fine, fine[:1]]))
    step = np.flatnonzero(u[1:] != u[:-1])
    x = (np.minimum(u[1:], u[:-1])[step] + 0.5) / FINE - 0.5
    y = (np.minimum(v[1:], v[:-1])[step] + 0.5) / FINE - 0.5
    kept = (np.floor(x) == x) & (x >= 0) & (x <= width - 1)
    columns, rows = x[kept].astype(np.int64), np.ceil(y[kept].clip(0, height)).astype(np.int64)
    crossings = columns * height + rows
    flat = np.zeros(height * width, bool)
    crossings = crossings[crossings < flat.size]
    if len(crossings):
        first = int(crossings.min())
        last = flat.size if len(crossings) % 2 else int(crossings.max())
        many = np.bincount(crossings - first, minlength=last - first)[: last - first]
        flat[first:last] = many.cumsum() % 2 == 1
    return flat.reshape(width, height).T


def _walked(corners: IntArray) -> tuple[IntArray, IntArray]:
    """Every step along the edges between ``corners`` (k, 2): x and y."""
    ways = [
        _edge(start, end)
        for start, end in zip(corners[:-1].tolist(), corners[1:].tolist(), strict=True)
    ]
    u, v = (np.concatenate(part) for part in zip(*ways, strict=True))
    return u, v


def _edge(start: Sequence[int], end: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Steps from start to end, one a place of the longer side; always walked the rising way."""
    (xs, ys), (xe, ye) = start, end
    dx, dy = abs(xe - xs), abs(ye - ys)
    flat = dx >= dy
    flip = xs > xe if flat else ys > ye
    if flip:
        xs, xe, ys, ye = xe, xs, ye, ys
    t = np.arange(max(dx, dy) + 1)
    if flat:
        u, v = t + xs, (ys + (ye - ys) / max(dx, 1) * t + 0.5).astype(np.int64)
    else:
        u, v = (xs + (xe - xs) / dy * t + 0.5).astype(np.int64), t + ys
    return (u[::-1], v[::-1]) if flip else (u, v)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < MOST


def _shown(value: Any) -> str:
    return f"{value!r:.60}"
