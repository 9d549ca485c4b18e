"""The tuner: the cheapest search that keeps a recall, and what was measured of it.

One set of the gallery's own rows chooses the effort, another one, held out, has the last word: the
lower end of its exact binomial interval (Clopper and Pearson 1934) must reach the recall, else the
effort rises a step. Each step reads all that the one before it read (with cells nearly so: what it
finds may show that more of them can be left out), so recall only rises along them and to look
several times does not weaken the promise: an effort that is too low can be
accepted only if the highest one that is too low would be, which is one test (a fixed sequence, as
in Angelopoulos et al., "Learn then test", 2021, arXiv:2110.01052). Nor does it that a fixed share
asks as strangers (Hoeffding, "On the distribution of the number of successes in independent
trials", 1956). We measure at full size and never by a clock. Exact search is the answer where
nothing cheaper keeps the recall.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from saccade.errors import InputError
from saccade.intervals import LEVEL, binomial_interval
from saccade.values import IntArray, Interval
from saccade.vectors.drift import losses
from saccade.vectors.scan_coded import FINALISTS
from saccade.vectors.scan_codes import SAMPLE_ROWS, HalfArray, fit, spread
from saccade.vectors.tuned import Tried, Tuned, Wish
from saccade.vectors.tuning_answer import exact, fits, scanned
from saccade.vectors.tuning_cost import (
    HEAD_BYTES,
    Cost,
    Layout,
    Side,
    exact_bytes,
)
from saccade.vectors.tuning_estimate import Estimate, first_kept
from saccade.vectors.tuning_queries import (
    Queries,
    answered_exactly,
    checked_groups,
    draw,
    own_rows,
)
from saccade.vectors.tuning_reading import Reading
from saccade.vectors.tuning_recall import Tunable, count_right

CHOOSING, HELD_OUT = 1_000, 1_500  # queries for a recall of 0.99
FEWEST, MOST = 0.4, 4.0  # times as many, for another recall
ESTIMATE_ROWS, ESTIMATE_BYTES = 50_000, 1 << 26
SMALLEST = Layout(head_bytes=4, components=1, bits=1)
CELLS_FROM, ROWS_A_CELL, LEAST_CELLS = 300_000, 5_000, 16
USUAL_BYTES, BETTER = 16, 0.8  # of a head with cells; what another has to promise to be made

Build = Callable[[Layout], Tunable]


def tune(
    truth: HalfArray,
    wish: Wish,
    build: Build,
    *,
    groups: IntArray | None = None,
    cells_from: int = CELLS_FROM,
    seed: int = 0,
) -> Tuned:
    """Choose how the half floats ``truth`` (n, d), rows of length 1, are searched.

    ``build`` makes an index of them with the head and the cells of a Layout; from ``cells_from``
    rows, one with cells is tried too. At most one index is held at a time. Queries are drawn by
    ``seed``; with ``groups`` (n,), the identity of each row, 30 % of them are asked as strangers.
    Raises InputError when ``truth`` has another shape or type or is not finite, or ``groups`` does
    not fit it.
    """
    if truth.ndim != 2 or truth.dtype != np.float16:
        raise InputError(
            f"vectors must be a two-dimensional array of float16, got shape {truth.shape} "
            f"of {truth.dtype}"
        )
    groups = checked_groups(groups, len(truth))
    if wish.recall == 1:
        return exact(truth.shape, wish, "no sample can show a recall of 1")
    n, d = truth.shape
    if fits(wish, n, d) and exact_bytes(n, d) <= Cost(SMALLEST, n, d, 0.0)(0, FINALISTS):
        return exact(truth.shape, wish, f"it reads least of {n:,} rows")
    least = queries_needed(wish.recall)
    rows = draw(truth, query_count(wish.recall), seed)
    if len(rows) < 2 * least:
        return exact(
            truth.shape,
            wish,
            f"{len(rows):,} of {n:,} rows are asked for, and {2 * least:,} show a recall of "
            f"{wish.recall:g}",
        )
    own, unknown = own_rows(rows, groups)
    asked = answered_exactly(truth, rows, own)
    choosing = max(least, len(rows) * CHOOSING // (CHOOSING + HELD_OUT))
    sets = asked.part(0, choosing), asked.part(choosing, len(asked))
    return _Tuner(truth, wish, build, *sets, int(unknown[choosing:].sum())).tuned(cells_from)


def queries_needed(recall: float) -> int:
    """How many queries, all right, have this recall, below 1, at the interval's lower end."""
    return math.ceil(math.log((1 - LEVEL) / 2) / math.log(recall))


def query_count(recall: float) -> int:
    """How many queries are asked for a recall below 1: those that choose and those held out."""
    return round((CHOOSING + HELD_OUT) * min(MOST, max(FEWEST, 0.01 / (1 - recall))))


