"""The queries that a tuning asks: rows of the gallery, a share of them as strangers.

Leave-one-out: a row may not be answered with itself. For a stranger no row of its identity may be
the answer, so that its best row is as far away as for someone who is not in the gallery.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_codes import HalfArray

STRANGERS = 0.3  # of the queries
MOST_ROWS = 31  # of an identity that is asked as a stranger; an index must bring one more
BLOCK_ROWS = 4_096
BLOCK_QUERIES = 1_024  # with BLOCK_ROWS: 16 MiB of similarities


@dataclass(frozen=True, slots=True)
class Queries:
    """Rows that are asked for: ``rows`` (q,), ``vectors`` (q, d), and the best row of each.

    ``own`` (q, w): rows that may not answer, as ``own_rows`` gives them. ``best`` (q,) is the
    nearest of the others, ``similarity`` (q,) how near it is.
    """

    rows: IntArray
    vectors: Float32Array
    own: IntArray
    best: IntArray
    similarity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> "Queries":
        """Return the queries from ``start`` to ``stop`` - 1."""
        return self.chosen(np.arange(start, min(stop, len(self))))

    def chosen(self, numbers: IntArray) -> "Queries":
        """Return the queries of these numbers."""
        own, best = self.own[numbers], self.best[numbers]
        return Queries(
            self.rows[numbers], self.vectors[numbers], own, best, self.similarity[numbers]
        )


def draw(truth: HalfArray, count: int, seed: int) -> IntArray:
    """Return at most ``count`` different rows of vectors (n, d) by chance, none of them all 0.

    Rows of zeros are places that were wiped; any answer to them would be right.
    """
    rows = np.random.default_rng(seed).choice(len(truth), min(count, len(truth)), replace=False)
    found: IntArray = rows[np.any(truth[rows] != 0, axis=1)]
    return found


def own_rows(rows: IntArray, groups: IntArray | None) -> tuple[IntArray, NDArray[np.bool_]]:
    """The rows that may not answer queries ``rows`` (q,), and which of them ask as strangers.

    The rows are (q, w), some of them repeated: a query's own row and, for a stranger, all of its
    identity in ``groups`` (n,), None where nobody knows it. Strangers (q,) are STRANGERS of the
    queries, evenly spread, among those whose identity has at most MOST_ROWS rows and is not the
    only one; all of those where they are fewer.
    """
    unknown = np.zeros(len(rows), np.bool_)
    if groups is None:
        return rows[:, None], unknown
    order = np.argsort(groups, kind="stable")
    first, after = (
        np.searchsorted(groups, groups[rows], side=side, sorter=order) for side in ("left", "right")
    )
    sizes = after - first
    small = np.flatnonzero((sizes <= MOST_ROWS) & (sizes < len(groups)))
    count = min(len(small), round(STRANGERS * len(rows)))
    unknown[small[np.arange(count) * len(small) // max(1, count)]] = True
    column = np.arange(sizes[unknown].max(initial=1))
    family = order[np.minimum(first[:, None] + column, after[:, None] - 1)]
    return np.where(unknown[:, None], family, rows[:, None]), unknown


def checked_groups(groups: IntArray | None, n: int) -> IntArray | None:
    """Return the identity of each of n rows. Raises InputError when it is not one number each."""
    if groups is not None and (groups.shape != (n,) or groups.dtype.kind not in "iu"):
        raise InputError(
            f"groups must be one whole number for each of {n:,} rows, got shape {groups.shape} "
            f"of {groups.dtype}"
        )
    return groups


def answered_exactly(truth: HalfArray, rows: IntArray, own: IntArray | None = None) -> Queries:
    """Search the vectors (n, d), n ≥ 2, exactly for these ``rows`` (q,).

    ``own`` (q, w): rows that may not answer, of each query; itself unless given. Float32 products
    in blocks, below 64 MiB whatever n. Raises InputError for a vector that is not finite.
    """
    own = rows[:, None] if own is None else own
    vectors = truth[rows].astype(np.float32)
    best = np.zeros(len(rows), np.int64)
    highest = np.full(len(rows), -np.inf, np.float32)
    for start in range(0, len(truth), BLOCK_ROWS):
        block = _finite(truth[start : start + BLOCK_ROWS].astype(np.float32), start)
        here = (own >= start) & (own < start + len(block))
        for first in range(0, len(rows), BLOCK_QUERIES):
            asked = slice(first, first + BLOCK_QUERIES)
            scores = vectors[asked] @ block.T
            query, column = np.nonzero(here[asked])
            scores[query, own[asked][query, column] - start] = -np.inf
            top = scores.argmax(axis=1)
            found = scores[np.arange(len(top)), top]
            better = found > highest[asked]
            highest[asked][better] = found[better]
            best[asked][better] = top[better] + start
    return Queries(rows, vectors, own, best, similarities(truth, best, vectors))


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
