"""Cells: vectors grouped by nearness, so that a query reads the codes of the likely groups alone.

k-means (Lloyd, "Least squares quantization in PCM", 1982) on a sample, then every row goes to its
nearest centre. The head's codes hold a row's difference from its centre, which varies less than the
row (Jégou, Douze and Schmid 2011, section IV), so that the same bits tell more.
"""

from dataclasses import dataclass

import numpy as np

from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.scan_codes import CHUNK_ROWS, Fit, HalfArray, fitted_to, spread

SAMPLE_ROWS, SAMPLE_A_CELL = 200_000, 64
ROUNDS = 8
LANES = 16
LEAST_ROWS = 8  # of the sample, for a centre to be kept


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the rows of each cell stand in the codes.

    ``centres`` (c, d) in components; ``starts`` (c + 1,), multiples of 16: cell i holds the
    positions ``starts[i]`` to ``starts[i + 1]`` - 1; ``order`` (n,): the row at each position, -1
    where a cell's last block is filled up.
    """

    centres: Float32Array
    starts: IntArray
    order: IntArray

    def of(self, positions: IntArray) -> IntArray:
        """Return the cell of each position."""
        return np.searchsorted(self.starts, positions, side="right") - 1

    def nearest(self, components: Float32Array) -> IntArray:
        """Return the cell whose centre is nearest to each of some components (n, d)."""
        return nearest(components, self.centres)

    def probed(self, components: Float32Array, probes: int) -> tuple[IntArray, Float32Array]:
        """Return the ``probes`` cells that suit queries (q, d) best: blocks and offsets.

        The blocks are (q, p, 2), rising; the offsets (q, p) are the query's products with the
        centres, which the codes leave out.
        """
        scores = components @ self.centres.T
        chosen = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
        if probes < scores.shape[1]:
            chosen = np.sort(np.argpartition(-scores, probes)[:, :probes])
        blocks = np.stack([self.starts[chosen], self.starts[chosen + 1]], axis=2) // LANES
        return blocks, np.take_along_axis(scores, chosen, axis=1)


def make_cells(
    fitted: Fit, truth: HalfArray, *, cells: int, head_bytes: int, seed: int = 0
) -> tuple[Fit, Cells]:
    """Group vectors (n, d) into about ``cells`` cells.

    Returns them, and the fit of codes whose head holds what the centres leave.
    """
    draw = np.random.default_rng(seed)
    sample = fitted.components(spread(truth, max(SAMPLE_ROWS, SAMPLE_A_CELL * cells)))
    centres = _several(kmeans(sample, min(len(sample), cells), draw), sample)
    cell = np.empty(len(truth), np.int64)
    for start in range(0, len(truth), CHUNK_ROWS):
        rows = fitted.components(truth[start : start + CHUNK_ROWS])
        cell[start : start + CHUNK_ROWS] = nearest(rows, centres)
    left = sample - centres[nearest(sample, centres)]
    turned = fitted_to(fitted.mean, sample, left, head_bytes=head_bytes)
    rotation = (fitted.rotation @ turned.rotation).astype(np.float32)
    starts, order = _placed(cell, len(centres))
    fit_of_cells = Fit(
        fitted.mean, rotation, turned.deviation, turned.bits, turned.head_step, turned.full_step
    )
    return fit_of_cells, Cells(centres @ turned.rotation, starts, order)


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


def filled(order: IntArray) -> UInt8Array:
    """A bit a position, in whole blocks of 16: 1 where it holds a row."""
    return np.packbits(order >= 0, bitorder="little")


def _several(centres: Float32Array, rows: Float32Array) -> Float32Array:
    """Leave out centres of few rows, which would tell what those are; the mean when all are."""
    counts = np.bincount(nearest(rows, centres), minlength=len(centres))
    kept: Float32Array = centres[counts >= LEAST_ROWS]
    return kept if len(kept) else rows.mean(axis=0, keepdims=True)


def _placed(cell: IntArray, cells: int) -> tuple[IntArray, IntArray]:
    """Starts and order of rows that belong to these cells, each cell in whole blocks."""
    counts = np.bincount(cell, minlength=cells)
    starts = np.concatenate([[0], np.cumsum(-(-counts // LANES) * LANES)])
    order = np.full(int(starts[-1]), -1, np.int64)
    ranked = np.argsort(cell, kind="stable")
    first = np.cumsum(counts) - counts
    order[np.arange(len(cell)) + np.repeat(starts[:-1] - first, counts)] = ranked
    return starts, order
