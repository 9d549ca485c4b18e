"""What the approximate kinds share: a library's shortlist, ordered again by true cosines.

A kind says how its structure is made, asked, and turned into bytes, and how rows are added to it or
dropped; what it cannot do, ``rebuilds`` names, and the structure is made anew from the vectors.
Where a shortlist is shorter than what was asked for, the query is compared with every row.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from saccade.errors import SettingError
from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.exact import ExactIndex
from saccade.vectors.index_file import read_index, write_index
from saccade.vectors.inputs import checked_queries, checked_rows, checked_width
from saccade.vectors.keys import NO_KEY, decode, encode, largest
from saccade.vectors.library import library
from saccade.vectors.rows import Rows

BLOCK_BYTES = 1 << 24  # of rows that are gathered to be looked at again


class ShortlistIndex(ABC):
    """Finds the nearest of ``vectors`` (n, d) float32 of Euclidean length 1, most of the time.

    ``effort``: a whole number, more finds more and takes longer; what it counts, the kind says.
    Both ``effort`` and ``threads`` may be changed between searches.
    Raises InputError for vectors that are not two-dimensional or not finite, SettingError for an
    effort or threads below 1 and when the library is not installed.
    """

    kind: ClassVar[str]
    rebuilds: ClassVar[tuple[str, ...]]
    library: ClassVar[str]
    default_effort: ClassVar[int]
    least_rows: ClassVar[int] = 1  # with fewer, there is no structure, and every row is compared

    def __init__(
        self, vectors: Float32Array, *, effort: int | None = None, threads: int = 1
    ) -> None:
        self._start(effort, threads)
        self.fit(vectors)

    def _start(self, effort: int | None, threads: int = 1) -> None:
        self._library = library(self.library, kind=self.kind)
        self.effort = _positive(self.default_effort if effort is None else effort, "effort")
        self.threads = _positive(threads, "threads")

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        return self._exact.dimension

    @property
    def memory(self) -> int:
        """Bytes of the vectors, and of the structure as it stands in a file."""
        return self._exact.memory + self._content().nbytes

    @property
    def _vectors(self) -> Float32Array:
        return self._exact.rows.vectors

    def fit(self, vectors: Float32Array) -> None:
        """Replace all rows by vectors (n, d), numbered from 0."""
        self._exact = ExactIndex(vectors)
        self._rebuild()

    def add(self, vectors: Float32Array) -> None:
        """Append vectors (m, d); they get the next numbers."""
        checked = checked_width(vectors, "vectors", dimension=self.dimension)
        if not len(checked):
            return
        rows = self._exact.rows.append(checked)
        if self._structure is None or "add" in self.rebuilds:
            self._rebuild()
        else:
            self._extend(rows)

    def remove(self, rows: ArrayLike) -> None:
        """Overwrite these rows with zeros, and answer them never again."""
        numbers = checked_rows(rows, self._exact.rows.left)
        if not len(numbers):
            return
        self._exact.rows.remove(numbers)
        if len(self) < self.least_rows or "remove" in self.rebuilds:
            self._rebuild()
        else:
            self._drop(numbers)

    def find(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]:
        """Return k near rows of each query: similarities (q, k) float32 and rows (q, k) int64.

        Best first; equal similarities by lower row. k above n is clipped to n; an empty index
        answers (q, 0). Similarities are float32 dot products, exact to rounding.
        Raises InputError when k < 1, or ``queries`` is not (q, d) or holds a non-finite value.
        """
        wanted = checked_queries(queries, k, dimension=self.dimension)
        k = min(k, len(self))
        if self._structure is None or k == len(self) or not len(wanted):
            return self._exact.find(wanted, max(k, 1))
        shortlists = self._ask(wanted, k)
        similarities, rows = self._ranked(wanted, shortlists, k)
        short = (shortlists >= 0).sum(axis=1) < k
        if short.any():
            similarities[short], rows[short] = self._exact.find(wanted[short], k)
        return similarities, rows

    def save(self, path: Path | str) -> None:
        """Write the index to one file, all of it or nothing."""
        truth = self._exact.rows
        arrays = {"vectors": truth.vectors, "left": truth.left, "structure": self._content()}
        write_index(path, kind=self.kind, settings={"effort": self.effort}, arrays=arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what ``save`` wrote. Raises InputError for a broken file or another kind.

        A structure that this version of the library cannot read is made anew.
        """
        settings, arrays = read_index(path, kind=cls.kind)
        index = cls.__new__(cls)
        index._start(settings["effort"])
        index._exact = ExactIndex(arrays["vectors"])
        index._exact.rows = Rows(arrays["vectors"], arrays["left"])
        index._structure = None
        if len(index) >= cls.least_rows:
            try:
                index._structure = index._unpacked(arrays["structure"])
            except (RuntimeError, OSError):
                index._rebuild()
        return index

    def _rebuild(self) -> None:
        self._structure: Any = None
        if len(self) >= self.least_rows:
            self._structure = self._made(self._exact.rows.numbers)

    def _content(self) -> UInt8Array:
        none = np.empty(0, dtype=np.uint8)
        return none if self._structure is None else self._packed()

    def _ranked(
        self, queries: Float32Array, shortlists: IntArray, k: int
    ) -> tuple[Float32Array, IntArray]:
        """Return the k best rows of each shortlist (q, s), of whose places -1 are empty."""
        size = shortlists.shape[1] * self.dimension * 4
        step = max(1, BLOCK_BYTES // max(1, size))
        keys = np.empty((len(queries), k), dtype=np.int64)
        for start in range(0, len(queries), step):
            block = slice(start, start + step)
            rows = shortlists[block]
            scores = np.einsum("qd,qsd->qs", queries[block], self._vectors[rows])
            keys[block] = largest(np.where(rows < 0, NO_KEY, encode(scores, rows)), k)
        return decode(keys)

    @abstractmethod
    def _made(self, rows: IntArray) -> Any:
        """Return a structure of these rows, at least ``least_rows`` of them."""

    @abstractmethod
    def _ask(self, queries: Float32Array, k: int) -> IntArray:
        """Return a shortlist (q, s) of rows for each query, s ≥ k; -1 fills up."""

    @abstractmethod
    def _packed(self) -> UInt8Array:
        """Return the structure as bytes (b,)."""

    @abstractmethod
    def _unpacked(self, content: UInt8Array) -> Any:
        """Return the structure that ``_packed`` turned into bytes."""

    def _extend(self, rows: IntArray) -> None:
        """Put these rows into the structure."""
        raise NotImplementedError  # named in ``rebuilds``

    def _drop(self, rows: IntArray) -> None:
        """Take these rows out of the structure."""
        raise NotImplementedError  # named in ``rebuilds``


def _positive(value: int, what: str) -> int:
    if value < 1:
        raise SettingError(f"{what} must be 1 or more, got {value}")
    return value
