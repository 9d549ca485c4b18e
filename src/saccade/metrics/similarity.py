"""How alike two pictures are: the cosine of their vectors, or minus their Euclidean distance.

Both rise with likeness, so that every figure is computed in one way. Sums are taken in float64:
equal vectors then give scores that are equal far below the stated tie width, whatever block of a
matrix product they fell into.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.names import look_up
from saccade.values import IntArray

UNIT_TOLERANCE = 1e-2
TIE_SHARE = 1e-6  # float32 vectors carry no more than this, relative to their length
PAIR_BLOCK = 1 << 22  # numbers gathered at once


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Vectors made ready to be compared.

    ``rows``: (n, d) float64. ``tie``: scores nearer than this count as equal.
    """

    rows: NDArray[np.float64]
    tie: float
    euclidean: bool

    def matrix(self, queries: IntArray, gallery: IntArray) -> NDArray[np.float64]:
        """Return (q, g) similarities between the pictures of these numbers."""
        left, right = self.rows[queries], self.rows[gallery]
        products: NDArray[np.float64] = left @ right.T
        if not self.euclidean:
            return products
        squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None, :] - 2 * products
        distances: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
        return -distances

    def paired(self, first: IntArray, second: IntArray) -> NDArray[np.float64]:
        """Return (p,) similarities of the pairs (first[i], second[i]), a block at a time."""
        scores = np.empty(len(first), dtype=np.float64)
        block = max(1, PAIR_BLOCK // self.rows.shape[1])
        for start in range(0, len(first), block):
            piece = slice(start, start + block)
            left, right = self.rows[first[piece]], self.rows[second[piece]]
            if self.euclidean:
                scores[piece] = -np.sqrt(((left - right) ** 2).sum(1))
            else:
                scores[piece] = np.einsum("ij,ij->i", left, right)
        return scores


def compare(vectors: NDArray[np.floating], similarity: str = "cosine") -> Comparison:
    """Check ``vectors`` (n, d) and make them ready; ``similarity`` is a name in SIMILARITIES.

    Raises InputError for a wrong shape, for NaN or infinity, and, with "cosine", for rows whose
    length is not 1.
    """
    prepare = look_up(SIMILARITIES, similarity, "similarity")
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] == 0:
        raise InputError(
            f"vectors must have shape (pictures, dimensions), both at least 1; got {rows.shape}"
        )
    broken = ~np.isfinite(rows).all(axis=1)
    if broken.any():
        raise InputError(
            f"vector {int(broken.argmax())} holds NaN or infinity ({int(broken.sum())} of "
            f"{len(rows)} do); check the embedder that made it"
        )
    return prepare(rows)


def _cosine(rows: NDArray[np.float64]) -> Comparison:
    lengths = np.linalg.norm(rows, axis=1)
    wrong = np.abs(lengths - 1.0) > UNIT_TOLERANCE
    if wrong.any():
        first = int(wrong.argmax())
        raise InputError(
            f"vector {first} has length {lengths[first]:.4g}; cosine needs length 1: divide each "
            "row by its length, or compare with similarity 'negative_l2'"
        )
    return Comparison(rows / lengths[:, None], TIE_SHARE, euclidean=False)


def _negative_l2(rows: NDArray[np.float64]) -> Comparison:
    tie = TIE_SHARE * float(np.linalg.norm(rows, axis=1).max())
    # Distances do not change, but near ones lose fewer digits in |a|² + |b|² - 2ab.
    return Comparison(rows - rows.mean(axis=0), tie, euclidean=True)


SIMILARITIES = {"cosine": _cosine, "negative_l2": _negative_l2}
