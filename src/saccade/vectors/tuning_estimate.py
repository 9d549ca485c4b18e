"""Which efforts promise least cost, told from a sample of the rows without any search."""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import binomial_interval
from saccade.values import Float32Array, IntArray
from saccade.vectors.drift import decoded
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_coded import FINALISTS
from saccade.vectors.scan_codes import Fit, HalfArray, best_head
from saccade.vectors.tuning_cost import Cost, Layout, Side, headed, layouts
from saccade.vectors.tuning_queries import Queries
from saccade.vectors.tuning_recall import ROUNDING

QUERIES_AT_ONCE = 100
HEADS_EVERY = 4  # of the sample, to compare heads by


class Estimate:
    """How many rows have to pass the head, so that enough queries keep their best row.

    ``sample`` (s, d) rows stand for all of ``truth`` (n, d). So many of the ``queries`` may miss
    theirs as leave the lower end of the interval at the recall ``target``.
    """

    def __init__(
        self, truth: HalfArray, sample: Float32Array, queries: Queries, target: float
    ) -> None:
        self.shape, self.sample = truth.shape, sample
        self.queries, self.best = queries, truth[queries.best]
        self.allowed = misses_allowed(len(queries), target)

    def heads(self, fitted: Fit, outside: float) -> list[tuple[Layout, int]]:
        """The heads to choose from, without cells, and what each will cost."""
        n, d = self.shape

        def cost(layout: Layout) -> int:
            survivors = math.ceil(self.survivors(headed(fitted, layout), every=HEADS_EVERY)[0])
            return Cost(layout, n, d, outside)(0, max(FINALISTS, survivors))

        return [(layout, cost(layout)) for layout in layouts(fitted.deviation)]

    def efforts(self, side: Side) -> list[tuple[int, int]]:
        """(probes, survivors) for each number of probes that may do, the least costly first."""
        found = self._ladder(side, side.index.fitted, every=1)
        return sorted(found, key=lambda effort: side.cost(*effort))

    def least(self, side: Side, layout: Layout) -> float:
        """The least cost of an effort with the head of ``layout``, with the cells of ``side``."""
        fitted, (n, d) = side.index.fitted, self.shape
        components, bits = best_head(fitted.deviation, layout.head_bytes)
        layout = replace(layout, components=components, bits=bits)
        cost = Cost(layout, n, d, side.cost.outside, side.cost.reading)
        found = self._ladder(side, headed(fitted, layout), every=HEADS_EVERY)
        return min((float(cost(*effort)) for effort in found), default=math.inf)

    def _ladder(self, side: Side, fitted: Fit, *, every: int) -> list[tuple[int, int]]:
        needed = self.survivors(fitted, side.index.cells, tuple(side.probes), every=every)
        ladder = side.survivors
        return [
            (probes, ladder[min(len(ladder) - 1, bisect_left(ladder, survivors))])
            for probes, survivors in zip(side.probes, needed, strict=True)
            if survivors < math.inf
        ]

    def survivors(
        self,
        fitted: Fit,
        cells: Cells | None = None,
        probes: tuple[int, ...] = (0,),
        *,
        every: int = 1,
    ) -> list[float]:
        """The rows for each number of ``probes``, 0 for all cells; by ``every`` few of the sample.

        Infinite where too many best rows lie in cells that are not read.
        """
        asked = self.queries.vectors @ fitted.rotation
        sample, best = (
            _Heads(fitted, cells, fitted.components(rows))
            for rows in (self.sample[::every], self.best)
        )
        before = np.concatenate(
            [
                _before(asked[start : start + QUERIES_AT_ONCE], sample, best, start, probes)
                for start in range(0, len(asked), QUERIES_AT_ONCE)
            ]
        )
        worst = np.sort(before, axis=0)[len(before) - 1 - self.allowed]
        return [float(count) * self.shape[0] / len(sample.cell) for count in worst]


def misses_allowed(queries: int, target: float) -> int:
    """The most that may be missed, 0 or more, for the interval's lower end to reach a recall."""
    missed = 0
    while binomial_interval(queries - missed - 1, queries).low >= target:
        missed += 1
    return missed


def first_kept(keeps: Callable[[int], bool], count: int, guess: int) -> int:
    """The lowest of 0 to ``count`` - 1 that ``keeps``, ``count`` when none does.

    What keeps, keeps above too. Looks at ``guess`` and near it first, then twice as far each time.
    """
    low, high, step, at = 0, count, 1, min(guess, count - 1)
    while low <= at < high:
        if keeps(at):
            high, at = at, at - step
        else:
            low, at = at + 1, at + step
        step *= 2
    return bisect_left(range(count), True, low, high, key=keeps)


class _Heads:
    """What the codes keep of some rows (s, d) in components, and their cells."""

    def __init__(self, fitted: Fit, cells: Cells | None, components: Float32Array) -> None:
        d, self.cells = components.shape[1], cells
        self.centres = np.zeros((1, d), np.float32) if cells is None else cells.centres
        self.cell = np.zeros(len(components), np.int64)
        if cells is not None:
            self.cell = cells.nearest(components)
            components = components - cells.centres[self.cell]
        self.kept = decoded(fitted, components)


def _before(
    asked: Float32Array, rows: _Heads, best: _Heads, first: int, probes: tuple[int, ...]
) -> NDArray[np.float64]:
    """How many rows stand before the best one of queries (q, d): (q, p), infinite if not read.

    ``best`` holds the rows of all queries, that of the first one here at ``first``.
    """
    offsets = asked @ rows.centres.T
    rank = _ranks(offsets if rows.cells is None else rows.cells.reach(asked))
    leading = asked[:, : rows.kept.shape[1]]
    each = np.arange(len(asked))
    cell, kept = (array[first : first + len(asked)] for array in (best.cell, best.kept))
    reached = (leading * kept).sum(axis=1) + offsets[each, cell] - ROUNDING
    scores = leading @ rows.kept.T
    if offsets.shape[1] > 1:
        scores += offsets[:, rows.cell]
    query, row = np.nonzero(scores >= reached[:, None])
    ranked = rank[query, rows.cell[row]]
    found = np.empty((len(asked), len(probes)))
    for column, count in enumerate(probes):
        read = count or rank.shape[1]
        found[:, column] = np.bincount(query[ranked < read], minlength=len(asked))
        found[rank[each, cell] >= read, column] = math.inf
    return found


def _ranks(scores: Float32Array) -> IntArray:
    """The place of each of (q, c) scores in its row, 0 for the highest."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(order.shape[1])[None, :], axis=1)
    return ranks
