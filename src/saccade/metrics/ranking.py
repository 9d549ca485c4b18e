"""How well scores put pictures of a class before all others: ROC, precision-recall, their areas.

Sources: T. Fawcett, "An introduction to ROC analysis", 2006; J. A. Hanley and B. J. McNeil, 1982,
for the area under it as a probability, a tie counting one half; average precision: M. Zhu,
"Recall, Precision and Average Precision", 2004, the sum over thresholds of the precision times what
the recall rises by, without interpolation, as in scikit-learn. What is not defined is NaN, never 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.metrics.classification import checked_weights
from saccade.metrics.shares import share_of

ROUNDING = 1e-12  # of the sum of all weights: the others then count nothing
FloatArray = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class RankingCurve:
    """What each threshold accepts, from the strictest to the loosest; all (t,) float64.

    ``thresholds``: the distinct scores, falling; a picture is accepted at or above one.
    ``recall``: of the class, the share accepted; ``false_alarms``: of the others (NaN where there
    is none of either); ``precision``: of those accepted, the share that is of the class.
    """

    thresholds: NDArray[np.float64]
    recall: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Pictures in the order of their scores, ready for many weightings.

    ``order`` (n,): by falling score; ``of_class`` (n,): in that order, whether each shows the
    class; ``ends`` (t,): the last place of each distinct score.
    """

    order: NDArray[np.int64]
    of_class: NDArray[np.bool_]
    ends: NDArray[np.int64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, of_class: ArrayLike, scores: ArrayLike) -> "Ranking":
        """Return that of (n,) truths, whether each picture shows the class, and (n,) scores.

        Raises InputError for none, two lengths, or a score that is not finite.
        """
        shown, found = np.asarray(of_class, bool), np.asarray(scores, np.float64)
        if shown.shape != found.shape or shown.ndim != 1 or not shown.size:
            raise InputError(
                f"a ranking needs a truth and a score a picture; got {shown.shape}, {found.shape}"
            )
        if not np.isfinite(found).all():
            raise InputError("scores hold NaN or infinity; every picture needs a finite score")
        order = np.argsort(-found, kind="stable")
        falling = found[order]
        ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
        return cls(order, shown[order], ends, falling)

    def areas(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the area under the ROC curve and the average precision, both (b,).

        ``weights``: (n, b), how much each picture counts in each of b weightings. NaN where no
        picture of the class counts, and for the first where none of the others does.
        """
        counted = np.cumsum(weights[self.order], axis=0)
        places = np.flatnonzero(self.of_class)
        group = np.searchsorted(self.ends, places)
        last = self.ends[group]
        first = np.where(group > 0, self.ends[group - 1], -1)
        own = weights[self.order[places]].astype(np.float64)
        positives, everyone = own.sum(axis=0), counted[-1].astype(np.float64)
        others = everyone - positives
        others[others <= ROUNDING * everyone] = 0.0
        to_last = counted[last].astype(np.float64)
        before = np.where((first >= 0)[:, None], counted[first], 0.0)
        between = np.einsum("ib,ib->b", own, (before + to_last) / 2)
        won = positives * others - (between - positives**2 / 2)
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        rises = np.add.reduceat(own, starts, axis=0) if len(starts) else own
        precision = share_of(np.cumsum(rises, axis=0), to_last[starts])
        gained = np.nansum(rises * precision, axis=0)
        return share_of(won, positives * others), share_of(gained, positives)

    def curve(self) -> RankingCurve:
        """Return the curve over every distinct score."""
        accepted = self.ends + 1
        hits = np.cumsum(self.of_class)[self.ends]
        positives, n = int(self.of_class.sum()), len(self.order)
        return RankingCurve(
            self.scores[self.ends],
            share_of(hits, np.full(len(hits), positives)),
            share_of(accepted - hits, np.full(len(hits), n - positives)),
            hits / accepted,
        )


def ranking_areas(
    of_class: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> tuple[float, float]:
    """Return the area under the ROC curve and the average precision of (n,) scores.

    ``weights`` (n,): how much each picture counts. NaN as in ``Ranking.areas``.
    """
    ranking = Ranking.of(of_class, scores)
    n = len(ranking.order)
    heavy = np.ones(n) if weights is None else checked_weights(weights, n)
    area, precision = ranking.areas(heavy[:, None])
    return float(area[0]), float(precision[0])
