"""How much worse a model does than before: on the same pictures disturbed, and on other pictures.

On the same pictures the differences are resampled (``paired_bootstrap``). Of answers that are right
or wrong, one picture that gets worse and one that gets better are added first, as D. G. Bonett and
R. M. Price, Journal of Educational and Behavioral Statistics 37, 2012: where few pictures change,
resampling alone promises too much. On other pictures the two scores' own intervals are joined by
the squares of their arms: R. G. Newcombe, Statistics in Medicine 17, 1998, method 10, for shares;
G. Y. Zou and A. Donner, Statistics in Medicine 27, 2008, for others.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import LEVEL, holding, wilson_interval
from saccade.judge.intervals import (
    RESAMPLES,
    bootstrap_over_identities,
    paired_bootstrap,
    percentile_bounds,
    resampled_means,
)
from saccade.judge.resampling import error_interval, spread
from saccade.values import Interval

SHARES = ("accuracy", "rank-1")  # higher is better; the other figures are errors

Floats = NDArray[np.float64]
Groups = Sequence[str] | None


def score_interval(
    scores: Floats,
    *,
    figure: str,
    groups: Groups = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Return the mean of ``scores`` (s,), one a picture or search, with its interval.

    ``groups`` (s,) name what belongs together and is resampled together. Of answers that are right
    or wrong, each for itself, Wilson's; of errors that of ``judge_regression``.
    """
    if groups is None and _right_or_wrong(scores, figure):
        return wilson_interval(int(scores.sum()), len(scores), level)
    parts = grouped(scores, groups)
    if figure in SHARES:
        return bootstrap_over_identities(parts, seed=seed, resamples=resamples, level=level)
    sums = np.array([[part.sum()] for part in parts])
    counts = np.array([float(len(part)) for part in parts])
    deviation = float(spread(resampled_means(sums, counts, seed, resamples))[0])
    return error_interval(float(scores.mean()), deviation, n=len(parts), level=level)


def paired_drop(before: Floats, after: Floats, *, figure: str, groups: Groups = None) -> Interval:
    """Return how much worse ``after`` is than ``before``, (s,) each of the same pictures.

    Above 0 is worse: a share that falls, or an error that rises. ``groups`` as above.
    """
    worse = (before - after) if figure in SHARES else (after - before)
    if groups is None and all(_right_or_wrong(scores, figure) for scores in (before, after)):
        return _of_changes(int((worse > 0).sum()), int((worse < 0).sum()), len(worse))
    if figure not in SHARES and not worse.any():
        return Interval(0.0, 0.0, 0.0, len(set(groups or range(len(worse)))))
    parts = (grouped(scores, groups) for scores in (worse, np.zeros_like(worse)))
    return paired_bootstrap(*parts)


def unpaired_drop(before: Interval, after: Interval, *, figure: str) -> Interval:
    """Return how much worse ``after`` is than ``before``, intervals of different pictures.

    Above 0 is worse; ``n`` is that of the smaller set.
    """
    first, second = (before, after) if figure in SHARES else (after, before)
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, low, high, min(before.n, after.n), before.level)


def drop_text(worse: Interval, figure: str) -> str:
    """Say "falls by 12.1 points (9 to 15.2)", of an error "rises by", or that none is shown."""
    share = figure in SHARES
    if worse.low > 0:
        return f"{'falls' if share else 'rises'} by {worse_text(worse, figure)}"
    low, high, unit = *_digits(figure, worse.low, worse.high), " points" if share else ""
    return f"is not shown to {'fall' if share else 'rise'} ({low} to {high}{unit})"


def worse_text(worse: Interval, figure: str) -> str:
    """Write "12.1 points (9 to 15.2)"; of an error without the word."""
    value, low, high = _digits(figure, worse.value, worse.low, worse.high)
    return f"{value}{' points' if figure in SHARES else ''} ({low} to {high})"


def _digits(figure: str, *values: float) -> list[str]:
    return [f"{(100 if figure in SHARES else 1) * value:.3g}" for value in values]


def grouped(scores: Floats, groups: Groups) -> list[Floats]:
    """Return the scores unit by unit; without ``groups`` each picture is one."""
    if groups is None:
        return list(scores[:, None])
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(number, kind="stable")
    return np.split(scores[order], np.cumsum(np.bincount(number))[:-1])


def _right_or_wrong(scores: Floats, figure: str) -> bool:
    return figure in SHARES and bool(((scores == 0) | (scores == 1)).all())


def _of_changes(worse: int, better: int, n: int) -> Interval:
    """Pictures that change alike are alike, so that a draw is one multinomial draw."""
    counts = np.array([worse + 1, better + 1, n - worse - better])
    drawn = np.random.default_rng(0).multinomial(n + 2, counts / (n + 2), size=RESAMPLES)
    low, high = percentile_bounds((drawn[:, :1] - drawn[:, 1:2]) / (n + 2), LEVEL)
    return holding((worse - better) / n, low[0], high[0], n, LEVEL)
