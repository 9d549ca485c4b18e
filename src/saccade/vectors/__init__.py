"""Index kinds: from query vectors to the nearest rows of a matrix, by cosine similarity."""

from typing import Protocol

from saccade.values import Float32Array, IntArray
from saccade.vectors.exact import ExactIndex
from saccade.vectors.scan import ScanIndex


class Index(Protocol):
    """Finds the nearest of the vectors, (n, d) float32 of Euclidean length 1, that it is made of.

    Raises InputError when they are not two-dimensional or hold a value that is not finite.
    """

    def __init__(self, vectors: Float32Array, /) -> None: ...

    def __len__(self) -> int:
        """Number of vectors."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""

    def search(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]:
        """Return the k best rows of each query: similarities (q, k) float32 and rows (q, k) int64.

        Best first; equal similarities by lower row; k above n is clipped to n. Raises InputError
        when k < 1, or ``queries`` is not (q, d) or holds a value that is not finite.
        """


INDEXES: dict[str, type[Index]] = {"exact": ExactIndex, "scan": ScanIndex}
