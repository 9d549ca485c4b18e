"""Cells: vectors grouped by nearness, so that a query reads the codes of the likely groups alone.

k-means (Lloyd, "Least squares quantization in PCM", 1982) on the leading principal components, in
two levels, so that a row is compared with about 2 * sqrt(cells) centres and not with all of them.
"""

import math
from dataclasses import dataclass

import numpy as np

from saccade.values import Float32Array, IntArray, UInt32Array
from saccade.vectors.scan_codes import CHUNK_ROWS, Fit, HalfArray, spread

CELL_COMPONENTS = 48
CELL_SAMPLE_ROWS = 200_000
ROUNDS = 8
BLOCK_ROWS = 16


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the rows of each cell stand in the codes.

    ``centres`` (c, m) in the leading components; ``starts`` (c + 1,): cell i holds the positions
    ``starts[i]`` to ``starts[i + 1]`` - 1; ``order`` (n,): the row at each position.
    """

    centres: Float32Array
    starts: IntArray
    order: UInt32Array

    def ranges(self, query: Float32Array, probes: int) -> IntArray:
        """Return the blocks (r, 2), rising, of the ``probes`` cells that suit a query (m,) best."""
        scores = self.centres @ query
        if probes < len(scores):
            chosen = np.sort(np.argpartition(-scores, probes)[:probes])
        else:
            chosen = np.arange(len(scores))
        first = self.starts[chosen] // BLOCK_ROWS
        last = -(-self.starts[chosen + 1] // BLOCK_ROWS)
        # A block on the border of two chosen cells is read once.
        first[1:] = np.maximum(first[1:], last[:-1])
        return np.stack([first, np.maximum(first, last)], axis=1)


def make_cells(fitted: Fit, truth: HalfArray, *, cells: int, seed: int = 0) -> Cells:
    """Group vectors (n, d) into about ``cells`` cells by their leading components."""
    m = min(CELL_COMPONENTS, len(fitted.deviation))
    draw = np.random.default_rng(seed)
    sample = fitted.components(spread(truth, CELL_SAMPLE_ROWS))[:, :m]
    coarse = kmeans(sample, min(len(sample), max(1, round(math.sqrt(cells)))), draw)
    coarse = coarse[np.unique(nearest(sample, coarse))]  # equal rows leave centres without any
    belongs = nearest(sample, coarse)
    fine = [
        kmeans(sample[belongs == number], _share(belongs == number, cells), draw)
        for number in range(len(coarse))
    ]
    first = np.cumsum([0, *(len(centres) for centres in fine)])
    cell = np.empty(len(truth), np.int64)
    for start in range(0, len(truth), CHUNK_ROWS):
        rows = fitted.components(truth[start : start + CHUNK_ROWS])[:, :m]
        cell[start : start + CHUNK_ROWS] = _assigned(rows, coarse, fine, first)
    starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=int(first[-1])))])
    order = np.argsort(cell, kind="stable").astype(np.uint32)
    return Cells(np.concatenate(fine), starts, order)


def kmeans(rows: Float32Array, k: int, draw: np.random.Generator) -> Float32Array:
    """Return ``k`` centres of rows (n, m), n ≥ k, after ROUNDS rounds from random rows.

    A centre that lost all its rows starts again from a random one.
    """
    centres = rows[draw.choice(len(rows), k, replace=False)]
    for _ in range(ROUNDS):
        belongs = nearest(rows, centres)
        counts = np.bincount(belongs, minlength=k)
        sums = np.stack([np.bincount(belongs, column, k) for column in rows.T], axis=1)
        empty = counts == 0
        centres = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        centres[empty] = rows[draw.choice(len(rows), int(empty.sum()))]
    return centres


def nearest(rows: Float32Array, centres: Float32Array) -> IntArray:
    """The number of the centre nearest to each row, by Euclidean distance."""
    half = (centres**2).sum(axis=1) / 2
    found = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), CHUNK_ROWS):
        part = rows[start : start + CHUNK_ROWS]
        found[start : start + CHUNK_ROWS] = np.argmax(part @ centres.T - half, axis=1)
    return found


def _share(mine: np.ndarray[tuple[int], np.dtype[np.bool_]], cells: int) -> int:
    """How many of the cells fall to a part of the sample: by its size, at least one."""
    count = int(mine.sum())
    return max(1, min(count, round(cells * count / len(mine))))


def _assigned(
    rows: Float32Array, coarse: Float32Array, fine: list[Float32Array], first: IntArray
) -> IntArray:
    belongs = nearest(rows, coarse)
    found = np.empty(len(rows), np.int64)
    for number, centres in enumerate(fine):
        mine = np.flatnonzero(belongs == number)
        found[mine] = first[number] + nearest(rows[mine], centres)
    return found
