"""A forest of random planes that halve the vectors: Annoy, the extra ``trees``.

Bernhardsson, "Annoy", github.com/spotify/annoy; the trees are those of Dasgupta and Freund, "Random
projection trees and low dimensional manifolds", STOC 2008, split between two centres. A forest is
finished when it is made, so ``add`` and ``remove`` make it anew.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.shortlist import ShortlistIndex

TREES = 50
SEED = 0


@dataclass(frozen=True, slots=True)
class Forest:
    """Annoy's trees, whose items are places in ``rows`` (n,)."""

    trees: Any
    rows: IntArray


class TreesIndex(ShortlistIndex):
    """Walks TREES trees; ``effort`` is how many rows it collects before it compares."""

    kind: ClassVar[str] = "trees"
    rebuilds: ClassVar[tuple[str, ...]] = ("add", "remove")
    library: ClassVar[str] = "annoy"
    default_effort: ClassVar[int] = 4_000

    def _made(self, rows: IntArray) -> Forest:
        trees = self._bare()
        trees.set_seed(SEED)
        for place, row in enumerate(rows.tolist()):
            trees.add_item(place, self._vectors[row])
        trees.build(TREES, n_jobs=self.threads)
        return Forest(trees, rows)

    def _ask(self, queries: Float32Array, k: int) -> IntArray:
        forest = self._structure
        shortlists = np.full((len(queries), k), -1, dtype=np.int64)
        for shortlist, query in zip(shortlists, queries, strict=True):
            places = forest.trees.get_nns_by_vector(query, k, max(self.effort, k))
            shortlist[: len(places)] = forest.rows[places]
        return shortlists

    def _packed(self) -> UInt8Array:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "trees"
            self._structure.trees.save(str(file))
            return np.fromfile(file, dtype=np.uint8)

    def _unpacked(self, content: UInt8Array) -> Forest:
        trees = self._bare()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "trees"
            content.tofile(file)
            trees.load(str(file))  # mapped: it lasts when the file is removed
        return Forest(trees, self._exact.rows.numbers)

    def _bare(self) -> Any:
        return self._library.AnnoyIndex(self.dimension, "angular")