class _Tuner:
    """One tuning: its queries, the spectrum of its gallery, and what was tried."""

    def __init__(
        self,
        truth: HalfArray,
        wish: Wish,
        build: Build,
        choosing: Queries,
        held_out: Queries,
        strangers: int,
    ) -> None:
        self.truth, self.wish, self.build = truth, wish, build
        self.choosing, self.held_out, self.strangers = choosing, held_out, strangers
        self.n, self.d = truth.shape
        self.fitted = fit(truth, head_bytes=HEAD_BYTES[0])
        # Rows between those that the codes are fitted to, where there are any.
        between = truth[-(-self.n // SAMPLE_ROWS) // 2 :]
        self.rows = spread(between, min(ESTIMATE_ROWS, ESTIMATE_BYTES // (4 * self.d)))
        self.estimate = Estimate(truth, self.rows, choosing, wish.recall)
        self.outside = losses(self.fitted, self.rows).outside
        self.limit = exact_bytes(self.n, self.d) if fits(wish, self.n, self.d) else math.inf
        self.side: Side | None = None
        self.tried: list[Tried] = []

    def tuned(self, cells_from: int) -> Tuned:
        """Go through the heads, the most promising first, until one keeps the recall.

        With cells, where there are rows enough, unless a head without them promises less.
        """
        found, failed = self.divided() if self.n >= cells_from else None, 0
        for layout, cost in self.promising():
            if layout.packed_bytes <= failed:
                continue
            if found and (found[0] <= cost or self.over(found[1]) < self.over(layout)):
                break
            found = self.cheapest(layout, found[0] if found else self.limit) or found
            if found:
                break
            failed = layout.packed_bytes
        return self.confirmed(*found[1:]) if found else self.exactly()

    def divided(self) -> tuple[int, Layout, int, int] | None:
        """The least costly effort with cells, with the head that promises least there.

        Which one that is, is told from the cells of a head of the usual size.
        """
        cells = max(LEAST_CELLS, self.n // ROWS_A_CELL)
        heads = [replace(layout, cells=cells) for layout, _ in self.promising()]
        heads = [each for each in heads if self.over(each) == self.over(heads[0])]
        usual = min(heads, key=lambda each: abs(each.packed_bytes - USUAL_BYTES))
        side = self.built(usual)
        promised = {each: self.estimate.least(side, each) for each in heads}
        best = min(heads, key=promised.__getitem__)
        return self.cheapest(
            best if promised[best] < BETTER * promised[usual] else usual, self.limit
        )

    def promising(self) -> list[tuple[Layout, int]]:
        """The heads, those that fit the memory wished for first, by their cost as estimated."""
        promised = self.estimate.heads(self.fitted, self.outside)
        return sorted(promised, key=lambda each: (self.over(each[0]), each[1]))

    def over(self, layout: Layout) -> int:
        """Bytes by which the codes exceed the memory wished for."""
        memory = self.wish.memory
        return 0 if memory is None else max(0, layout.code_bytes(self.n, self.d) - memory)

    def cheapest(self, layout: Layout, limit: float) -> tuple[int, Layout, int, int] | None:
        """The least costly effort, below ``limit``, that keeps the recall where one chooses."""
        side, found = self.built(layout), None
        for probes, survivors in self.estimate.efforts(side):
            rungs = [each for each in side.survivors if side.cost(probes, each) < limit]
            if not rungs or (found and survivors > rungs[-1]):
                continue
            keeps = partial(self.keeps, side, probes, rungs)
            at = first_kept(keeps, len(rungs), bisect_left(rungs, survivors))
            if at < len(rungs):
                limit = side.cost(probes, rungs[at])
                found = (limit, layout, probes, rungs[at])
        return found

    def confirmed(self, layout: Layout, probes: int, survivors: int) -> Tuned:
        """Raise the effort until the held-out queries keep the recall too."""
        side = self.built(layout)
        effort: tuple[int, int] | None = (probes, survivors)
        while effort and side.cost(*effort) < self.limit:
            recall = self.measured(side, *effort, held_out=True)
            if recall.low >= self.wish.recall:
                lost = losses(side.index.fitted, self.rows, side.index.cells)
                return scanned(self.wish, side, effort, recall, self.strangers, lost, self.tried)
            effort = side.higher(*effort)
        return self.exactly()

    def keeps(self, side: Side, probes: int, rungs: list[int], at: int) -> bool:
        """Whether the queries that choose find an effort good enough."""
        return self.measured(side, probes, rungs[at], held_out=False).low >= self.wish.recall

    def measured(self, side: Side, probes: int, survivors: int, *, held_out: bool) -> Interval:
        """Measure the recall of an effort, and note it."""
        queries = self.held_out if held_out else self.choosing
        side.index.probes, side.index.survivors = probes, survivors
        side.index.margin = margin = side.margin(probes)
        recall = binomial_interval(count_right(side.index, self.truth, queries), len(queries))
        layout, size = side.layout, side.cost(probes, survivors)
        effort = layout.packed_bytes, layout.components, layout.bits, layout.cells
        measured = recall.value, recall.low, recall.n, held_out
        self.tried.append(Tried(*effort, probes, survivors, margin, size, *measured))
        return recall

    def built(self, layout: Layout) -> Side:
        """The side of this layout; the one before it is let go first."""
        if self.side is None or self.side.layout != layout:
            self.side = None
            index = self.build(layout)
            cost = Cost(layout, self.n, self.d, self.outside, self.reading(index))
            self.side = Side(layout, index, cost)
        return self.side

    def reading(self, index: Tunable) -> Reading | None:
        """What the queries that choose read of the cells; None where there are none."""
        if index.cells is None:
            return None
        best = self.truth[self.choosing.best]
        return Reading.of_rows(
            index.cells, index.fitted, self.choosing.vectors, best, self.wish.recall
        )

    def exactly(self) -> Tuned:
        """Exact search, because nothing cheaper kept the recall."""
        why = "no effort of the scan that reads less keeps the recall"
        return replace(exact(self.truth.shape, self.wish, why), tried=tuple(self.tried))
