"""Exact nearest neighbours by brute force: every query is compared with every row.

The reference that other index kinds are measured against, and fast enough for small galleries.
Rows and queries are cut into blocks, so that memory stays bounded whatever their numbers.
"""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from saccade.values import Float32Array, IntArray
from saccade.vectors.index_file import read_index, write_index
from saccade.vectors.inputs import checked_queries, checked_rows, checked_width, matrix
from saccade.vectors.keys import Keys, decode, encode, largest
from saccade.vectors.rows import Rows

BLOCK_ROWS = 16_384
BLOCK_QUERIES = 256


class ExactIndex:
    """Compares every query with every row.

    ``vectors`` is (n, d) float32, rows of Euclidean length 1, so that the dot product is the
    cosine; fewer than 2**32 rows. The array is not copied when it is C-contiguous float32 already,
    before rows are added or removed.
    Raises InputError when it is not two-dimensional or holds a value that is not finite.
    """

    kind: ClassVar[str] = "exact"
    rebuilds: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        vectors: Float32Array,
        *,
        block_rows: int = BLOCK_ROWS,
        block_queries: int = BLOCK_QUERIES,
    ) -> None:
        self._block_rows = block_rows
        self._block_queries = block_queries
        self.fit(vectors)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        return int(self.rows.vectors.shape[1])

    @property
    def memory(self) -> int:
        """Bytes of the vectors."""
        return self.rows.vectors.nbytes + self.rows.left.nbytes

    def fit(self, vectors: Float32Array) -> None:
        """Replace all rows by vectors (n, d), numbered from 0."""
        self.rows = Rows(matrix(vectors, "vectors"))

    def add(self, vectors: Float32Array) -> None:
        """Append vectors (m, d); they get the next numbers."""
        self.rows.append(checked_width(vectors, "vectors", dimension=self.dimension))

    def remove(self, rows: ArrayLike) -> None:
        """Overwrite these rows with zeros, and answer them never again."""
        self.rows.remove(checked_rows(rows, self.rows.left))

    def find(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]:
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
                similarities[block], rows[block] = decode(keys)
        return similarities, rows

    def _best_keys(self, queries: Float32Array, k: int) -> Keys:
        best = np.empty((len(queries), 0), dtype=np.int64)
        for start in range(0, len(self.rows.left), self._block_rows):
            block = slice(start, start + self._block_rows)
            scores = queries @ self.rows.vectors[block].T
            columns = np.flatnonzero(self.rows.left[block])
            if len(columns) < scores.shape[1]:
                scores = scores[:, columns]
            if best.shape[1] == k:
                # A later row with the same score loses the tie, hence strictly greater.
                worst = decode(best[:, -1:])[0]
                better = np.flatnonzero((scores > worst).any(axis=0))
                if not len(better):
                    continue
                scores, columns = scores[:, better], columns[better]
            best = largest(np.hstack([best, encode(scores, columns + start)]), k)
        return best

    def save(self, path: Path | str) -> None:
        """Write the index to one file, all of it or nothing."""
        arrays = {"vectors": self.rows.vectors, "left": self.rows.left}
        write_index(path, kind=self.kind, settings={}, arrays=arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what ``save`` wrote. Raises InputError for a broken file or another kind."""
        arrays = read_index(path, kind=cls.kind)[1]
        index = cls(arrays["vectors"])
        index.rows = Rows(arrays["vectors"], arrays["left"])
        return index
