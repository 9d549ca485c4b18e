"""Average precision and recall of found boxes, for the pictures or for weighted draws of them.

COCO: T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014: the mean of the
precision at 101 recalls. PASCAL VOC: M. Everingham and others, "The PASCAL Visual Object Classes
(VOC) Challenge", 2010, section 4.2: at 11 recalls, and from 2010 on the area under the curve.
Precision at a recall is the highest that is reached at this or a higher one.
A draw of pictures is a row of weights: a picture drawn twice counts twice, one not drawn not at
all. So pictures are matched once, and a draw costs a running sum.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saccade.boxes import BoolArray, TrueBoxes
from saccade.metrics.box_matching import Matching
from saccade.values import Float64Array, IntArray

COCO_RECALLS = np.linspace(0.0, 1.0, 101)
VOC_RECALLS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The found boxes of one category in one range of areas, surest first.

    ``picture``, ``rank``: (n,) int64, as in Matching; ``inside``: (n,) bool, mistakes unless they
    hit something. ``hits[t]``: the places, rising, of those that hit at threshold t, and
    ``right[t]``, bool: what they hit counts, or else they are left out. ``true``: (m,) the picture
    of each true box that must be found.
    """

    picture: IntArray
    rank: IntArray
    inside: BoolArray
    hits: tuple[IntArray, ...]
    right: tuple[BoolArray, ...]
    true: IntArray

    def curves(
        self, weights: Float64Array | None = None
    ) -> Iterator[tuple[Float64Array, Float64Array]]:
        """Yield recall and precision, (draws, r) each, behind each right box, by threshold.

        ``weights``: (draws, pictures); none: every picture once. Recall is NaN in a draw without a
        true box.
        """
        drawn = self._drawn(weights)
        all_inside = np.cumsum(drawn[:, self.picture] * self.inside, axis=1)
        wanted = drawn[:, self.true].sum(axis=1)[:, None]
        for hits, right in zip(self.hits, self.right, strict=True):
            good = np.cumsum(drawn[:, self.picture[hits[right]]], axis=1)
            total = all_inside[:, hits[right]]
            other = np.flatnonzero(right != self.inside[hits])  # left out, or right though outside
            if len(other):
                sign = np.where(right[other], 1.0, -1.0)
                more = np.cumsum(drawn[:, self.picture[hits[other]]] * sign, axis=1)
                more = np.pad(more, ((0, 0), (1, 0)))
                total = total + more[:, np.searchsorted(other, np.flatnonzero(right), "right")]
            precision = np.divide(good, total, out=np.zeros_like(good), where=total > 0)
            yield _share(good, wanted), precision

    def average_precision(
        self, weights: Float64Array | None = None, *, recalls: Float64Array | None = COCO_RECALLS
    ) -> Float64Array:
        """Return (draws, thresholds) float64; NaN in a draw without a true box.

        ``recalls``: at which the precision is averaged, rising; None for the whole area.
        """
        found = []
        for recall, precision in self.curves(weights):
            highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            steps = np.diff(_reached(recall, recalls), axis=1, prepend=0.0)
            found.append((highest * steps).sum(axis=1))
        empty = self._drawn(weights)[:, self.true].sum(axis=1) == 0
        return np.where(empty[:, None], np.nan, np.stack(found, axis=1))

    def recall(self, weights: Float64Array | None = None, *, most: int) -> Float64Array:
        """Return (draws, thresholds): the share of true boxes hit by the ``most`` surest.

        ``most`` of each picture; NaN in a draw without a true box.
        """
        drawn = self._drawn(weights)
        good = [
            drawn[:, self.picture[hits[right & (self.rank[hits] < most)]]].sum(axis=1)
            for hits, right in zip(self.hits, self.right, strict=True)
        ]
        return _share(np.stack(good, axis=1), drawn[:, self.true].sum(axis=1)[:, None])

    def _drawn(self, weights: Float64Array | None) -> Float64Array:
        if weights is not None:
            return weights
        last = max(int(ids.max(initial=-1)) for ids in (self.picture, self.true))
        return np.ones((1, last + 1))


def rankings(
    matching: Matching, true: TrueBoxes, *, area: str, categories: int
) -> tuple[Ranking, ...]:
    """Return a Ranking for each category."""
    boxes, matches = matching.boxes, matching.areas[area]
    order = np.argsort(true.category, kind="stable")
    order = order[matches.counted[order]]
    everyone = np.arange(categories + 1)
    found_edges = np.searchsorted(boxes.category, everyone)
    true_edges = np.searchsorted(true.category[order], everyone)
    cuts = [np.searchsorted(hits, found_edges) for hits in matches.found]
    answer = []
    for k in range(categories):
        own = slice(found_edges[k], found_edges[k + 1])
        parts = [slice(cut[k], cut[k + 1]) for cut in cuts]
        answer.append(
            Ranking(
                picture=boxes.picture[own],
                rank=matching.rank[own],
                inside=matches.inside[own],
                hits=tuple(
                    hits[part] - own.start for hits, part in zip(matches.found, parts, strict=True)
                ),
                right=tuple(
                    matches.counted[partners[part]]
                    for partners, part in zip(matches.true, parts, strict=True)
                ),
                true=true.picture[order[true_edges[k] : true_edges[k + 1]]],
            )
        )
    return tuple(answer)


def _reached(recall: Float64Array, recalls: Float64Array | None) -> Float64Array:
    """The share of the recalls, or of the whole axis, that each recall reaches."""
    if recalls is None:
        return recall
    shares: Float64Array = np.searchsorted(recalls, recall, side="right") / len(recalls)
    return shares


def _share(part: Float64Array, whole: Float64Array) -> Float64Array:
    whole = np.broadcast_to(whole, part.shape)
    shares: Float64Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares
