"""Why each box is wrong, and the average precision that each kind of mistake costs.

D. Bolya, S. Foley, J. Hays, J. Hoffman, "TIDE: A General Toolbox for Identifying Object Detection
Errors", ECCV 2020, sections 2.2 and 2.3. The kinds overlap, and the paper does not say which goes
first; we take the first of KINDS. A category none of whose true boxes is found stays 0 when the
missed ones are forgiven: nothing is left that could be ranked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from saccade.boxes import BoolArray, FoundBoxes, Pairs, TrueBoxes, overlapping
from saccade.metrics.box_matching import match
from saccade.metrics.detection import Ranking
from saccade.values import Float64Array, IntArray

FOREGROUND, BACKGROUND = 0.5, 0.1
KINDS = ("location", "class", "duplicate", "background", "both", "missed")
FALSE_POSITIVES, FALSE_NEGATIVES = "false positives", "false negatives"
NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class BoxErrors:
    """The found boxes, what is wrong with each, and the true boxes that were missed.

    ``boxes``: (n,) found boxes, surest first in a category; ``place``: (n,) where each stands in
    what was handed in. ``kind``: (n,) a place in KINDS, -1 for a box that is right or left out.
    ``hit``: (n,) the true box that each hits, ``meant``: that it would, were its place or its class
    right; -1 for none. ``missed``: (m,) bool, true boxes that nothing found or meant.
    """

    true: TrueBoxes
    categories: int
    boxes: FoundBoxes
    place: IntArray
    kind: IntArray
    hit: IntArray
    meant: IntArray
    missed: BoolArray

    def counts(self) -> dict[str, int]:
        """Return how many mistakes of each kind there are."""
        found = {name: int((self.kind == n).sum()) for n, name in enumerate(KINDS)}
        return found | {"missed": int(self.missed.sum())}

    def rankings(self) -> tuple[Ranking, ...]:
        """Return the rankings as they are, of one threshold."""
        kept = np.ones(len(self.kind), bool)
        return self._ranked(self.boxes.category, kept, self.hit, ~self.true.crowd)

    def mended(self) -> Iterator[tuple[str, tuple[Ranking, ...]]]:
        """Yield each kind, and the rankings were there no such mistake; last, of all found boxes
        that are wrong, and of all true ones that are not found."""
        own, must = self.boxes.category, ~self.true.crowd
        for number, name in enumerate(KINDS):
            these = self.kind == number
            if name in ("location", "class"):
                yield name, self._ranked(*self._corrected(these), must)
            elif name == "missed":
                left = must & ~self.missed
                yield name, self._ranked(own, np.ones(len(own), bool), self.hit, left)
            else:
                yield name, self._ranked(own, ~these, self.hit, must)
        yield FALSE_POSITIVES, self._ranked(own, self.kind == NONE, self.hit, must)
        found = np.zeros(len(must), bool)
        found[self.hit[self.hit != NONE]] = True
        yield FALSE_NEGATIVES, self._ranked(own, np.ones(len(own), bool), self.hit, must & found)

    def _corrected(self, these: BoolArray) -> tuple[IntArray, BoolArray, IntArray]:
        """Let ``these`` hit what they meant; of several on one true box the surest stays."""
        hit = np.where(these, self.meant, self.hit)
        category = self.boxes.category.copy()
        category[these] = self.true.category[hit[these]]
        claims = np.flatnonzero(hit != NONE)
        claims = claims[~self.true.crowd[hit[claims]]]
        # Where scores are equal, the box that hit before stays.
        order = claims[np.lexsort((these[claims], -self.boxes.score[claims]))]
        kept = np.ones(len(hit), bool)
        kept[claims] = False
        kept[order[np.unique(hit[order], return_index=True)[1]]] = True
        return category, kept, hit

    def _ranked(
        self, category: IntArray, kept: BoolArray, hit: IntArray, wanted: BoolArray
    ) -> tuple[Ranking, ...]:
        boxes = self.boxes
        answer = []
        for k in range(self.categories):
            own = np.flatnonzero(kept & (category == k))
            own = own[np.lexsort((boxes.picture[own], -boxes.score[own]))]
            hits = np.flatnonzero(hit[own] != NONE)
            answer.append(
                Ranking(
                    picture=boxes.picture[own],
                    rank=np.zeros(len(own), np.int64),
                    inside=np.ones(len(own), bool),
                    hits=(hits,),
                    right=(~self.true.crowd[hit[own[hits]]],),
                    true=self.true.picture[wanted & (self.true.category == k)],
                )
            )
        return tuple(answer)


def box_errors(true: TrueBoxes, found: FoundBoxes, *, categories: int) -> BoxErrors:
    """Tell what is wrong with each found box, matched as in COCO at an overlap of FOREGROUND."""
    matching = match(true, found, thresholds=(FOREGROUND,), areas=("all",))
    boxes, matches = matching.boxes, matching.areas["all"]
    hit = np.full(len(boxes.score), NONE)
    hit[matches.found[0]] = matches.true[0]
    pairs = overlapping(
        true, boxes, true_key=true.picture, found_key=boxes.picture, at_least=BACKGROUND
    )
    same = boxes.category[pairs.found] == true.category[pairs.true]
    must = ~true.crowd[pairs.true]
    own, own_iou = _largest(pairs, same & must, len(hit))
    other, other_iou = _largest(pairs, ~same & must, len(hit))
    near = np.maximum(own_iou, other_iou)
    fits = (
        (own_iou >= BACKGROUND) & (own_iou < FOREGROUND),
        other_iou >= FOREGROUND,
        own_iou >= FOREGROUND,
        near < BACKGROUND,
        near >= BACKGROUND,
    )
    kind = np.where(hit == NONE, np.argmax(fits, axis=0), NONE)
    meant = np.where(kind == 0, own, np.where(kind == 1, other, NONE))
    missed = ~true.crowd
    for reached in (hit, meant):
        missed[reached[reached != NONE]] = False
    return BoxErrors(true, categories, boxes, matching.place, kind, hit, meant, missed)


def costs(
    base: tuple[Ranking, ...],
    mended: Iterable[tuple[Ranking, ...]],
    weights: Float64Array | None = None,
) -> Float64Array:
    """Return (draws, kinds): by how much the mean average precision rises over ``base``.

    NaN in a draw without a true box.
    """
    before = _precision(base, weights)
    known = ~np.isnan(before)
    many = known.sum(axis=1)
    answer = []
    for rows in mended:
        gain = np.where(known, np.nan_to_num(_precision(rows, weights)) - before, 0.0)
        nothing = np.full(len(many), np.nan)
        answer.append(np.divide(gain.sum(axis=1), many, out=nothing, where=many > 0))
    return np.stack(answer, axis=1)


def _precision(rows: tuple[Ranking, ...], weights: Float64Array | None) -> Float64Array:
    return np.concatenate([one.average_precision(weights) for one in rows], axis=1)


def _largest(pairs: Pairs, chosen: BoolArray, many: int) -> tuple[IntArray, Float64Array]:
    """For each found box the true one of largest overlap among ``chosen``, and it; -1 and 0."""
    found, true, iou = pairs.found[chosen], pairs.true[chosen], pairs.iou[chosen]
    order = np.lexsort((true, -iou, found))
    those, first = np.unique(found[order], return_index=True)
    best, overlap = np.full(many, NONE), np.zeros(many)
    best[those], overlap[those] = true[order[first]], iou[order[first]]
    return best, overlap
