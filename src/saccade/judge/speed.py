"""How many pictures a second two models answer, measured in turns on the same pictures.

The median of the times, for one picture in many is slow by chance; its interval lies between two
of the ordered times, whatever their distribution: H. A. David and H. N. Nagaraja, "Order
Statistics", 3rd edition, 2003, section 7.1. How much faster B is: the median of the ratios, picture
by picture, so that large and small pictures weigh alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.values import Float64Array, Interval


@dataclass(frozen=True, slots=True)
class Speeds:
    """Pictures a second of ``a`` and ``b``, one at a time, from file to boxes, on ``threads``.

    ``ratio``: how many times as fast B is. ``n`` of each counts the pictures.
    """

    a: Interval
    b: Interval
    ratio: Interval
    threads: int

    @property
    def sentence(self) -> str:
        """Both and the ratio, in words."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        ends = f"{self.ratio.low:.3g} to {self.ratio.high:.3g}"
        return f"B is {self.ratio.value:.3g} times as fast as A ({ends}), on {threads}"


def speeds(a: ArrayLike, b: ArrayLike, *, threads: int, level: float = LEVEL) -> Speeds:
    """Return the speeds of two models that took ``a`` and ``b`` (n,) seconds for the pictures."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise InputError(f"two models need as many times; got {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()) or min(*first, *second) <= 0:
        raise InputError("a time must be a number of seconds above 0; measure again")
    of = [median_interval(one, level=level) for one in (1 / first, 1 / second, first / second)]
    return Speeds(of[0], of[1], of[2], threads)


def median_interval(values: Float64Array, *, level: float = LEVEL) -> Interval:
    """Return the median of (n,) values; of fewer than 6 the interval is their whole range."""
    from scipy.stats import binom  # Slow to load.

    ordered, n = np.sort(values), len(values)
    # The rank below which the median lies with half of what the level leaves, at most.
    low = max(0, int(binom.ppf((1 - level) / 2, n, 0.5)) - 1)
    return Interval(
        float(np.median(ordered)), float(ordered[low]), float(ordered[n - 1 - low]), n, level
    )
