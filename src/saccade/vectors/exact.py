"""Exact nearest neighbours by brute force: every query is compared with every row.

The reference that other index kinds are measured against, and fast enough for small galleries.
Rows and queries are cut into blocks, so that memory stays bounded whatever their numbers.
"""

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float32Array, IntArray
from saccade.vectors.inputs import checked_queries, matrix

BLOCK_ROWS = 16_384
BLOCK_QUERIES = 256

ROW_BITS = np.int64(0xFFFFFFFF)

Keys = NDArray[np.int64]


class ExactIndex:
    """Compares every query with every row.

    ``vectors`` is (n, d) float32, rows of Euclidean length 1, so that the dot product is the
    cosine; fewer than 2**32 rows. The array is not copied when it is C-contiguous float32 already.
    Raises InputError when it is not two-dimensional or holds a value that is not finite.
    """

    def __init__(
        self,
        vectors: Float32Array,
        *,
        block_rows: int = BLOCK_ROWS,
        block_queries: int = BLOCK_QUERIES,
    ) -> None:
        self._vectors = matrix(vectors, "vectors")
        self._block_rows = block_rows
        self._block_queries = block_queries

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        return int(self._vectors.shape[1])

    def search(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]:
        """Return the k best rows of each query: similarities (q, k) float32 and rows (q, k) int64.

        Best first; equal similarities by lower row. k above n is clipped to n; an empty index
        answers (q, 0). Similarities are float32 dot products, exact to rounding.
        Raises InputError when k < 1, or ``queries`` is not (q, d) or holds a non-finite value.
        """
        wanted = checked_queries(queries, k, dimension=self.dimension)
        k = min(k, len(self))
        similarities = np.empty((len(wanted), k), dtype=np.float32)
        rows = np.empty((len(wanted), k), dtype=np.int64)
        if k:
            for start in range(0, len(wanted), self._block_queries):
                block = slice(start, start + self._block_queries)
                keys = self._best_keys(wanted[block], k)
                similarities[block], rows[block] = _decode(keys)
        return similarities, rows

    def _best_keys(self, queries: Float32Array, k: int) -> Keys:
        best = np.empty((len(queries), 0), dtype=np.int64)
        for start in range(0, len(self), self._block_rows):
            scores = queries @ self._vectors[start : start + self._block_rows].T
            columns = np.arange(scores.shape[1])
            if best.shape[1] == k:
                # A later row with the same score loses the tie, hence strictly greater.
                worst = _decode(best[:, -1:])[0]
                columns = np.flatnonzero((scores > worst).any(axis=0))
                if not len(columns):
                    continue
                scores = scores[:, columns]
            best = _largest(np.hstack([best, _encode(scores, columns + start)]), k)
        return best


def _encode(scores: Float32Array, rows: IntArray) -> Keys:
    """Pack (score, row) in one integer each, so that the larger key is the better match.

    The high half is the float32 pattern, its negatives flipped so that integers sort as the floats
    do; the low half counts down with the row, which settles ties. Adding 0.0 turns -0.0 into 0.0.
    """
    pattern = (scores + np.float32(0.0)).view(np.int32)
    ordered = pattern ^ ((pattern >> 31) & np.int32(0x7FFFFFFF))
    return (ordered.astype(np.int64) << 32) | (ROW_BITS - rows)


def _decode(keys: Keys) -> tuple[Float32Array, IntArray]:
    ordered = (keys >> 32).astype(np.int32)
    pattern = ordered ^ ((ordered >> 31) & np.int32(0x7FFFFFFF))
    return pattern.view(np.float32), ROW_BITS - (keys & ROW_BITS)


def _largest(keys: Keys, k: int) -> Keys:
    """Return the k largest keys of each row, largest first."""
    if keys.shape[1] > k:
        keys = np.partition(keys, keys.shape[1] - k, axis=1)[:, -k:]
    return np.sort(keys, axis=1)[:, ::-1]
