"""Codes ready to be searched: from query vectors to the positions that are worth a closer look."""

from dataclasses import dataclass

import numpy as np

from saccade import scan
from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_codes import Fit, HalfArray
from saccade.vectors.scan_encode import Codes

FINALISTS = 128


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of the codes a query reads.

    ``survivors`` rows pass the head, ``finalists`` of them the 8-bit level; ``probes`` cells are
    looked at, where there are cells: 0 for all. With a ``margin``, the nearest of these come first,
    and of the others those alone whose rows, that many radii from their centre, may be as similar
    as what was found: 0 for all.
    """

    survivors: int
    probes: int = 0
    finalists: int = FINALISTS
    margin: float = 0


class Coded:
    """The codes of n positions; the arrays may be mapped from a file, and are not copied.

    With the ``truth`` (≥ n, d) that they were made of, ``find`` gives similarities; without it
    ``shortlist`` gives positions to be compared elsewhere. Raises ValueError when the arrays do not
    fit together.
    """

    def __init__(
        self, fitted: Fit, codes: Codes, cells: Cells | None, truth: HalfArray | None = None
    ) -> None:
        self.fitted, self.cells = fitted, cells
        order = None
        if truth is not None and cells is not None:
            order = np.maximum(cells.order, 0).astype(np.uint32)
        self._finder = scan.Finder(
            scan.kernel(),
            codes.head,
            fitted.bits,
            codes.full,
            None if truth is None else truth.view(np.uint16),
            fitted.rotation,
            fitted.head_step,
            fitted.full_step,
            codes.escaped,
            order,
        )

    def find(
        self,
        queries: Float32Array,
        k: int,
        effort: Effort,
        *,
        allowed: UInt8Array | None = None,
        threads: int = 1,
    ) -> tuple[Float32Array, IntArray]:
        """Return scores and rows of the truth, both (q, k), for queries (q, d), best first.

        ``allowed`` has a bit a position, in whole blocks of 16; with cells it leaves out those that
        fill up. Where fewer than k rows are found, -inf and -1 fill up.
        """
        return self._finder.find(
            queries,
            k,
            max(effort.survivors, k),
            max(effort.finalists, k),
            threads,
            allowed,
            *self._probed(queries, effort),
        )

    def shortlist(
        self,
        queries: Float32Array,
        k: int,
        effort: Effort,
        *,
        allowed: UInt8Array | None = None,
        threads: int = 1,
    ) -> IntArray:
        """Return the positions of the likeliest rows for queries (q, d): (q, f), filled with -1.

        With a margin, the k best of them are as good as without; others may be missing.
        """
        return self._finder.shortlist(
            queries,
            k,
            effort.survivors,
            effort.finalists,
            threads,
            allowed,
            *self._probed(queries, effort),
        )

    def _probed(
        self, queries: Float32Array, effort: Effort
    ) -> tuple[IntArray | None, Float32Array | None, Float32Array | None]:
        if self.cells is None:
            return None, None, None
        probes = effort.probes or len(self.cells.centres)
        components = queries @ self.fitted.rotation
        blocks, offsets, reach = self.cells.probed(components, probes, effort.margin)
        return blocks, offsets, reach if effort.margin else None
