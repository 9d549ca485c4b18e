"""The rows of an index: vectors by number, some of them removed."""

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float32Array, IntArray

GROWTH = 1.5  # of the place for rows, so that adding one by one copies each row a few times only


class Rows:
    """Vectors by row number. A removed row is overwritten with zeros; the others keep theirs.

    ``vectors`` (n, d) float32, C-contiguous, is not copied before the first change. ``left`` (n,)
    says which of them are not removed, all when None.
    """

    def __init__(self, vectors: Float32Array, left: NDArray[np.bool_] | None = None) -> None:
        self._place, self._owned = vectors, False
        self.left = np.ones(len(vectors), dtype=np.bool_) if left is None else left
        self._count = int(self.left.sum())

    def __len__(self) -> int:
        """Number of rows left."""
        return self._count

    @property
    def vectors(self) -> Float32Array:
        """All rows (n, d), the removed ones as zeros."""
        return self._place[: len(self.left)]

    @property
    def numbers(self) -> IntArray:
        """The numbers of the rows left, rising."""
        return np.flatnonzero(self.left)

    def append(self, vectors: Float32Array) -> IntArray:
        """Put vectors (m, d) at the end; returns their numbers."""
        n, total = len(self.left), len(self.left) + len(vectors)
        if total > len(self._place):
            self._move(max(total, int(GROWTH * n)))
        elif not self._owned:
            self._move(total)
        self._place[n:total] = vectors
        self.left = np.concatenate([self.left, np.ones(len(vectors), dtype=np.bool_)])
        self._count += len(vectors)
        return np.arange(n, total)

    def remove(self, numbers: IntArray) -> None:
        """Overwrite these rows, which are left and differ, with zeros."""
        if not self._owned:
            self._move(len(self.left))
        self._place[numbers] = 0.0
        self.left[numbers] = False
        self._count -= len(numbers)

    def _move(self, places: int) -> None:
        moved = np.empty((places, self._place.shape[1]), dtype=np.float32)
        moved[: len(self.left)] = self.vectors
        self._place, self._owned, self.left = moved, True, self.left.copy()
