"""A score averaged over trainings and over the pictures that judge them: how far it may be off.

Both were drawn, and both draws count. Of R trainings judged on the same n pictures the variance of
the mean is that of two crossed random factors: D. D. Dorfman, K. S. Berbaum and C. E. Metz,
Investigative Radiology 27, 1992; the degrees of freedom are those of S. L. Hillis, Statistics in
Medicine 26, 2007, who has readers in the place of trainings. The interval of a share is that of
E. B. Wilson, JASA 22, 1927, for as many pictures as would give that variance (E. L. Korn and B. I.
Graubard, Survey Methodology 24, 1998, do so with another interval). The difference of two is
interval 10 of R. G. Newcombe, "Interval estimation for the difference between independent
proportions", Statistics in Medicine 17, 1998, which G. Y. Zou and A. Donner, ibid. 27, 2008, extend
to any two figures.
We differ: trainings whose means are closer than chance alone would have them are taken to differ by
chance, so that no interval is narrower than the answers allow. Two trainings can promise too much
all the same: where they differ more than chance, 88 of 100 intervals hold; of three, 93.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from saccade.errors import InputError
from saccade.intervals import LEVEL, holding
from saccade.values import Interval


@dataclass(frozen=True, slots=True)
class Mean:
    """A score, the variance of it as an estimate, its degrees of freedom, and n units judged."""

    value: float
    variance: float
    freedom: float
    n: int

    def quantile(self, level: float) -> float:
        """Return the t, or normal, quantile of a two-sided interval."""
        from scipy.special import ndtri, stdtrit  # Slow to load.

        upper = 0.5 + level / 2
        return float(ndtri(upper) if math.isinf(self.freedom) else stdtrit(self.freedom, upper))


def crossed(units: ArrayLike) -> Mean:
    """Return the mean of ``units`` (R, n): R trainings, judged on the same n units.

    Raises InputError for fewer than two units, or one that is not finite.
    """
    rows = np.asarray(units, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 2 or not len(rows) or not np.isfinite(rows).all():
        raise InputError(f"a score needs two finite units or more a training; got {rows.shape}")
    runs, n = rows.shape
    mean = float(rows.mean())
    if runs == 1:
        return Mean(mean, float(rows.var()) / n, math.inf, n)
    by_run, by_unit = rows.mean(axis=1), rows.mean(axis=0)
    rest = rows - by_run[:, None] - by_unit + mean
    ms_rest = float((rest**2).sum()) / ((runs - 1) * (n - 1))
    ms_runs = max(n * float(by_run.var(ddof=1)), ms_rest)
    ms_units = runs * float(by_unit.var(ddof=1))
    total = ms_runs + max(ms_units - ms_rest, 0.0)
    freedom = total**2 * (runs - 1) / ms_runs**2 if ms_runs > 0 else math.inf
    return Mean(mean, total / (n * runs), freedom, n)


def alike(runs: Sequence[Sequence[float]]) -> Mean:
    """Return the mean over R trainings, each judged on pictures of its own.

    ``runs``: of each its mean, the variance between its pictures, and how many they are. What
    trainings learn from overlaps: the variance is that of pictures all in common, the most that it
    can be, and that between trainings beside it.
    """
    means, variances, sizes = np.asarray(runs, np.float64).T
    count, pictures = len(means), float((variances / sizes).mean())
    between = float(means.var(ddof=1)) / count if count > 1 else 0.0
    total = pictures + between
    freedom = total**2 * (count - 1) / between**2 if between > 0 else math.inf
    return Mean(float(means.mean()), total, freedom, int(sizes.min()))


def summary(units: ArrayLike) -> list[float]:
    """Return what ``alike`` needs of one training: mean, variance and number of its units."""
    rows = np.asarray(units, np.float64)
    return [float(rows.mean()), float(rows.var()), len(rows)]


def share_interval(mean: Mean, level: float = LEVEL) -> Interval:
    """Return a share, in [0, 1], with Wilson's interval for its effective number of units.

    Where there is no spread at all that is the number of units.
    """
    p = min(max(mean.value, 0.0), 1.0)
    n = p * (1 - p) / mean.variance if mean.variance > 0 else mean.n
    if not n:
        n = mean.n
    z2 = mean.quantile(level) ** 2
    centre, half = p + z2 / (2 * n), math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n)))
    low, high = ((centre + sign * half) / (1 + z2 / n) for sign in (-1, 1))
    return holding(p, max(low, 0.0), min(high, 1.0), mean.n, level)


def number_interval(mean: Mean, level: float = LEVEL) -> Interval:
    """Return a score of any size with its t interval."""
    half = mean.quantile(level) * math.sqrt(mean.variance)
    return holding(mean.value, mean.value - half, mean.value + half, mean.n, level)


def gap(a: Interval, b: Interval) -> Interval:
    """Return a - b of two independent figures; ``n`` is the smaller of theirs."""
    value = a.value - b.value
    low = value - math.hypot(a.value - a.low, b.high - b.value)
    high = value + math.hypot(a.high - a.value, b.value - b.low)
    return Interval(value, low, high, min(a.n, b.n), a.level)
