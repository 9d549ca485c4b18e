"""Inverted lists of product-quantised codes: the lists of the nearest centres alone are read.

Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", PAMI 2011; André,
Kermarrec and Le Scouarnec, "Cache locality is not enough", PVLDB 2015, for codes of 4 bits that are
looked up in registers. The best by code are looked at again. Rows that are added go to the lists
that are there; when they are enough for REFIT_FACTOR times the lists, all is fitted anew.
"""

import math
from typing import Any, ClassVar

from saccade.values import Float32Array, IntArray
from saccade.vectors.faiss_index import FaissIndex

CODE_BITS = 4
ROWS_A_CENTRE = 39  # fewer fit no centre well
LISTS_FACTOR = 4
REFIT_FACTOR = 1.4
SHORTLIST, SHORTLIST_FACTOR = 100, 10


class IvfIndex(FaissIndex):
    """Reads some of about 4 sqrt(n) lists; ``effort`` is how many (probes)."""

    kind: ClassVar[str] = "ivf"
    rebuilds: ClassVar[tuple[str, ...]] = ()
    default_effort: ClassVar[int] = 64
    least_rows: ClassVar[int] = ROWS_A_CENTRE * 2**CODE_BITS

    def _empty(self, n: int) -> Any:
        faiss, d = self._library, self.dimension
        parts = d // 2 if d % 2 == 0 else d
        centres, cosine = faiss.IndexFlatIP(d), faiss.METRIC_INNER_PRODUCT
        return faiss.IndexIVFPQFastScan(centres, d, _lists(n), parts, CODE_BITS, cosine)

    def _extend(self, rows: IntArray) -> None:
        if _lists(len(self)) >= REFIT_FACTOR * self._structure.nlist:
            self._rebuild()
        else:
            super()._extend(rows)

    def _ask(self, queries: Float32Array, k: int) -> IntArray:
        probes = self._library.SearchParametersIVF(nprobe=self.effort)
        return self._searched(queries, max(SHORTLIST, SHORTLIST_FACTOR * k), params=probes)


def _lists(n: int) -> int:
    """How many lists suit n rows."""
    return min(n // ROWS_A_CENTRE, round(LISTS_FACTOR * math.sqrt(n)))
