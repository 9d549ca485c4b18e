"""Is a classifier right as often as its probabilities say?

The expected calibration error of n pictures is above 0 by chance alone, the more so the fewer they
are, so that no interval around it holds the true one as often as it says. Beside it stands what a
classifier that is calibrated shows at most in 95 of 100 cases: J. Bröcker and L. A. Smith,
"Increasing the Reliability of Reliability Diagrams", 2007 (consistency resampling). We differ where
pictures come in groups: those of one group share their luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import holding
from saccade.judge.answers import Answers
from saccade.judge.resampling import (
    effective_interval,
    resampled_counts,
    share_intervals,
    spread,
)
from saccade.metrics.calibration import (
    BINS,
    Reliability,
    bin_of,
    brier_scores,
    calibration_error,
    reliability,
)
from saccade.values import IntArray, Interval

CHANCES = 1000  # draws of outcomes
BLOCK = 1 << 22  # pictures × draws at once


@dataclass(frozen=True, slots=True)
class Bin:
    """Pictures answered with a probability in (low, high]: the mean of it, and the share right."""

    low: float
    high: float
    pictures: int
    probability: float
    right: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities are from the shares that are right.

    ``too_sure``: mean probability of the answers minus their accuracy, below 0 for answers that
    are better than they say. ``error``: the expected calibration error over ``bins``;
    ``by_chance``: what a calibrated classifier would reach in ``level`` of all cases. ``brier``:
    mean squared distance of all probabilities from the truth, in [0, 2]; None where only those of
    the answers are known. ``temperature``: by which the model's log-probabilities were divided.
    """

    probability: float
    too_sure: Interval
    error: float
    by_chance: float
    brier: Interval | None
    bins: tuple[Bin, ...]
    temperature: float | None = None

    @property
    def sentence(self) -> str:
        """The finding in words."""
        gap = self.too_sure
        if gap.low > 0:
            word = "too sure"
        elif gap.high < 0:
            word = "not sure enough"
        elif self.error > self.by_chance:
            return "its probabilities are right on the whole, but not each by itself"
        else:
            return "its probabilities are not shown to be wrong"
        low, high = sorted((abs(gap.low), abs(gap.high)))
        size = f"{100 * abs(gap.value):.1f} points ({100 * low:.1f} to {100 * high:.1f})"
        return f"its probabilities are {word} by {size}"


def judge_calibration(
    answers: Answers,
    *,
    groups: Sequence[str] | None,
    seed: int,
    resamples: int,
    level: float,
    temperature: float | None = None,
) -> Calibration | None:
    """Judge the probabilities of ``answers``; None where they came without.

    Pictures of one of the ``groups`` (n,) count together. ``temperature`` is passed on.
    """
    if answers.sure is None:
        return None
    sure, right = answers.sure, answers.right.astype(np.float64)
    whole = reliability(sure, right)
    brier = None if answers.shares is None else brier_scores(answers.shares, answers.truth)
    columns = np.stack([sure - right] + ([] if brier is None else [brier]), axis=1)
    drawn = resampled_counts(len(sure), groups=groups, seed=seed, resamples=resamples)
    means = [(counts.T @ columns) / counts.sum(axis=0)[:, None] for counts in drawn]
    wide = spread(np.concatenate(means))
    units = len(sure) if groups is None else len(set(groups))
    share = right.mean()

    def moved(value: float, deviation: float, least: float) -> Interval:
        """A mean that is skewed as the share of right answers is, and moves against it."""
        found = effective_interval(share, deviation, n=units, even=units, level=level)
        low, high = value - (found.high - share), value - (found.low - share)
        return holding(value, max(low, least), high, units, level)

    return Calibration(
        probability=float(sure.mean()),
        too_sure=moved(float(sure.mean() - share), float(wide[0]), -1.0),
        error=calibration_error(whole),
        by_chance=_by_chance(sure, groups=groups, seed=seed, level=level),
        brier=None if brier is None else moved(float(brier.mean()), float(wide[1]), 0.0),
        bins=_bins(
            whole,
            bin_of(sure),
            answers.right,
            groups=groups,
            seed=seed,
            resamples=resamples,
            level=level,
        ),
        temperature=temperature,
    )


def _bins(
    whole: Reliability, place: IntArray, right: NDArray[np.bool_], **how: Any
) -> tuple[Bin, ...]:
    """The bins that hold a picture; ``place`` (n,): that of each, ``right`` (n,): its outcome."""
    within = place[:, None] == np.arange(BINS)
    shares = share_intervals(np.broadcast_to(right[:, None], within.shape), within, **how)
    return tuple(
        Bin(
            low=float(whole.edges[place]),
            high=float(whole.edges[place + 1]),
            pictures=int(whole.pictures[place]),
            probability=float(whole.probability[place]),
            right=found,
        )
        for place, found in enumerate(shares)
        if found is not None
    )


def _by_chance(
    sure: NDArray[np.float64], *, groups: Sequence[str] | None, seed: int, level: float
) -> float:
    """The calibration error that outcomes drawn by the probabilities themselves seldom exceed."""
    rng = np.random.default_rng(seed)
    place = bin_of(sure)
    order = np.argsort(place, kind="stable")
    unit = np.arange(len(sure))
    if groups is not None:
        unit = np.unique(groups, return_inverse=True)[1][order]
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    ordered, block = sure[order], max(1, BLOCK // len(sure))
    errors = []
    for start in range(0, CHANCES, block):
        size = min(block, CHANCES - start)
        luck = rng.random((size, int(unit.max()) + 1))[:, unit]
        gaps = ordered - (luck < ordered)
        errors.append(np.abs(np.add.reduceat(gaps, starts, axis=1)).sum(axis=1) / len(sure))
    return float(np.quantile(np.concatenate(errors), level))
