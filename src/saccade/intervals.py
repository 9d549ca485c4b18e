"""Exact confidence intervals of a share; source: C. J. Clopper and E. S. Pearson (1934)."""

from saccade.errors import InputError
from saccade.values import Interval

LEVEL = 0.95


def binomial_interval(right: int, n: int, level: float = LEVEL) -> Interval:
    """Return the share ``right`` of ``n`` with the exact interval of Clopper and Pearson (1934).

    For outcomes that do not depend on one another; both bounds are quantiles of a beta
    distribution, the wanted one reached or passed. Raises InputError for no outcome.
    """
    from scipy.special import betaincinv  # Slow to load, and a search needs none of it.

    if not 0 <= right <= n or n < 1:
        raise InputError(
            f"an interval needs 0 to n of n outcomes, n at least 1; got {right} of {n}"
        )
    tail = (1.0 - level) / 2
    low = float(betaincinv(right, n - right + 1, tail)) if right else 0.0
    high = float(betaincinv(right + 1, n - right, 1.0 - tail)) if right < n else 1.0
    return holding(right / n, low, high, n, level)


def holding(value: float, low: float, high: float, n: int, level: float) -> Interval:
    """Return an Interval that is widened, where needed, to hold ``value``."""
    return Interval(float(value), float(min(low, value)), float(max(high, value)), n, level)
