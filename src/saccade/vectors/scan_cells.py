"""Cells: vectors grouped by nearness, so that a query reads the codes of the likely groups alone.

k-means on the 8-bit codes of a sample (``kmeans``), then every row goes to its nearest centre.
These codes are of vectors that are not rotated, since distances are the same. The head's codes hold
a row's difference from its centre, which varies less than the row (Jégou, Douze and Schmid 2011,
section IV), so that the same bits tell more.
"""

from dataclasses import dataclass, field

import numpy as np

from saccade import scan
from saccade.values import Float32Array, IntArray
from saccade.vectors.kmeans import kmeans_codes, nearest_codes
from saccade.vectors.scan_codes import (
    CHUNK_ROWS,
    FULL_LEVELS,
    LANES,
    Fit,
    HalfArray,
    centred_sample,
    fitted_to,
    full_steps,
)

SAMPLE_ROWS, SAMPLE_A_CELL = 200_000, 64
ROUNDS = 8
ASSIGNED_ROWS = 131_072  # at once
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
    truth: HalfArray, *, cells: int, head_bytes: int, seed: int = 0
) -> tuple[Fit, Cells]:
    """Group vectors (n, d), n ≥ 1, into about ``cells`` cells.

    Returns them, and the fit of codes whose head holds what the centres leave.
    """
    draw = np.random.default_rng(seed)
    mean, sample = centred_sample(truth, max(SAMPLE_ROWS, SAMPLE_A_CELL * cells))
    steps = full_steps(sample)
    coded = scan.quantise(sample, steps, 8)[0]
    centres = kmeans_codes(coded, steps, min(len(sample), cells), draw, rounds=ROUNDS)
    centres = _several(centres, nearest_codes(coded, steps, centres), sample)
    belongs = nearest_codes(coded, steps, centres)
    left = sample - centres[belongs]
    fitted = fitted_to(mean, sample, left, head_bytes=head_bytes)
    starts, order = _placed(_assigned(truth, mean, steps, centres), len(centres))
    radii = _radii(left, belongs, len(centres))
    return fitted, Cells(centres @ fitted.rotation, radii, starts, order)


def _assigned(
    truth: HalfArray, mean: Float32Array, steps: Float32Array, centres: Float32Array
) -> IntArray:
    """The nearest of the centres (c, d), which are without the mean, for each vector: (n,)."""
    half, cell = truth.view(np.uint16), np.empty(len(truth), np.int64)
    codes = np.empty((min(len(truth), ASSIGNED_ROWS), truth.shape[1]), np.uint8)
    for start in range(0, len(truth), ASSIGNED_ROWS):
        part = np.arange(start, min(start + ASSIGNED_ROWS, len(truth)))
        for first in range(0, len(part), CHUNK_ROWS):
            some = scan.centred(half, mean, part[first : first + CHUNK_ROWS])
            codes[first : first + len(some)] = scan.quantise(some, steps, 8)[0]
        cell[part] = nearest_codes(codes[: len(part)], steps, centres)
    return cell


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
    # Numbers of 16 bits are sorted by counting, which takes a quarter of the time.
    ranked = np.argsort(cell.astype(np.min_scalar_type(cells)), kind="stable")
    first = np.cumsum(counts) - counts
    order[np.arange(len(cell)) + np.repeat(starts[:-1] - first, counts)] = ranked
    return starts, order
