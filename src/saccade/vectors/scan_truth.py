"""The scan: the leading bits of every vector are read once a query, the best looked at again.

Three levels: the head (HEAD_BYTES a vector) leaves the best ``survivors``, the 8-bit rows of those
leave FINALISTS, and half floats give the final order. With cells, the head of the ``probes`` most
likely cells alone is read.
"""

from typing import Self

import numpy as np

from saccade.values import Float32Array, IntArray
from saccade.vectors.inputs import checked_queries, matrix
from saccade.vectors.scan_cells import Cells, make_cells
from saccade.vectors.scan_coded import FINALISTS, Coded, Effort
from saccade.vectors.scan_codes import Fit, HalfArray, fit, lane_bits
from saccade.vectors.scan_encode import Codes, encode

HEAD_BYTES = 16
SURVIVORS_SHARE, SURVIVORS_LEAST = 1e-3, 2_000


class CodedTruth:
    """Finds the nearest rows of ``vectors`` (n, d) float32 of Euclidean length 1.

    ``survivors``: rows that pass the head, at first a share of n; with n or more of
    them every row is looked at again, and only 8-bit rounding stands before the truth. ``cells``: 0
    for none; ``probes``: how many of them a query reads; ``margin``: which of these it may leave
    out, see ``Effort``. All three may be changed between searches.
    Raises InputError when ``vectors`` is not two-dimensional or holds a value that is not finite.
    """

    def __init__(self, vectors: Float32Array, *, cells: int = 0, threads: int = 1) -> None:
        truth = matrix(vectors, "vectors").astype(np.float16)
        self._take(truth, *_coded(truth, cells, HEAD_BYTES), threads)

    @classmethod
    def of_truth(
        cls, truth: HalfArray, *, cells: int = 0, head_bytes: int = HEAD_BYTES, threads: int = 1
    ) -> Self:
        """Make an index of half floats (n, d), C-contiguous, which are kept and not copied."""
        return cls.of_codes(truth, *_coded(truth, cells, head_bytes), threads=threads)

    @classmethod
    def of_codes(
        cls, truth: HalfArray, fitted: Fit, codes: Codes, cells: Cells | None, *, threads: int = 1
    ) -> Self:
        """Take codes that were made before of half floats (n, d); nothing is copied."""
        index = cls.__new__(cls)
        index._take(truth, fitted, codes, cells, threads)
        return index

    def _take(
        self, truth: HalfArray, fitted: Fit, codes: Codes, cells: Cells | None, threads: int
    ) -> None:
        self.threads = threads
        self.survivors = max(SURVIVORS_LEAST, int(SURVIVORS_SHARE * len(truth)))
        self.truth, self.fitted, self.codes, self.cells = truth, fitted, codes, cells
        self.probes = 0 if cells is None else len(cells.centres)
        self.margin = 0.0
        self._coded = Coded(fitted, codes, cells, truth)
        self._filled = None if cells is None else lane_bits(cells.order >= 0)

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        return int(self.truth.shape[1])

    @property
    def code_bytes(self) -> int:
        """Bytes of all codes, without the half-float truth."""
        return self.codes.head.nbytes + self.codes.full.nbytes

    def search(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]:
        """Return the k best rows of each query: similarities (q, k) float32 and rows (q, k) int64.

        Best first; equal similarities by lower row; k above n is clipped to n. Similarities are dot
        products with the half-float rows. Raises InputError when k < 1, or ``queries`` is not
        (q, d) or holds a non-finite value.
        """
        wanted = checked_queries(queries, k, dimension=self.dimension)
        k = min(k, len(self))
        if not k or not len(wanted):
            return np.empty((len(wanted), k), np.float32), np.empty((len(wanted), k), np.int64)
        scores, rows = self._find(wanted, k, self.probes, self.margin)
        short = np.flatnonzero((rows < 0).any(axis=1))
        if len(short):  # The likely cells hold fewer than k rows.
            scores[short], rows[short] = self._find(wanted[short], k, 0, 0)
        return scores, rows

    def _find(
        self, queries: Float32Array, k: int, probes: int, margin: float
    ) -> tuple[Float32Array, IntArray]:
        margin = margin if self.survivors < len(self) else 0.0  # all of them, in one round
        effort = Effort(self.survivors, probes, FINALISTS, margin)
        return self._coded.find(queries, k, effort, allowed=self._filled, threads=self.threads)


def _coded(truth: HalfArray, cells: int, head_bytes: int) -> tuple[Fit, Codes, Cells | None]:
    if cells and len(truth):
        fitted, made = make_cells(truth, cells=cells, head_bytes=head_bytes)
        return fitted, encode(fitted, truth, made), made
    fitted = fit(truth, head_bytes=head_bytes)
    return fitted, encode(fitted, truth), None
