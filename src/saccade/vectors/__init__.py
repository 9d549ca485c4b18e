"""Index kinds: from query vectors to the nearest rows of a matrix, by cosine similarity."""

from pathlib import Path
from typing import ClassVar, Protocol, Self

from numpy.typing import ArrayLike

from saccade.values import Float32Array, IntArray
from saccade.vectors.exact import ExactIndex
from saccade.vectors.graph import GraphIndex
from saccade.vectors.ivf import IvfIndex
from saccade.vectors.lsh import LshIndex
from saccade.vectors.scan import ScanIndex
from saccade.vectors.trees import TreesIndex


class Index(Protocol):
    """Finds the nearest of vectors, (n, d) float32 of Euclidean length 1, by their row numbers.

    Raises InputError for vectors that are not two-dimensional, not of length d, or not finite; an
    index that refuses is as it was.
    """

    kind: ClassVar[str]
    """Name in INDEXES, and in the files that ``save`` writes."""

    rebuilds: ClassVar[tuple[str, ...]]
    """Which of "add" and "remove" make the index anew from its vectors; the others change it."""

    def __init__(self, vectors: Float32Array, /) -> None:
        """Make an index of these vectors, as ``fit`` does."""

    def __len__(self) -> int:
        """Number of rows left."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""

    @property
    def memory(self) -> int:
        """Bytes that the index takes, its vectors included."""

    def fit(self, vectors: Float32Array) -> None:
        """Replace all rows by vectors (n, d), numbered from 0."""

    def add(self, vectors: Float32Array) -> None:
        """Append vectors (m, d); they get the next numbers."""

    def remove(self, rows: ArrayLike) -> None:
        """Take these rows out for good; the others keep their numbers.

        Raises InputError, and removes none, for a number that is not in the index.
        """

    def find(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]:
        """Return the k best rows of each query: similarities (q, k) float32 and rows (q, k) int64.

        Best first; equal similarities by lower row; k above the rows left is clipped to them.
        Similarities are cosines to the rows, and not to codes of them. Raises InputError when
        k < 1, or ``queries`` is not (q, d) or holds a value that is not finite.
        """

    def save(self, path: Path | str) -> None:
        """Write the index to one file, all of it or nothing."""

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what ``save`` wrote. Raises InputError for a broken file or another kind."""


INDEXES: dict[str, type[Index]] = {
    "exact": ExactIndex,
    "scan": ScanIndex,
    "lsh": LshIndex,
    "graph": GraphIndex,
    "ivf": IvfIndex,
    "trees": TreesIndex,
}
