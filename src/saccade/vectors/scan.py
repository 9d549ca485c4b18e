"""The scan: the leading bits of every vector are read once a query, the best looked at again.

Three levels: the head (HEAD_BYTES a vector) leaves the best ``survivors``, the 8-bit rows of those
leave FINALISTS, and half floats give the final order.
"""

import numpy as np

from saccade import scan
from saccade.errors import InputError
from saccade.values import Float32Array, IntArray
from saccade.vectors.exact import matrix
from saccade.vectors.scan_codes import encode, fit

HEAD_BYTES = 16
FINALISTS = 128
SURVIVORS_SHARE, SURVIVORS_LEAST = 1e-3, 2_000


class ScanIndex:
    """Finds the nearest rows of ``vectors`` (n, d) float32 of Euclidean length 1.

    ``survivors``: rows that pass the head, None for a share that grows with n; with n or more of
    them every row is looked at again, and only 8-bit rounding stands before the truth.
    Raises InputError when ``vectors`` is not two-dimensional or holds a value that is not finite.
    """

    def __init__(
        self,
        vectors: Float32Array,
        *,
        head_bytes: int = HEAD_BYTES,
        survivors: int | None = None,
        threads: int = 1,
    ) -> None:
        rows = matrix(vectors, "vectors")
        self.fitted = fit(rows, head_bytes=head_bytes)
        self.survivors = survivors or max(SURVIVORS_LEAST, int(SURVIVORS_SHARE * len(rows)))
        self.threads = threads
        self._coded = encode(self.fitted, rows)
        self._finder = scan.Finder(
            scan.kernel(),
            self._coded.head,
            self.fitted.bits,
            self._coded.full,
            self._coded.truth,
            self.fitted.rotation,
            self.fitted.head_step,
            self.fitted.full_step,
            self._coded.escaped,
        )

    def __len__(self) -> int:
        return len(self._coded.full)

    @property
    def dimension(self) -> int:
        """Length d of a row."""
        return int(self._coded.full.shape[1])

    @property
    def code_bytes(self) -> int:
        """Bytes of all codes, without the half-float truth."""
        return self._coded.head.nbytes + self._coded.full.nbytes

    def search(self, queries: Float32Array, k: int) -> tuple[Float32Array, IntArray]:
        """Return the k best rows of each query: similarities (q, k) float32 and rows (q, k) int64.

        Best first; equal similarities by lower row; k above n is clipped to n. Similarities are dot
        products with the half-float rows. Raises InputError when k < 1, or ``queries`` is not
        (q, d) or holds a non-finite value.
        """
        wanted = matrix(queries, "queries")
        if wanted.shape[1] != self.dimension:
            raise InputError(
                f"queries have {wanted.shape[1]} columns; the index holds vectors of length "
                f"{self.dimension}: embed both with the same model"
            )
        if k < 1:
            raise InputError(f"k must be 1 or more, got {k}")
        return self._finder.find(
            np.ascontiguousarray(wanted), k, max(self.survivors, k), max(FINALISTS, k), self.threads
        )
