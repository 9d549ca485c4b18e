"""From which probability on to raise the alarm for one class: for a rate, or for a cost.

Sources: T. Fawcett, "An introduction to ROC analysis", 2006, section 4; C. Elkan, "The Foundations
of Cost-Sensitive Learning", 2001, for the cost. A threshold chosen on pictures does a little better
on them than on others: choose it on one part, look at it on another. Intervals take it as given.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError, SettingError
from saccade.judge.resampling import share_intervals
from saccade.metrics.ranking import Ranking
from saccade.values import Interval

DIGITS = 4  # of a threshold


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the alarm for ``label`` may cost.

    ``false_alarms``: the share in [0, 1] of the other classes' pictures that may raise it; or
    ``cost`` above 0: how many false alarms one missed picture is worth. Exactly one is given.
    """

    label: str
    false_alarms: float | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        if (self.false_alarms is None) == (self.cost is None):
            raise SettingError(
                f"the operating point of '{self.label}' needs either a rate of false alarms or "
                "the cost of a miss; give one of --false-alarms and --miss-cost"
            )
        if self.false_alarms is not None and not 0 <= self.false_alarms <= 1:
            raise SettingError(f"--false-alarms must be from 0 to 1; got {self.false_alarms}")
        if self.cost is not None and not (self.cost > 0 and np.isfinite(self.cost)):
            raise SettingError(f"--miss-cost must be a number above 0; got {self.cost}")

    @property
    def told(self) -> str:
        """The wish in words."""
        if self.cost is not None:
            return f"a miss costs {self.cost:g} false alarms"
        return f"at most {100 * (self.false_alarms or 0.0):g} % false alarms"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """An alarm for ``label`` at a probability of ``threshold`` or more; above 1: never.

    ``found``: of its pictures, the share that raises it; ``false_alarms``: of the others;
    ``precision``: of those that raise it, the share that shows it, None where none does.
    ``cost``: misses times their cost plus false alarms, a picture; None for a wanted rate.
    """

    label: str
    wanted: str
    threshold: float
    found: Interval
    false_alarms: Interval
    precision: Interval | None
    cost: float | None

    @property
    def sentence(self) -> str:
        """The point in words."""
        if self.threshold > 1:
            return f"alarm for {self.label} ({self.wanted}): never"
        return (
            f"alarm for {self.label} ({self.wanted}): at a probability of {self.threshold:.16g} or "
            f"more; found {self.found}, false alarms {self.false_alarms}"
        )


def operating_point(
    of_class: NDArray[np.bool_],
    scores: NDArray[np.floating],
    wanted: Wanted,
    *,
    groups: Sequence[str] | None,
    seed: int,
    resamples: int,
    level: float,
) -> OperatingPoint:
    """Return the point among all thresholds of (n,) scores; ``of_class`` (n,) is the truth.

    For a rate: the one that finds most without more false alarms; for a cost: the cheapest. Of
    equals the highest, rounded down as far as it accepts the same. Pictures of one of the
    ``groups`` (n,) count together. Raises InputError where the class or the others have no picture.
    """
    positives, n = int(of_class.sum()), len(of_class)
    if positives in (0, n):
        raise InputError(
            f"an operating point of '{wanted.label}' needs pictures of it and of other classes; "
            f"{positives} of {n} show it"
        )
    threshold, cost = _chosen(Ranking.of(of_class, scores), positives, wanted)
    raised = scores >= threshold
    found, false_alarms, precision = share_intervals(
        np.stack([raised, raised, of_class], axis=1),
        np.stack([of_class, ~of_class, raised], axis=1),
        groups=groups,
        seed=seed,
        resamples=resamples,
        level=level,
    )
    assert found is not None and false_alarms is not None  # Neither is empty.
    return OperatingPoint(
        label=wanted.label,
        wanted=wanted.told,
        threshold=float(min(threshold, 2.0)),
        found=found,
        false_alarms=false_alarms,
        precision=precision,
        cost=cost,
    )


def _chosen(ranking: Ranking, positives: int, wanted: Wanted) -> tuple[float, float | None]:
    """Return the threshold, infinity for never, and what it costs a picture, if that was asked."""
    n, scores = len(ranking.order), ranking.scores[ranking.ends]
    hits = np.append(0, np.cumsum(ranking.of_class)[ranking.ends])
    alarms = np.append(0, ranking.ends + 1) - hits
    if wanted.cost is not None:
        costs = (wanted.cost * (positives - hits) + alarms) / n
        place = int(np.argmin(costs))
        return _threshold(scores, place), float(costs[place])
    assert wanted.false_alarms is not None
    allowed = alarms <= wanted.false_alarms * (n - positives) * (1 + 1e-12)
    return _threshold(scores, int(np.argmax(np.where(allowed, hits, -1)))), None


def _threshold(falling: NDArray[np.float64], accepted: int) -> float:
    """The threshold that accepts so many of the distinct scores: short enough to be copied.

    It lies DIGITS behind the point below the last one accepted, or nearer to stay above the next.
    """
    if accepted == 0:
        return float("inf")
    last = float(falling[accepted - 1])
    refused = float(falling[accepted]) if accepted < len(falling) else -1.0
    for digits in range(DIGITS, 17):
        found = math.floor(last * 10.0**digits) / 10.0**digits
        if refused < found <= last:
            return float(found)
    return last
