"""Intervals of figures such as average precision, from weighted draws of the pictures.

Pictures, or groups of them, are drawn with replacement and each brings all its boxes: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993; whole groups: Davison and Hinkley, 1997,
section 3.8. Average precision is too high in few pictures, as it takes at each recall the best
precision that chance gave at this or a higher one, and the percentiles of draws, where chance does
so twice, lie higher still: simulated, they hold the truth 85 times of 100 where 95 are promised.
So the interval is that of a normal distribution of the log odds, with the standard error of the
jackknife (Efron and Tibshirani, chapter 11), moved down by the bias. The draws show how large
that is: their mean lies above the figure; BIAS times as far lies the figure above the truth, for a
bias that shrinks with the root of the number of pictures. As the factor is a rule of thumb, a
standard error of half the bias is added. What a kind of mistake costs is a small share with a long
tail: its logarithm gets the normal interval, without a shift. ``benchmarks/detection_intervals.py``
measures what both hold. An average precision near 0 is held less often: one of 0.012 in 100
pictures 88 times of 100.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from saccade.intervals import holding
from saccade.judge.intervals import all_right, check_settings, none_right
from saccade.values import Float64Array, IntArray, Interval

BIAS = 3.0
FEW_UNITS = 30  # pictures or groups; below, an interval says little
MOST_LEFT_OUT = 200  # parts that the jackknife leaves out, one at a time
BLOCK_CELLS = 1 << 21  # draws × boxes weighed at once
EDGE = 1e-4  # a figure this near to 0 or 1 is moved here before a logarithm is taken

Figures = Callable[[Float64Array], Float64Array]  # weights (draws, pictures) → (draws, k)


def units_of(pictures: int, groups: Sequence[str] | None) -> IntArray:
    """Return (pictures,) int64: the number of the unit, picture or group, that each belongs to."""
    if groups is None:
        return np.arange(pictures)
    return np.unique(np.asarray(groups, object), return_inverse=True)[1]


def intervals_of(
    figures: Figures, units: IntArray, *, boxes: int, seed: int, resamples: int, level: float
) -> list[Interval | None]:
    """Return k intervals from the same draws; None for a figure that is not defined (NaN).

    ``figures`` give k shares in [0, 1]. ``units``: (pictures,) as ``units_of`` gives them; ``n`` of
    an interval counts them. ``boxes``: how many a draw weighs, so that not too many are made at
    once.
    """
    check_settings(resamples, level)
    n, value, block = _prepared(figures, units, boxes)
    drawn = _stacked(figures, _draws(n, resamples, block, seed), units)
    left = _stacked(figures, _left_out(n, block, seed), units)
    return [_interval(value[k], drawn[:, k], left[:, k], n, level) for k in range(len(value))]


def intervals_of_costs(
    costs: Figures, units: IntArray, *, boxes: int, seed: int, level: float
) -> list[Interval | None]:
    """Return k intervals of what mistakes cost, as ``intervals_of`` does for figures."""
    n, value, left = jackknife(costs, units, boxes=boxes, seed=seed)
    return [_cost_interval(value[k], left[:, k], n, level) for k in range(len(value))]


def jackknife(
    figures: Figures, units: IntArray, *, boxes: int, seed: int
) -> tuple[int, Float64Array, Float64Array]:
    """Return how many units there are, the (k,) figures, and (parts, k): those without each part.

    A part is one unit, or several where there are more than MOST_LEFT_OUT.
    """
    n, value, block = _prepared(figures, units, boxes)
    return n, value, _stacked(figures, _left_out(n, block, seed), units)


def _prepared(figures: Figures, units: IntArray, boxes: int) -> tuple[int, Float64Array, int]:
    """The number of units, the figures themselves, and how many draws are made at once."""
    value = figures(np.ones((1, len(units))))[0]
    return int(units.max()) + 1, value, max(1, BLOCK_CELLS // max(boxes, len(units), 1))


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
    reach = _reach(variance, level)
    low, high = (1.0 / (1.0 + math.exp(bias - centre - step)) for step in (-reach, reach))
    return holding(value, low, high, n, level)


def _cost_interval(value: float, left: Float64Array, n: int, level: float) -> Interval | None:
    left = left[~np.isnan(left)]
    if np.isnan(value) or len(left) < 2:
        return None
    logs = np.log(np.maximum(left, EDGE))
    factor = math.exp(_reach((len(logs) - 1) * float(np.var(logs)), level))
    kept = max(value, EDGE)
    return holding(value, kept / factor, min(1.0, kept * factor), n, level)


def _reach(variance: float, level: float) -> float:
    return NormalDist().inv_cdf((1.0 + level) / 2) * math.sqrt(variance)


def _odds(share: Any) -> Any:
    """The logarithm of the odds of shares, which are kept EDGE away from 0 and 1."""
    kept = np.clip(share, EDGE, 1.0 - EDGE)
    return np.log(kept / (1.0 - kept))
