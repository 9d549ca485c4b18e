"""Figures of resampled pictures, and intervals from how far they spread.

Pictures, or whole groups of them, are drawn with replacement: Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 6; Davison and Hinkley, 1997, section 3.8. Each draw
is how often every picture counts, so that no figure is computed picture by picture.
We differ from the percentile interval, which is too narrow near 0 and 1: only the spread of the
draws is taken. A mean of shares gets the score interval of Wilson (1927) for the number of pictures
that would spread as much (the effective sample size of Korn and Graubard, 1998); an area below a
curve the interval that is even on the logit scale (Pepe, 2003, section 5.2), an error one that is
even in its power of 2/3 (Wilson and Hilferty, 1931); both by Student's t.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import holding, wilson_interval
from saccade.metrics.shares import share_of
from saccade.values import Interval

POWER, WIDEST = 1.5, 0.9  # of an error's interval; how far its upper end may go
ROUNDING = 1e-12  # of the mean: a spread as small is none
CELLS = 320_000  # pictures × resamples at once: what stays in a core's cache

Counts = NDArray[np.float32]


def resampled_counts(
    n: int, *, groups: Sequence[str] | None = None, seed: int, resamples: int
) -> Iterator[Counts]:
    """Yield (n, b) float32 counts, ``resamples`` columns in all: how often each picture is drawn.

    ``groups`` (n,): pictures of one group are drawn together, as many groups as there are.
    """
    rng = np.random.default_rng(seed)
    units = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    m = n if units is None else int(units.max()) + 1
    block = max(1, CELLS // n)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, m, (size, m)) + m * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * m).reshape(size, m).T
        yield np.ascontiguousarray(times if units is None else times[units], np.float32)


def spread(draws: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (k,) standard deviations of (b, k) draws, those that are NaN left out.

    What rounding alone makes is 0, or the interval of draws that are all alike had no width.
    """
    counted = ~np.isnan(draws)
    many = np.maximum(counted.sum(axis=0), 1)
    mean = np.where(counted, draws, 0.0).sum(axis=0) / many
    squares = np.where(counted, (draws - mean) ** 2, 0.0).sum(axis=0)
    deviation: NDArray[np.float64] = np.sqrt(squares / np.maximum(many - 1, 1))
    deviation[deviation <= ROUNDING * np.abs(mean)] = 0.0
    return deviation


def effective_interval(
    value: float,
    deviation: float,
    *,
    n: int,
    even: float,
    level: float,
    low: float = 0.0,
    high: float = 1.0,
) -> Interval:
    """Return the interval of a mean of shares, in [low, high], that spreads by ``deviation``.

    ``n``: the units drawn. ``even``: how many pictures there are at the least when nothing
    spreads, because every answer was right or every one wrong.
    """
    if n < 2:  # One unit tells nothing of others.
        return holding(value, low, high, n, level)
    at, wide = (value - low) / (high - low), deviation / (high - low)
    q2 = t_quantile(n - 1, level) ** 2
    effective = at * (1 - at) / wide**2 if wide > 0 and 0 < at < 1 else even
    centre = (at + q2 / (2 * effective)) / (1 + q2 / effective)
    half = np.sqrt(q2 * at * (1 - at) / effective + (q2 / (2 * effective)) ** 2)
    half /= 1 + q2 / effective
    ends = [low + (high - low) * (centre + side * half) for side in (-1, 1)]
    return holding(value, max(low, ends[0]), min(high, ends[1]), n, level)


def share_intervals(
    hits: NDArray[np.bool_],
    of: NDArray[np.bool_],
    *,
    groups: Sequence[str] | None,
    seed: int,
    resamples: int,
    level: float,
) -> list[Interval | None]:
    """Return the share of ``hits`` among those in ``of``, both (n, k), k times; None of nothing.

    Wilson's interval where each picture stands for itself; where pictures of one of the ``groups``
    (n,) are drawn together, that of the spread, for the groups that have a picture in ``of``.
    """
    right, many = (hits & of).sum(axis=0).tolist(), of.sum(axis=0).tolist()
    if groups is None:
        pairs = zip(right, many, strict=True)
        return [wilson_interval(hit, count, level) if count else None for hit, count in pairs]
    place = np.unique(np.asarray(groups), return_inverse=True)[1]
    n = int(place.max()) + 1
    sums = np.zeros((2, n, of.shape[1]), np.float32)
    np.add.at(sums[0], place, hits & of)
    np.add.at(sums[1], place, of)
    counts = resampled_counts(n, groups=None, seed=seed, resamples=resamples)
    draws = np.concatenate([share_of(one.T @ sums[0], one.T @ sums[1]) for one in counts])
    units = (sums[1] > 0).sum(axis=0).tolist()
    return [
        effective_interval(right[k] / many[k], float(wide), n=units[k], even=units[k], level=level)
        if many[k]
        else None
        for k, wide in enumerate(spread(draws))
    ]


def logit_interval(
    value: float, deviation: float, *, n: int, fewest: int, level: float
) -> Interval:
    """Return the interval of an area in [0, 1] that spreads by ``deviation``.

    ``fewest``: the smaller number of pictures, of those of the class and the others. Without a
    spread the interval is as for a share of ``fewest`` pictures.
    """
    if not deviation > 0 or not 0 < value < 1:
        return effective_interval(value, 0.0, n=n, even=fewest, level=level)
    from scipy.special import expit, logit  # Slow to load.

    half = t_quantile(fewest - 1, level) * deviation / (value * (1 - value))
    low, high = (expit(logit(value) + side * half) for side in (-1, 1))
    return holding(value, low, high, n, level)


def error_interval(value: float, deviation: float, *, n: int, level: float) -> Interval:
    """Return the interval of a mean error of at least 0: even in its power of 2/3.

    ``n``: the units drawn. Without a spread it has no width.
    """
    if not value > 0:
        return Interval(value, value, value, n, level)
    share = min(t_quantile(n - 1, level) * deviation / value / POWER, WIDEST)
    return Interval(value, value / (1 + share) ** POWER, value / (1 - share) ** POWER, n, level)


def t_quantile(freedom: int, level: float) -> float:
    """Return the quantile of Student's t that a two-sided interval at ``level`` reaches to."""
    from scipy.stats import t  # Slow to load.

    return float(t.ppf((1 + level) / 2, max(1, freedom)))
