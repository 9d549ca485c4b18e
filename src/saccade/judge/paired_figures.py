"""Two sets of boxes or masks on the same pictures: is one better, by figures of all pictures?

Average precision and mean intersection over union are no means over pictures, so the difference of
the two figures is taken as one figure: each picture, or group, is left out once in both, and the
spread makes its standard error (the jackknife: Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 11). The difference by its error is compared with Student's t. Where few
pictures differ, that error is itself uncertain: the degrees of freedom are those of a variance
whose fourth moment was measured, F. E. Satterthwaite, Biometrics Bulletin 2, 1946. Of pictures with
one mean each this is Student's paired test, but for these degrees.
"""

import math
from collections.abc import Sequence

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.errors import InputError
from saccade.intervals import LEVEL, holding
from saccade.judge.box_intervals import Figures, intervals_of, jackknife, units_of
from saccade.judge.comparison import Compared, FigurePair
from saccade.judge.detection import RESAMPLES
from saccade.judge.intervals import none_right
from saccade.judge.mask_counts import FIGURES, Counts, by_unit, figures_of_sums, intervals_of_sums
from saccade.metrics.coco import FIRST_FIGURES, match_coco
from saccade.values import Float64Array, IntArray, Interval

STILL = 1e-12  # figures that differ by less are the same


def compare_boxes(
    true: TrueBoxes,
    a: FoundBoxes,
    b: FoundBoxes,
    *,
    pictures: int,
    categories: int,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Compared:
    """Compare two sets of found boxes by FIRST_FIGURES, above all by AP.

    ``groups`` (pictures,) name what belongs together and is left out whole.
    """
    units = units_of(pictures, groups)
    most = len(true.area) + max(len(a.score), len(b.score))
    first, second = (
        match_coco(true, one, categories=categories, areas=("all",)).first for one in (a, b)
    )
    sides = [
        intervals_of(figures, units, boxes=most, seed=seed, resamples=resamples, level=level)
        for figures in (first, second)
    ]
    gaps = differences(first, second, units, cells=most, seed=seed, level=level)
    return _compared(FIRST_FIGURES, sides, gaps, groups)


def compare_counts(
    a: Counts,
    b: Counts,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> Compared:
    """Compare two sets of masks of the same pictures by FIGURES, above all by mean IoU.

    ``groups`` (n,) name what belongs together and is left out whole.
    """
    classes, units = len(a.confusion), units_of(len(a.sums), groups)
    sums = [by_unit(one.sums, units) for one in (a, b)]
    first, second = (
        lambda weights, rows=rows: figures_of_sums(weights @ rows, classes)[:, : len(FIGURES)]
        for rows in sums
    )
    own = np.arange(len(sums[0]))
    sides = [intervals_of_sums(rows, classes, level)[: len(FIGURES)] for rows in sums]
    gaps = differences(first, second, own, cells=sums[0].shape[1], seed=seed, level=level)
    return _compared(FIGURES, sides, gaps, groups)


def differences(
    first: Figures, second: Figures, units: IntArray, *, cells: int, seed: int, level: float
) -> list[tuple[Interval, float] | None]:
    """Return how much larger each figure of ``second`` is, and p; None where one is not defined.

    ``units`` and ``cells`` as ``units`` and ``boxes`` of ``intervals_of``; figures are shares.
    """

    def gap(weights: Float64Array) -> Float64Array:
        return second(weights) - first(weights)

    n, value, left = jackknife(gap, units, boxes=cells, seed=seed)
    return [_difference(value[k], left[:, k], n, level) for k in range(len(value))]


def _difference(
    value: float, left: Float64Array, n: int, level: float
) -> tuple[Interval, float] | None:
    if np.isnan(value):
        return None
    left = left[~np.isnan(left)]
    if len(left) < 2 or np.ptp(left) < STILL:  # The same everywhere, or one unit.
        return _still(value, n, level)
    from scipy.stats import t  # Slow to load.

    parts, squares = len(left), (left - left.mean()) ** 2
    error = math.sqrt((parts - 1) / parts * squares.sum())
    peaked = float((squares**2).mean() / squares.mean() ** 2)
    freedom = min(parts - 1, 2 * parts / (peaked - 1)) if peaked > 1 else parts - 1
    reach = float(t.ppf((1 + level) / 2, freedom)) * error
    low, high = max(-1.0, value - reach), min(1.0, value + reach)
    p = float(2 * t.sf(abs(value) / error, freedom))
    return holding(value, low, high, n, level), p


def _still(value: float, n: int, level: float) -> tuple[Interval, float]:
    """A difference that no unit changes: p is that of n units of one sign, 1 for none at all."""
    p = 1.0 if abs(value) < STILL else min(1.0, 2 * 0.5**n)
    reach = none_right(n, level).high
    low, high = max(-1.0, value - reach), min(1.0, value + reach)
    if p >= 1 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    return holding(value, low, high, n, level), p


def _compared(
    names: Sequence[str],
    sides: Sequence[Sequence[Interval | None]],
    gaps: Sequence[tuple[Interval, float] | None],
    groups: Sequence[str] | None,
) -> Compared:
    rows = [
        FigurePair(name, one, other, *gap)
        for name, one, other, gap in zip(names, *sides, gaps, strict=True)
        if one is not None and other is not None and gap is not None
    ]
    if not rows or rows[0].figure != names[0]:
        raise InputError(f"{names[0]} is not defined for both, so nothing can be compared")
    first, units = rows[0], "pictures" if groups is None else "groups"
    if first.difference.n < 2:
        raise InputError(f"comparing needs two {units} or more, as one says nothing of others")
    return Compared(
        first.figure,
        units,
        first.a,
        first.b,
        first.difference,
        p=first.p,
        others=tuple(rows[1:]),
    )
