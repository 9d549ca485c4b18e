"""Which found box is right: greedy matching as in COCO, all pictures and thresholds at once.

T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014, and its evaluation: in a
picture and a category the found boxes choose in the order of their scores, each the free true box
of largest overlap, among several the last; only where none is free, one that does not count (a
crowd, or an area outside the range), and then it is left out of the figures itself.
We differ in the way there: only pairs that overlap enough are looked at, and the i-th box of every
picture and category chooses in the same step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.boxes import BoolArray, FoundBoxes, Pairs, TrueBoxes, overlapping
from saccade.values import Float64Array, IntArray

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREAS = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}  # pixels, both ends within
MOST = 100  # boxes of a picture and category that are looked at, those of highest score
BEYOND_ONE = 1.0 - 1e-10  # an overlap of 1 that rounding made smaller


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which found boxes hit which true ones, at each threshold; of one range of areas.

    ``counted``: (m,) bool, the true boxes that must be found. ``inside``: (n,) bool, the found
    boxes that are mistakes where they hit nothing. ``found[t]`` and ``true[t]``: the places of the
    boxes matched at threshold t, sorted by the found one; where the true one does not count, the
    found one is left out.
    """

    counted: BoolArray
    inside: BoolArray
    found: tuple[IntArray, ...]
    true: tuple[IntArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """``boxes``: the (n,) found boxes that are looked at, by category, and in it surest first.

    ``rank``: (n,) int64, from 0, of a box among those of its picture and category. ``place``: (n,)
    int64, where the box stands in what was handed in. ``areas``: the matches by range of areas.
    """

    boxes: FoundBoxes
    rank: IntArray
    place: IntArray
    areas: dict[str, Matches]


def match(
    true: TrueBoxes,
    found: FoundBoxes,
    *,
    thresholds: Sequence[float] | Float64Array = IOU_THRESHOLDS,
    areas: Sequence[str] = tuple(AREAS),
    most: int = MOST,
) -> Matching:
    """Match at each of ``thresholds`` and in each range of ``areas``, names in AREAS.

    Scores that are equal stay in the order handed in, picture by picture.
    """
    boxes, rank, place = surest_first(found, most)
    limits = np.minimum(np.asarray(thresholds, np.float64), BEYOND_ONE)
    true_key, found_key = keys(true, boxes)
    pairs = overlapping(true, boxes, true_key=true_key, found_key=found_key, at_least=limits.min())
    turns = _turns(pairs, rank, found_key)
    own = boxes.xywh[:, 2] * boxes.xywh[:, 3]
    matched = {}
    for name in areas:
        low, high = AREAS[name]
        counted = ~true.crowd & (true.area >= low) & (true.area <= high)
        hits = _assign(pairs, turns, counted, true.crowd, limits, len(rank))
        inside = (own >= low) & (own <= high)
        matched[name] = Matches(counted, inside, *hits)
    return Matching(boxes, rank, place, matched)


def surest_first(found: FoundBoxes, most: int) -> tuple[FoundBoxes, IntArray, IntArray]:
    """Return the boxes looked at, their rank in picture and category, their places in ``found``."""
    order = np.lexsort((-found.score, found.picture, found.category))
    picture, category = found.picture[order], found.category[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (picture[1:] != picture[:-1]) | (category[1:] != category[:-1])
    begin = np.flatnonzero(starts)
    rank = np.arange(len(order)) - np.repeat(begin, np.diff(begin, append=len(order)))
    kept = rank < most
    order, rank = order[kept], rank[kept]
    surest = np.lexsort((-found.score[order], found.category[order]))
    return found.take(order[surest]), rank[surest], order[surest]


def keys(true: TrueBoxes, found: FoundBoxes) -> tuple[IntArray, IntArray]:
    """Return a number for each true and each found box: its picture and category in one."""
    many = max(int(one.picture.max(initial=-1)) for one in (true, found)) + 1
    return true.category * many + true.picture, found.category * many + found.picture


def _turns(pairs: Pairs, rank: IntArray, key: IntArray) -> IntArray:
    """(p,) when the found box of each pair chooses, from 0: how many of its key do before it."""
    choosing = np.unique(pairs.found)
    order = choosing[np.lexsort((rank[choosing], key[choosing]))]
    starts = np.ones(len(order), bool)
    starts[1:] = key[order[1:]] != key[order[:-1]]
    begin = np.flatnonzero(starts)
    turn = np.zeros(len(rank), np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(begin, np.diff(begin, append=len(order)))
    return turn[pairs.found]


def _assign(
    pairs: Pairs,
    turns: IntArray,
    counted: BoolArray,
    crowd: BoolArray,
    limits: Float64Array,
    many: int,
) -> tuple[tuple[IntArray, ...], tuple[IntArray, ...]]:
    """Return the matched found and true boxes at each limit; ``many``: found boxes there are."""
    order = np.lexsort((-pairs.true, -pairs.iou, ~counted[pairs.true], pairs.found, turns))
    found, true = pairs.found[order], pairs.true[order]
    enough = pairs.iou[order] >= limits[:, None]
    taken = np.zeros((len(limits), len(crowd)), bool)
    chosen = np.full((len(limits), many), -1, np.int64)
    ends = np.searchsorted(turns[order], np.arange(turns.max(initial=-1) + 2))
    for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        those, partners = found[start:stop], true[start:stop]
        firsts = np.flatnonzero(np.diff(those, prepend=-1))
        free = enough[:, start:stop] & ~taken[:, partners]
        place = np.where(free, np.arange(stop - start), stop)
        best = np.minimum.reduceat(place, firsts, axis=1)
        limit, box = np.nonzero(best < stop)
        partner = partners[best[limit, box]]
        chosen[limit, those[firsts[box]]] = partner
        taken[limit, partner] = ~crowd[partner]
    hit = [np.flatnonzero(row >= 0) for row in chosen]
    return tuple(hit), tuple(row[those] for row, those in zip(chosen, hit, strict=True))
