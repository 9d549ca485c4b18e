"""Codes ready to be searched: from query vectors to the positions that are worth a closer look."""

from dataclasses import dataclass

import numpy as np

from saccade import scan
from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_codes import FULL_LEVELS, Fit, HalfArray
from saccade.vectors.scan_encode import Codes

FINALISTS = 128
HALF_WAY = np.float32(0.5 - FULL_LEVELS / 2)  # from an 8-bit code to the middle of its step
LONGEST = np.float32(1.01)  # rows of length 1, rounded


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
        self.fitted, self.codes, self.cells = fitted, codes, cells
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

    def bounds(self, query: Float32Array, positions: IntArray) -> tuple[Float32Array, Float32Array]:
        """Return what the products of a query (d,) and the rows at positions (n,) lie between.

        A component is off by half a step of its 8-bit code at most. The outermost codes stand for
        all that is beyond, too, and no step for anything: as much as rows of ``LONGEST`` can have.
        """
        codes, steps = self.codes.full[positions], self.fitted.full_step
        turned, middle = query @ self.fitted.rotation, self.fitted.mean @ self.fitted.rotation
        products = (codes + HALF_WAY) @ (turned * steps) + turned @ middle
        far = np.maximum(LONGEST + np.abs(middle) + HALF_WAY * steps, steps / 2)
        near = np.where(steps > 0, steps / 2, far)
        beyond = (codes == 0) | (codes == FULL_LEVELS - 1)
        off = np.abs(turned) @ near + beyond @ (np.abs(turned) * (far - near))
        return products - off, products + off

    def _probed(
        self, queries: Float32Array, effort: Effort
    ) -> tuple[IntArray | None, Float32Array | None, Float32Array | None]:
        if self.cells is None:
            return None, None, None
        probes = effort.probes or len(self.cells.centres)
        components = queries @ self.fitted.rotation
        blocks, offsets, reach = self.cells.probed(components, probes, effort.margin)
        return blocks, offsets, reach if effort.margin else None
