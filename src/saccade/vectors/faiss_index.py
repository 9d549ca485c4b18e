"""What the kinds made by faiss share. Douze et al., "The Faiss library", 2024, arXiv:2401.08281."""

from abc import abstractmethod
from typing import Any, ClassVar

from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.library import faiss_threads
from saccade.vectors.shortlist import ShortlistIndex


class FaissIndex(ShortlistIndex):
    """An index whose structure is one of faiss, in the memory of this process."""

    library: ClassVar[str] = "faiss"

    @abstractmethod
    def _empty(self, n: int) -> Any:
        """Return a structure that waits for n rows with their numbers."""

    def _made(self, rows: IntArray) -> Any:
        structure = self._empty(len(rows))
        vectors = self._taken(rows)
        with faiss_threads(self._library, self.threads):
            structure.train(vectors)
            structure.add_with_ids(vectors, rows)
        return structure

    def _extend(self, rows: IntArray) -> None:
        with faiss_threads(self._library, self.threads):
            self._structure.add_with_ids(self._taken(rows), rows)

    def _drop(self, rows: IntArray) -> None:
        self._structure.remove_ids(rows)

    def _searched(self, queries: Float32Array, count: int, **parameters: Any) -> IntArray:
        with faiss_threads(self._library, self.threads):
            rows: IntArray = self._structure.search(queries, count, **parameters)[1]
        return rows

    def _packed(self) -> UInt8Array:
        content: UInt8Array = self._library.serialize_index(self._structure)
        return content

    def _unpacked(self, content: UInt8Array) -> Any:
        return self._library.deserialize_index(content)

    def _taken(self, rows: IntArray) -> Float32Array:
        """These rows; not copied when they are all."""
        return self._vectors if len(rows) == len(self._vectors) else self._vectors[rows]
