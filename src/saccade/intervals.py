"""Confidence intervals of a share: one that never covers less, one that covers as it says.

The exact interval of C. J. Clopper and E. S. Pearson (1934) holds the true share at least as often
as its level says, and mostly more often: for promises. The score interval of E. B. Wilson (1927)
holds it about as often as it says: for figures. See L. D. Brown, T. T. Cai, A. DasGupta, "Interval
Estimation for a Binomial Proportion", 2001.
"""

from math import sqrt
from statistics import NormalDist

from saccade.errors import InputError
from saccade.values import Interval

LEVEL = 0.95


def binomial_interval(right: int, n: int, level: float = LEVEL) -> Interval:
    """Return the share ``right`` of ``n`` with the exact interval of Clopper and Pearson (1934).

    For outcomes that do not depend on one another; both bounds are quantiles of a beta
    distribution, the wanted one reached or passed. Raises InputError for no outcome.
    """
    from scipy.special import betaincinv  # Slow to load, and a search needs none of it.

    _require_outcomes(right, n)
    tail = (1.0 - level) / 2
    low = float(betaincinv(right, n - right + 1, tail)) if right else 0.0
    high = float(betaincinv(right + 1, n - right, 1.0 - tail)) if right < n else 1.0
    return holding(right / n, low, high, n, level)


def wilson_interval(right: int, n: int, level: float = LEVEL) -> Interval:
    """Return the share ``right`` of ``n`` with the score interval of Wilson (1927).

    For outcomes that do not depend on one another. Raises InputError for no outcome.
    """
    _require_outcomes(right, n)
    z2, share = NormalDist().inv_cdf((1.0 + level) / 2) ** 2, right / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return holding(share, max(0.0, centre - half), min(1.0, centre + half), n, level)


def _require_outcomes(right: int, n: int) -> None:
    if not 0 <= right <= n or n < 1:
        raise InputError(
            f"an interval needs 0 to n of n outcomes, n at least 1; got {right} of {n}"
        )


def holding(value: float, low: float, high: float, n: int, level: float) -> Interval:
    """Return an Interval that is widened, where needed, to hold ``value``."""
    return Interval(float(value), float(min(low, value)), float(max(high, value)), n, level)
