"""The twelve figures of COCO, of the pictures or of weighted draws of them.

T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014. A category without a true
box (in a draw: in none of the pictures drawn) is left out of a mean, never counted as 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.metrics.box_matching import AREAS, IOU_THRESHOLDS, MOST, match
from saccade.metrics.detection import Ranking, rankings
from saccade.values import Float64Array

SIZES = tuple(AREAS)[1:]
AP50, AP75 = (int(np.argmin(abs(IOU_THRESHOLDS - at))) for at in (0.5, 0.75))
FIGURES = (
    *("AP", "AP50", "AP75"),
    *(f"AP {size}" for size in SIZES),
    *("AR@1", "AR@10", "AR@100"),
    *(f"AR@100 {size}" for size in SIZES),
)
CLASS_FIGURES = ("AP", "AP50", "AR@100")
FIRST_FIGURES = ("AP", "AP50", "AP75", "AR@100")


@dataclass(frozen=True, slots=True, eq=False)
class CocoMatched:
    """Pictures that are matched once, to be weighted often.

    ``areas``: by name of AREAS, a Ranking for each category, at IOU_THRESHOLDS.
    """

    areas: dict[str, tuple[Ranking, ...]]

    def figures(self, weights: Float64Array | None = None) -> tuple[Float64Array, Float64Array]:
        """Return (draws, 12), in the order of FIGURES, and (draws, categories, 3) of each category.

        The last axis of the second is CLASS_FIGURES. ``weights``: (draws, pictures); none: every
        picture once, one draw. NaN where no true box counts.
        """
        precision = {name: self._precision(name, weights) for name in AREAS}
        recall = {name: self._recall(name, weights, MOST) for name in AREAS}
        at = precision["all"]
        few = [_mean(self._recall("all", weights, most)) for most in (1, 10)]
        whole = [_mean(at), _mean(at[:, :, [AP50]]), _mean(at[:, :, [AP75]])]
        whole += [_mean(precision[size]) for size in SIZES]
        whole += [*few, _mean(recall["all"]), *(_mean(recall[size]) for size in SIZES)]
        each = (at.mean(axis=2), at[:, :, AP50], recall["all"].mean(axis=2))
        return np.stack(whole, axis=1), np.stack(each, axis=2)

    def first(self, weights: Float64Array | None = None) -> Float64Array:
        """Return (draws, 4), FIRST_FIGURES, as ``figures`` does, of which they are the cheapest."""
        at, recall = self._precision("all", weights), self._recall("all", weights, MOST)
        whole = [_mean(at), _mean(at[:, :, [AP50]]), _mean(at[:, :, [AP75]]), _mean(recall)]
        return np.stack(whole, axis=1)

    def _precision(self, area: str, weights: Float64Array | None) -> Float64Array:
        return np.stack([one.average_precision(weights) for one in self.areas[area]], axis=1)

    def _recall(self, area: str, weights: Float64Array | None, most: int) -> Float64Array:
        return np.stack([one.recall(weights, most=most) for one in self.areas[area]], axis=1)


def match_coco(
    true: TrueBoxes,
    found: FoundBoxes,
    *,
    categories: int,
    areas: Sequence[str] = tuple(AREAS),
) -> CocoMatched:
    """Match the found boxes of all pictures in ``areas``; "all" is enough for ``first``."""
    matching = match(true, found, areas=areas)
    return CocoMatched(
        {name: rankings(matching, true, area=name, categories=categories) for name in areas}
    )


def _mean(values: Float64Array) -> Float64Array:
    """(draws, categories, thresholds) → (draws,): the mean without NaN, NaN of nothing."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=(1, 2))
    many = known.sum(axis=(1, 2))
    means: Float64Array = np.divide(total, many, out=np.full(len(total), np.nan), where=many > 0)
    return means
