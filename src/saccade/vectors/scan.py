"""The scan: the leading bits of every vector are read once a query, the best looked at again.

Three levels: the head (HEAD_BYTES a vector) leaves the best ``survivors``, the 8-bit rows of those
leave FINALISTS, and half floats give the final order. With cells, the head of the ``probes`` most
likely cells alone is read.
"""

from typing import Self

import numpy as np

from saccade import scan
from saccade.values import Float32Array, IntArray
from saccade.vectors.inputs import checked_queries, matrix
from saccade.vectors.scan_cells import Cells, make_cells
from saccade.vectors.scan_codes import HalfArray, encode, fit

HEAD_BYTES = 16
FINALISTS = 128
SURVIVORS_SHARE, SURVIVORS_LEAST = 1e-3, 2_000


class ScanIndex:
    """Finds the nearest rows of ``vectors`` (n, d) float32 of Euclidean length 1.

    ``survivors``: rows that pass the head, None for a share that grows with n; with n or more of
    them every row is looked at again, and only 8-bit rounding stands before the truth. ``cells``: 0
    for none; ``probes``: how many of them a query reads. Both may be changed between searches.
    Raises InputError when ``vectors`` is not two-dimensional or holds a value that is not finite.
    """

    def __init__(self, vectors: Float32Array, *, cells: int = 0, threads: int = 1) -> None:
        self._build(matrix(vectors, "vectors").astype(np.float16), cells, threads)

    @classmethod
    def of_truth(cls, truth: HalfArray, *, cells: int = 0, threads: int = 1) -> Self:
        """Make an index of half floats (n, d), C-contiguous, which are kept and not copied."""
        index = cls.__new__(cls)
        index._build(truth, cells, threads)
        return index

    def _build(self, truth: HalfArray, cells: int, threads: int) -> None:
        self.threads = threads
        self.survivors = max(SURVIVORS_LEAST, int(SURVIVORS_SHARE * len(truth)))
        self.truth = truth
        self.fitted = fit(truth, head_bytes=HEAD_BYTES)
        self.cells = make_cells(self.fitted, truth, cells=cells) if cells and len(truth) else None
        self.probes = 0 if self.cells is None else len(self.cells.centres)
        order = None if self.cells is None else self.cells.order
        self.codes = encode(self.fitted, truth, order)
        self._finder = scan.Finder(
            scan.kernel(),
            self.codes.head,
            self.fitted.bits,
            self.codes.full,
            truth.view(np.uint16),
            self.fitted.rotation,
            self.fitted.head_step,
            self.fitted.full_step,
            self.codes.escaped,
            order,
        )

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
        effort = (k, max(self.survivors, k), max(FINALISTS, k), self.threads)
        if self.cells is None or self.probes >= len(self.cells.centres) or not len(wanted):
            return self._finder.find(wanted, *effort)
        return self._in_cells(self.cells, wanted, effort)

    def _in_cells(
        self, cells: Cells, queries: Float32Array, effort: tuple[int, int, int, int]
    ) -> tuple[Float32Array, IntArray]:
        """Search each query's likely cells, and everywhere where they hold fewer than k rows."""
        m = cells.centres.shape[1]
        components = queries @ self.fitted.rotation[:, :m]
        ranges = np.stack([cells.ranges(component, self.probes) for component in components])
        scores, rows = self._finder.find(queries, *effort, None, ranges)
        few = (rows < 0).any(axis=1)
        if few.any():
            scores[few], rows[few] = self._finder.find(queries[few], *effort)
        return scores, rows
