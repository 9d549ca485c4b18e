"""Locality-sensitive hashing: one bit for the side of a random plane that a vector lies on.

Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002: two vectors differ
in a bit with the probability angle / pi, so that the number of differing bits orders them. The
codes are compared with every query; the best by Hamming distance are looked at again.
We differ: the planes stand at right angles to each other as far as the dimension allows (Ji et al.,
"Super-bit locality-sensitive hashing", NeurIPS 2012).
"""

from typing import Any, ClassVar

from saccade.values import Float32Array, IntArray
from saccade.vectors.faiss_index import FaissIndex

BITS = 512


class LshIndex(FaissIndex):
    """Compares BITS bits of every row; ``effort`` is how many rows are looked at again."""

    kind: ClassVar[str] = "lsh"
    rebuilds: ClassVar[tuple[str, ...]] = ()
    default_effort: ClassVar[int] = 200

    def _empty(self, n: int) -> Any:
        rotated, thresholds = True, False
        codes = self._library.IndexLSH(self.dimension, BITS, rotated, thresholds)
        return self._library.IndexIDMap(codes)

    def _ask(self, queries: Float32Array, k: int) -> IntArray:
        return self._searched(queries, max(self.effort, k))
