"""Confidence intervals by the cluster bootstrap over identities.

Searches of one identity are alike, so identities are drawn with replacement and each brings all
its searches: A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application" (1997),
section 3.8. A share has the interval that the spread of the draws makes, see ``resampling.py``;
other means the percentiles of B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap"
(1993), chapter 13. C. J. Clopper and E. S. Pearson (1934) for the exact bound used when there is
nothing to resample.
We differ: when every search is right (or every one wrong), resampling shows no spread at all and
would promise certainty; then the exact binomial bound for n identities is given. An interval is
widened, where needed, to hold the estimate. Differences have Student's t times the spread.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError, SettingError
from saccade.intervals import LEVEL, holding
from saccade.judge.resampling import effective_interval, spread, t_quantile
from saccade.values import Interval

RESAMPLES = 2000
BLOCK_CELLS = 1 << 22  # resamples × identities drawn at once

Scores = Sequence[NDArray[np.generic]]
FloatRows = NDArray[np.float64]


def bootstrap_over_identities(
    per_identity_scores: Scores, *, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Return the mean over all searches, with its interval; ``n`` is the number of identities.

    ``per_identity_scores``: for each identity the scores of its searches, e.g. 1.0 for a hit and
    0.0 for a miss; an identity without a search is left out. The mean is over searches, not over
    identities: it is the share that the user will see. Scores that are all exactly 1 (or all 0)
    are taken for hits (misses) and get the exact bound.
    """
    sums, counts = _totals(per_identity_scores)
    return intervals_of_means(sums[:, None], counts, seed=seed, resamples=resamples, level=level)[0]


def intervals_of_means(
    sums: FloatRows,
    counts: FloatRows,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> list[Interval]:
    """Return k intervals at once, from the same draws.

    ``sums``: (m, k) float64, the total of figure k over identity m's searches; ``counts``: (m,)
    how many searches it has, at least 1.
    """
    check_settings(resamples, level)
    value = sums.sum(axis=0) / counts.sum()
    means = resampled_means(sums, counts, seed, resamples)
    low, high = percentile_bounds(means, level)
    wide, n = spread(means), len(counts)
    answer = []
    for column in range(sums.shape[1]):
        share = sums[:, column] / counts
        if (share == 1.0).all():
            answer.append(all_right(n, level))
        elif (share == 0.0).all():
            answer.append(none_right(n, level))
        elif share.min() >= 0.0 and share.max() <= 1.0:
            mean, deviation = float(value[column]), float(wide[column])
            answer.append(effective_interval(mean, deviation, n=n, even=n, level=level))
        else:
            answer.append(holding(value[column], low[column], high[column], n, level))
    return answer


def paired_bootstrap(
    a: Scores, b: Scores, *, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Return the difference of two means, a − b, on the same identities and searches.

    Student's t times the spread of the draws, to either side: percentiles of few identities call
    every second pair of equals different. An interval that holds 0 means: not shown to be better.
    Without a spread both are taken for shares in [0, 1], and the bound for n identities is given.
    Raises InputError when the identities or their numbers of searches differ.
    """
    check_settings(resamples, level)
    if [len(scores) for scores in a] != [len(scores) for scores in b]:
        raise InputError(
            "the two runs were judged on different searches; judge both on the same pictures"
        )
    sums_a, counts = _totals(a)
    sums_b, _ = _totals(b)
    n = len(counts)
    difference = (sums_a - sums_b)[:, None]
    value = float(difference.sum() / counts.sum())
    half = t_quantile(n - 1, level) * float(
        spread(resampled_means(difference, counts, seed, resamples))[0]
    )
    if n < 2:
        half = 1.0  # One tells nothing of others.
    elif not half:
        half = none_right(n, level).high
    return Interval(value, value - half, value + half, n, level)


def percentile_bounds(estimates: FloatRows, level: float) -> tuple[FloatRows, FloatRows]:
    """Return the (k,) lower and upper percentile bounds of (resamples, k) estimates."""
    tail = (1.0 - level) / 2
    low, high = np.quantile(estimates, [tail, 1.0 - tail], axis=0)
    return low, high


def all_right(n: int, level: float) -> Interval:
    """Return [bound, 1] for n of n right; source: Clopper and Pearson (1934)."""
    return Interval(1.0, ((1.0 - level) / 2) ** (1.0 / n), 1.0, n, level)


def none_right(n: int, level: float) -> Interval:
    """Return [0, bound] for 0 of n; the mirror of ``all_right``."""
    return Interval(0.0, 0.0, 1.0 - ((1.0 - level) / 2) ** (1.0 / n), n, level)


def resampled_means(sums: FloatRows, counts: FloatRows, seed: int, resamples: int) -> FloatRows:
    """Return (resamples, k): the mean over all searches of the identities drawn.

    ``sums`` and ``counts`` as for ``intervals_of_means``; where the units are pictures, all counts
    are 1.
    """
    rng = np.random.default_rng(seed)
    n = len(counts)
    block = max(1, BLOCK_CELLS // n)
    pieces = []
    for start in range(0, resamples, block):
        times = rng.multinomial(n, np.full(n, 1.0 / n), size=min(block, resamples - start))
        pieces.append((times @ sums) / (times @ counts)[:, None])
    return np.concatenate(pieces)


def check_settings(resamples: int, level: float) -> None:
    """Raise SettingError for a number of resamples or a level that makes no interval."""
    if resamples < 100:
        raise SettingError(f"resamples must be 100 or more; got {resamples}")
    if not 0.0 < level < 1.0:
        raise SettingError(f"level must lie between 0 and 1, such as 0.95; got {level}")


def _totals(per_identity_scores: Scores) -> tuple[FloatRows, FloatRows]:
    kept = [np.asarray(scores, dtype=np.float64) for scores in per_identity_scores if len(scores)]
    if not kept:
        raise InputError("there is no search to judge; at least one identity needs 2 pictures")
    sums = np.array([scores.sum() for scores in kept])
    if not np.isfinite(sums).all():
        raise InputError("scores hold NaN or infinity; every search needs a finite score")
    return sums, np.array([float(len(scores)) for scores in kept])
