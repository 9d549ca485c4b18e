"""Which cells a query reads, told from queries whose best row is known.

A query may leave out cells that do not reach what its nearest cells hold. How far a cell reaches is
its centre's product with the query and ``margin`` radii more; the margin is chosen here.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from saccade import scan
from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_codes import Fit, HalfArray

LEFT_OUT = 0.1  # of the misses that a recall allows: best rows in cells that are left out
LEAST_MARGIN, MOST_MARGIN = 1.0, 1e6
LEAST_RADIUS = 1e-9
QUERIES_AT_ONCE, ROWS_QUERIES = 100, 256


@dataclass(frozen=True, slots=True)
class Known:
    """Queries (q, d) in components, not centred, the cell (q,) of the best row of each and the
    product (q,) with that row, centred.
    """

    components: Float32Array
    cell: IntArray
    product: Float32Array

    def part(self, start: int, stop: int) -> "Known":
        """Return the queries from ``start`` to ``stop`` - 1."""
        cut = slice(start, stop)
        return Known(self.components[cut], self.cell[cut], self.product[cut])


class Reading:
    """What queries read of some cells, and which margin loses few of their best rows.

    So few that they are LEFT_OUT of those that may be missed at the recall ``target``.
    """

    def __init__(self, cells: Cells, known: Known, target: float) -> None:
        self.cells, self.known = cells, known.part(0, ROWS_QUERIES)
        self.lost = int(LEFT_OUT * (1 - target) * len(known.cell))
        parts = [
            _rank_and_need(cells, known.part(start, start + QUERIES_AT_ONCE))
            for start in range(0, len(known.cell), QUERIES_AT_ONCE)
        ]
        self.rank, self.need = (np.concatenate(each) for each in zip(*parts, strict=True))
        self.sizes = np.diff(cells.starts)

    @classmethod
    def of_rows(
        cls, cells: Cells, fitted: Fit, queries: Float32Array, best: HalfArray, target: float
    ) -> Self:
        """Make it of queries (q, d) and the best row of each, both as vectors."""
        components, asked = fitted.components(best), queries @ fitted.rotation
        product = np.einsum("qd,qd->q", asked, components)
        return cls(cells, Known(asked, cells.nearest(components), product), target)

    def margin(self, probes: int) -> float:
        """Return the least margin that loses few, when so many cells are probed."""
        far = (self.rank >= near(probes)) & (self.rank < probes)
        need = np.sort(np.where(far, self.need, LEAST_MARGIN))
        return float(np.clip(need[len(need) - 1 - self.lost], LEAST_MARGIN, MOST_MARGIN))

    def shares(self, probes: int) -> tuple[float, float]:
        """Return how many rows a query reads, and the share of the survivors that it looks at."""
        products = self.known.components @ self.cells.centres.T
        likely = np.argsort(-self.cells.reach(self.known.components), axis=1, kind="stable")
        likely, first = likely[:, :probes], near(probes)
        reach = np.take_along_axis(products, likely, axis=1)
        reach += np.float32(self.margin(probes)) * self.cells.radii[likely]
        sizes = self.sizes[likely].astype(np.float64)
        read = reach >= self.known.product[:, None]
        read[:, :first] = True
        rows, near_rows = (sizes * read).sum(axis=1), sizes[:, :first].sum(axis=1)
        whole = np.maximum(1, sizes.sum(axis=1))
        early = np.minimum(1, scan.DENSER * near_rows / whole)
        late = (rows - near_rows) / np.maximum(1, whole - near_rows)
        return float(rows.mean()), float((early + (1 - early) * late).mean())


def near(probes: int) -> int:
    """How many of the probed cells are read first."""
    return -(-probes // scan.NEAR)


def _rank_and_need(cells: Cells, known: Known) -> tuple[IntArray, NDArray[np.float64]]:
    """The place of each query's best cell, 0 for the likeliest, and the margin it needs."""
    reach = cells.reach(known.components)
    each = np.arange(len(reach))
    mine = reach[each, known.cell]
    lower = np.arange(reach.shape[1]) < known.cell[:, None]
    rank = ((reach > mine[:, None]) | ((reach == mine[:, None]) & lower)).sum(axis=1)
    products = np.einsum("qd,qd->q", known.components, cells.centres[known.cell])
    radii = np.maximum(cells.radii[known.cell].astype(np.float64), LEAST_RADIUS)
    return rank, (known.product.astype(np.float64) - products) / radii
