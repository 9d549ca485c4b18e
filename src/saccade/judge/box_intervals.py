"""Intervals of figures such as average precision, from weighted draws of the pictures.

Pictures, or groups of them, are drawn with replacement and each brings all its boxes: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993; whole groups: Davison and Hinkley, 1997,
section 3.8. Average precision is too high in few pictures, as it takes at each recall the best
precision that chance gave at this or a higher one, and the percentiles of draws, where chance does
so twice, lie higher still: simulated, they hold the truth 79 times of 100 where 95 are promised.
So the interval is that of a normal distribution of the log odds, with the standard error of the
jackknife (Efron and Tibshirani, chapter 11), moved down by the bias. The draws show how large
that is: their mean lies above the figure; BIAS times as far lies the figure above the truth, for a
bias that shrinks with the root of the number of pictures. As the factor is a rule of thumb, a
standard error of half the bias is added. ``benchmarks/detection_intervals.py`` measures what
this holds.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from saccade.intervals import holding
from saccade.judge.intervals import all_right, check_settings, none_right, percentile_bounds
from saccade.values import Float64Array, IntArray, Interval

BIAS = 3.0
FEW_UNITS = 30  # pictures or groups; below, an interval says little
MOST_LEFT_OUT = 200  # parts that the jackknife leaves out, one at a time
BLOCK_CELLS = 1 << 21  # draws × boxes weighed at once
EDGE = 1e-4  # a figure this near to 0 or 1 is moved here before its odds are taken

Figures = Callable[[Float64Array], Float64Array]  # weights (draws, pictures) → (draws, k)


def units_of(pictures: int, groups: Sequence[str] | None) -> IntArray:
    """Return (pictures,) int64: the number of the unit, picture or group, that each belongs to."""
    if groups is None:
        return np.arange(pictures)
    return np.unique(np.asarray(groups, object), return_inverse=True)[1]


def intervals_of(
    figures: Figures,
    units: IntArray,
    *,
    boxes: int,
    seed: int,
    resamples: int,
    level: float,
    difference: bool = False,
) -> list[Interval | None]:
    """Return k intervals from the same draws; None for a figure that is not defined (NaN).

    ``units``: (pictures,) as ``units_of`` gives them; ``boxes``: how many a draw weighs, which
    decides how many draws are made at once. ``n`` of an interval counts the units. Figures lie in
    [0, 1]; ``difference``: they are differences of such, whose own bias is small, and get the
    percentiles of the draws.
    """
    check_settings(resamples, level)
    n = int(units.max()) + 1
    value = figures(np.ones((1, len(units))))[0]
    block = max(1, BLOCK_CELLS // max(boxes, len(units), 1))
    drawn = _stacked(figures, _draws(n, resamples, block, seed), units)
    if difference:
        return [_percentiles(value[k], drawn[:, k], n, level) for k in range(len(value))]
    left = _stacked(figures, _left_out(n, block, seed), units)
    return [_interval(value[k], drawn[:, k], left[:, k], n, level) for k in range(len(value))]


def _stacked(figures: Figures, weights: Iterator[Float64Array], units: IntArray) -> Float64Array:
    return np.concatenate([figures(block[:, units]) for block in weights])


def _draws(n: int, resamples: int, block: int, seed: int) -> Iterator[Float64Array]:
    rng = np.random.default_rng(seed)
    even = np.full(n, 1.0 / n)
    for start in range(0, resamples, block):
        yield rng.multinomial(n, even, size=min(block, resamples - start)).astype(np.float64)


def _left_out(n: int, block: int, seed: int) -> Iterator[Float64Array]:
    """Each row leaves one part of the units out; a part is one unit where they are few."""
    parts = min(n, MOST_LEFT_OUT)
    part = np.random.default_rng(seed).permutation(n) % parts
    for start in range(0, parts, block):
        these = np.arange(start, min(start + block, parts))
        yield (part != these[:, None]).astype(np.float64)


def _percentiles(value: float, drawn: Float64Array, n: int, level: float) -> Interval | None:
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(drawn) == 0:
        return None
    low, high = percentile_bounds(drawn[:, None], level)
    return holding(value, low[0], high[0], n, level)


def _interval(
    value: float, drawn: Float64Array, left: Float64Array, n: int, level: float
) -> Interval | None:
    drawn, left = drawn[~np.isnan(drawn)], left[~np.isnan(left)]
    if np.isnan(value):
        return None
    if len(left) < 2 or np.ptp(left) == 0:  # Right everywhere, wrong everywhere, or one picture.
        bound = {1.0: all_right, 0.0: none_right}.get(value)
        return holding(value, 0.0, 1.0, n, level) if bound is None else bound(n, level)
    centre, odds = _odds(value), _odds(left)
    bias = BIAS * float(np.mean(_odds(drawn)) - centre)
    variance = (len(odds) - 1) * float(np.var(odds)) + (bias / 2) ** 2
    reach = NormalDist().inv_cdf((1.0 + level) / 2) * variance**0.5
    low, high = (1.0 / (1.0 + math.exp(bias - centre - step)) for step in (-reach, reach))
    return holding(value, low, high, n, level)


def _odds(share: Any) -> Any:
    """The logarithm of the odds of shares, which are kept EDGE away from 0 and 1."""
    kept = np.clip(share, EDGE, 1.0 - EDGE)
    return np.log(kept / (1.0 - kept))
