"""Verification, "are these two the same?": error rates against the threshold.

Sources: T. Fawcett, "An introduction to ROC analysis" (2006) for the curve and its area;
J. A. Hanley and B. J. McNeil (1982) for the area as a probability; ISO/IEC 19795-1 for false
accept, false reject and equal error rate. A pair is accepted when its score is at or above the
threshold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import SettingError
from saccade.metrics.identities import finite_scores


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """A receiver operating characteristic, from the strictest threshold to the loosest.

    ``thresholds``: (t,) float64, falling; the first is infinity (nothing is accepted), the others
    are the distinct scores. ``false_accept_rate``, ``true_accept_rate``: (t,) in [0, 1], rising.
    """

    thresholds: NDArray[np.float64]
    false_accept_rate: NDArray[np.float64]
    true_accept_rate: NDArray[np.float64]


def roc(genuine: ArrayLike, impostor: ArrayLike) -> Roc:
    """Return the curve over every distinct score. Source: Fawcett (2006), algorithm 1."""
    same = np.sort(finite_scores(genuine, "genuine"))
    other = np.sort(finite_scores(impostor, "impostor"))
    distinct = np.unique(np.concatenate([same, other]))[::-1]
    thresholds = np.concatenate(([np.inf], distinct))
    return Roc(
        thresholds, _share_at_or_above(other, thresholds), _share_at_or_above(same, thresholds)
    )


def auc(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Return the area under the ROC curve, in [0, 1].

    It is the chance that a genuine pair scores above an impostor pair, a tie counting one half
    (Hanley and McNeil, 1982).
    """
    same = finite_scores(genuine, "genuine")
    other = np.sort(finite_scores(impostor, "impostor"))
    below = np.searchsorted(other, same, side="left")
    at_most = np.searchsorted(other, same, side="right")
    return float(np.mean(below + at_most) / (2 * len(other)))


def equal_error_rate(genuine: ArrayLike, impostor: ArrayLike) -> tuple[float, float]:
    """Return the rate at which false accepts equal false rejects, and the threshold there.

    Between two points of the ROC curve both are interpolated on a straight line. Where the
    crossing lies before the first score, the threshold is that score.
    """
    curve = roc(genuine, impostor)
    accept, reject = curve.false_accept_rate, 1.0 - curve.true_accept_rate
    after = int(np.argmax(accept >= reject))
    share = crossing_share(accept[after - 1], reject[after - 1], accept[after], reject[after])
    rate = accept[after - 1] + share * (accept[after] - accept[after - 1])
    low, high = curve.thresholds[after], curve.thresholds[after - 1]
    threshold = low if np.isinf(high) else high + share * (low - high)
    return float(rate), float(threshold)


def crossing_share(
    accept_before: float, reject_before: float, accept_after: float, reject_after: float
) -> float:
    """Return where, in [0, 1] of the way, two rates meet that are on either side of each other."""
    gap_before, gap_after = reject_before - accept_before, accept_after - reject_after
    return gap_before / (gap_before + gap_after)


def error_rates(genuine: ArrayLike, impostor: ArrayLike, threshold: float) -> tuple[float, float]:
    """Return (false accept rate, false reject rate), each in [0, 1], at ``threshold``."""
    same = finite_scores(genuine, "genuine")
    other = finite_scores(impostor, "impostor")
    return float(np.mean(other >= threshold)), float(np.mean(same < threshold))


def threshold_at_false_accept_rate(impostor: ArrayLike, rate: float) -> float:
    """Return the lowest float32 threshold whose false accept rate on ``impostor`` is ≤ ``rate``.

    It is a float32 number, so that it means the same to scores of either precision. A rate below
    one in the number of scores puts it just above the highest one: these scores cannot show less.
    A rate of 1 accepts everything: minus infinity.
    """
    if not 0.0 <= rate <= 1.0:
        raise SettingError(f"false accept rate must be from 0 to 1; got {rate}")
    scores = np.sort(finite_scores(impostor, "impostor"))[::-1]
    allowed = int(np.floor(rate * len(scores) * (1 + 1e-12)))
    if allowed >= len(scores):
        return -np.inf
    refused = scores[allowed]
    threshold = np.float32(refused)
    if float(threshold) <= refused:
        threshold = np.nextafter(threshold, np.float32(np.inf))
    return float(threshold)


def _share_at_or_above(
    rising: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    return (len(rising) - np.searchsorted(rising, thresholds, side="left")) / len(rising)
