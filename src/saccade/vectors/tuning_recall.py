"""How often an index answers as exact search does, measured on rows of the gallery itself.

An answer as similar as the best one is right, whichever of equal rows it is.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_codes import Fit, HalfArray
from saccade.vectors.tuning_queries import BLOCK_QUERIES, Queries, similarities

SURVIVORS_AT_ONCE = 4_000_000  # of all queries that one call brings; 16 bytes each
ROUNDING = 1e-6  # similarities of unit vectors that float32 sums cannot tell apart


class Tunable(Protocol):
    """An index whose effort can be changed between searches; see ``scan_truth``."""

    survivors: int
    probes: int
    margin: float

    @property
    def fitted(self) -> Fit: ...

    @property
    def cells(self) -> Cells | None: ...

    @property
    def code_bytes(self) -> int: ...

    def search(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]: ...


def count_right(index: Tunable, truth: HalfArray, queries: Queries) -> int:
    """How many of the queries ``index`` answers with a row as similar as the best one.

    It is asked for one row more than may not answer, so that the best of the others is also what
    decides which cells it leaves out; where it brings no other, it is wrong.
    """
    right, step = 0, max(1, min(BLOCK_QUERIES, SURVIVORS_AT_ONCE // max(1, index.survivors)))
    barred = 1 + (np.diff(np.sort(queries.own, axis=1), axis=1) != 0).sum(axis=1)
    for count in np.unique(barred):
        alike = np.flatnonzero(barred == count)
        for start in range(0, len(alike), step):
            asked = queries.chosen(alike[start : start + step])
            rows = index.search(asked.vectors, int(count) + 1)[1]
            answer = _first_other(rows, asked.own)
            near = similarities(truth, answer, asked.vectors) >= asked.similarity - ROUNDING
            right += int((near & (answer >= 0)).sum())
    return right


def _first_other(rows: IntArray, own: IntArray) -> IntArray:
    """The first of each query's rows (q, k) that is none of its own (q, w); -1 for none."""
    barred: NDArray[np.bool_] = (rows[:, :, None] == own[:, None, :]).any(axis=2) | (rows < 0)
    first = rows[np.arange(len(rows)), barred.argmin(axis=1)]
    return np.where(barred.all(axis=1), -1, first)
