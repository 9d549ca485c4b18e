"""A graph of neighbours in layers, walked from far to near: HNSW.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical
navigable small world graphs", 2016, arXiv:1603.09320. The graph holds half floats; the answers are
ordered by the float32 vectors. A row cannot be taken out of it, so ``remove`` makes it anew.
"""

from typing import Any, ClassVar

from saccade.values import Float32Array, IntArray
from saccade.vectors.faiss_index import FaissIndex

LINKS = 24  # M of the paper: neighbours of a row; twice as many in the lowest layer
BUILD_EFFORT = 100  # efConstruction of the paper


class GraphIndex(FaissIndex):
    """Walks a graph; ``effort`` is how many near rows the walk keeps (ef of the paper)."""

    kind: ClassVar[str] = "graph"
    rebuilds: ClassVar[tuple[str, ...]] = ("remove",)
    default_effort: ClassVar[int] = 128

    def _empty(self, n: int) -> Any:
        faiss = self._library
        half, cosine = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        graph = faiss.IndexHNSWSQ(self.dimension, half, LINKS, cosine)
        graph.hnsw.efConstruction = BUILD_EFFORT
        return faiss.IndexIDMap(graph)

    def _ask(self, queries: Float32Array, k: int) -> IntArray:
        effort = max(self.effort, k)
        walk = self._library.SearchParametersHNSW(efSearch=effort)
        return self._searched(queries, effort, params=walk)
