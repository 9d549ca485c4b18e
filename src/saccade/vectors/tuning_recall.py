"""How often an index answers as exact search does, measured on rows of the gallery itself.

Leave-one-out: a query is a row, and neither side may answer it with itself. An answer as similar
as the best one is right, whichever of equal rows it is.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_codes import Fit, HalfArray

BLOCK_ROWS = 16_384
BLOCK_QUERIES = 1_024  # with BLOCK_ROWS: 64 MiB of similarities
SURVIVORS_AT_ONCE = 4_000_000  # of all queries that one call brings; 16 bytes each
ROUNDING = 1e-6  # similarities of unit vectors that float32 sums cannot tell apart


class Tunable(Protocol):
    """An index whose effort can be changed between searches; see ``scan_truth``."""

    survivors: int
    probes: int

    @property
    def fitted(self) -> Fit: ...

    @property
    def cells(self) -> Cells | None: ...

    @property
    def code_bytes(self) -> int: ...

    def search(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]: ...


@dataclass(frozen=True, slots=True)
class Queries:
    """Rows that are asked for: ``rows`` (q,), ``vectors`` (q, d), and the best other row of each.

    ``best`` (q,) is that row, ``similarity`` (q,) how near it is.
    """

    rows: IntArray
    vectors: Float32Array
    best: IntArray
    similarity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> "Queries":
        """Return the queries from ``start`` to ``stop`` - 1."""
        cut = slice(start, stop)
        return Queries(self.rows[cut], self.vectors[cut], self.best[cut], self.similarity[cut])


def draw(truth: HalfArray, count: int, seed: int) -> IntArray:
    """Return at most ``count`` different rows of vectors (n, d) by chance, none of them all 0.

    Rows of zeros are places that were wiped; any answer to them would be right.
    """
    rows = np.random.default_rng(seed).choice(len(truth), min(count, len(truth)), replace=False)
    found: IntArray = rows[np.any(truth[rows] != 0, axis=1)]
    return found


def answered_exactly(truth: HalfArray, rows: IntArray) -> Queries:
    """Search the vectors (n, d), n ≥ 2, exactly for these ``rows`` (q,).

    Float32 products in blocks, below 256 MiB whatever n. Raises InputError for a vector that is not
    finite.
    """
    vectors = truth[rows].astype(np.float32)
    best = np.zeros(len(rows), np.int64)
    highest = np.full(len(rows), -np.inf, np.float32)
    for start in range(0, len(truth), BLOCK_ROWS):
        block = _finite(truth[start : start + BLOCK_ROWS].astype(np.float32), start)
        for first in range(0, len(rows), BLOCK_QUERIES):
            asked = slice(first, first + BLOCK_QUERIES)
            scores = vectors[asked] @ block.T
            own = rows[asked] - start
            here = np.flatnonzero((own >= 0) & (own < len(block)))
            scores[here, own[here]] = -np.inf
            top = scores.argmax(axis=1)
            found = scores[np.arange(len(top)), top]
            better = found > highest[asked]
            highest[asked][better] = found[better]
            best[asked][better] = top[better] + start
    return Queries(rows, vectors, best, similarities(truth, best, vectors))


def count_right(index: Tunable, truth: HalfArray, queries: Queries) -> int:
    """How many of the queries ``index`` answers with a row as similar as the best one."""
    right, step = 0, max(1, min(BLOCK_QUERIES, SURVIVORS_AT_ONCE // max(1, index.survivors)))
    for start in range(0, len(queries), step):
        asked = queries.part(start, start + step)
        rows = index.search(asked.vectors, 2)[1]
        answer = np.where(rows[:, 0] == asked.rows, rows[:, 1], rows[:, 0])
        near = similarities(truth, answer, asked.vectors) >= asked.similarity - ROUNDING
        right += int((near & (answer >= 0)).sum())
    return right


def similarities(truth: HalfArray, rows: IntArray, vectors: Float32Array) -> NDArray[np.float64]:
    """Products, (q,) float64, of row ``rows[i]`` with vector i of (q, d)."""
    chosen = truth[rows].astype(np.float64)
    found: NDArray[np.float64] = np.einsum("qd,qd->q", chosen, vectors.astype(np.float64))
    return found


def _finite(block: Float32Array, start: int) -> Float32Array:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        row = start + int(np.argmin(finite))
        raise InputError(f"vectors row {row} holds NaN or infinity; embed that picture again")
    return block
