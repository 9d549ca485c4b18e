"""Cells: vectors grouped by nearness, so that a query reads the codes of the likely groups alone.

k-means on the 8-bit codes of a sample (``kmeans``), then every row goes to its nearest centre. The
head's codes hold a row's difference from its centre, which varies less than the row (Jégou, Douze
and Schmid 2011, section IV), so that the same bits tell more.
"""

from dataclasses import dataclass, field

import numpy as np

from saccade import scan
from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.kmeans import kmeans_codes, nearest_codes
from saccade.vectors.scan_codes import (
    CHUNK_ROWS,
    FULL_LEVELS,
    LANES,
    Fit,
    HalfArray,
    fitted_to,
    spread,
)

SAMPLE_ROWS, SAMPLE_A_CELL = 200_000, 64
ROUNDS = 8
LEAST_ROWS = 8  # of the sample, for a centre to be kept


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the rows of each cell stand in the codes.

    ``centres`` (c, d) in components; ``radii`` (c,): the root mean square of what a component of a
    row differs from its centre; ``starts`` (c + 1,), multiples of 16: cell i holds the positions
    ``starts[i]`` to ``starts[i + 1]`` - 1; ``order`` (n,): the row at each position, -1 where a
    cell's last block is filled up.
    """

    centres: Float32Array
    radii: Float32Array
    starts: IntArray
    order: IntArray
    _chooser: scan.Chooser = field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps = np.abs(self.centres).max(axis=0) * np.float32(2 / FULL_LEVELS)
        coded = scan.quantise(self.centres, steps, 8)[0]
        blocks = np.stack([self.starts[:-1], self.starts[1:]], axis=1) // LANES
        chooser = scan.Chooser(scan.kernel(), coded, steps, self.centres, self.radii, blocks)
        object.__setattr__(self, "_chooser", chooser)

    def of(self, positions: IntArray) -> IntArray:
        """Return the cell of each position."""
        return np.searchsorted(self.starts, positions, side="right") - 1

    def nearest(self, components: Float32Array) -> IntArray:
        """Return the cell whose centre is nearest to each of some components (n, d)."""
        half = (self.centres**2).sum(axis=1) / 2
        found: IntArray = np.argmax(components @ self.centres.T - half, axis=1)
        return found

    def reach(self, components: Float32Array) -> Float32Array:
        """Return how similar the outer rows of each cell may be to queries (q, d): (q, c)."""
        found: Float32Array = (
            components @ self.centres.T + np.float32(scan.OUTER_RADII) * self.radii
        )
        return found

    def probed(
        self, components: Float32Array, probes: int, margin: float
    ) -> tuple[IntArray, Float32Array, Float32Array]:
        """Return the ``probes`` cells that suit queries (q, d) best: blocks, offsets and reach.

        Those suit best that reach nearest, by 8-bit codes of their centres. The blocks are
        (q, p, 2), rising; the offsets (q, p) are the query's products with the centres, which the
        codes leave out; the reach (q, p) is ``margin`` radii more.
        """
        return self._chooser.choose(components, min(probes, len(self.centres)), margin)


def make_cells(
    fitted: Fit, truth: HalfArray, *, cells: int, head_bytes: int, seed: int = 0
) -> tuple[Fit, Cells]:
    """Group vectors (n, d) into about ``cells`` cells.

    Returns them, and the fit of codes whose head holds what the centres leave.
    """
    draw = np.random.default_rng(seed)
    sample = fitted.components(spread(truth, max(SAMPLE_ROWS, SAMPLE_A_CELL * cells)))
    coded = _coded(fitted, sample)
    centres = kmeans_codes(coded, fitted.full_step, min(len(sample), cells), draw, rounds=ROUNDS)
    belongs = nearest_codes(coded, fitted.full_step, centres)
    centres = _several(centres, belongs, sample)
    belongs = nearest_codes(coded, fitted.full_step, centres)
    left = sample - centres[belongs]
    cell = np.empty(len(truth), np.int64)
    for start in range(0, len(truth), CHUNK_ROWS):
        rows = _coded(fitted, fitted.components(truth[start : start + CHUNK_ROWS]))
        cell[start : start + CHUNK_ROWS] = nearest_codes(rows, fitted.full_step, centres)
    turned = fitted_to(fitted.mean, sample, left, head_bytes=head_bytes)
    rotation = (fitted.rotation @ turned.rotation).astype(np.float32)
    starts, order = _placed(cell, len(centres))
    fit_of_cells = Fit(
        fitted.mean, rotation, turned.deviation, turned.bits, turned.head_step, turned.full_step
    )
    radii = _radii(left, belongs, len(centres))
    return fit_of_cells, Cells(centres @ turned.rotation, radii, starts, order)


def _coded(fitted: Fit, components: Float32Array) -> UInt8Array:
    return scan.quantise(components, fitted.full_step, 8)[0]


def _several(centres: Float32Array, belongs: IntArray, rows: Float32Array) -> Float32Array:
    """Leave out centres of few rows, which would tell what those are; the mean when all are."""
    counts = np.bincount(belongs, minlength=len(centres))
    kept: Float32Array = centres[counts >= LEAST_ROWS]
    return kept if len(kept) else rows.mean(axis=0, keepdims=True)


def _radii(left: Float32Array, belongs: IntArray, cells: int) -> Float32Array:
    counts = np.bincount(belongs, minlength=cells)
    squares = np.bincount(belongs, (left**2).mean(axis=1), minlength=cells)
    return np.sqrt(squares / np.maximum(1, counts)).astype(np.float32)


def _placed(cell: IntArray, cells: int) -> tuple[IntArray, IntArray]:
    """Starts and order of rows that belong to these cells, each cell in whole blocks."""
    counts = np.bincount(cell, minlength=cells)
    starts = np.concatenate([[0], np.cumsum(-(-counts // LANES) * LANES)])
    order = np.full(int(starts[-1]), -1, np.int64)
    ranked = np.argsort(cell, kind="stable")
    first = np.cumsum(counts) - counts
    order[np.arange(len(cell)) + np.repeat(starts[:-1] - first, counts)] = ranked
    return starts, order
