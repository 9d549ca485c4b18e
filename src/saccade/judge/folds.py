"""Figures of cross-validation: the mean over the folds, and whether one setting beats another.

C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52, 2003,
section 3, the corrected resampled t: the training parts of two folds have most pictures in common,
so that the folds' scores are more alike than those of independent data, and the plain t interval is
too narrow. The variance of a mean over k folds is taken as (1 / k + test / training) s², s² the
variance between the folds, with k - 1 degrees of freedom; for k folds of equal size, test /
training is 1 / (k - 1). We differ: theirs is for splits drawn at random, again and again; for the
folds of one cross-validation it is what they advise for want of an unbiased estimate (Y. Bengio and
Y. Grandvalet, JMLR 5, 2004), a little too careful rather than too bold.
"""

import math
from collections.abc import Sequence

import numpy as np

from saccade.errors import InputError
from saccade.intervals import LEVEL, holding
from saccade.values import Interval


def fold_interval(scores: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the mean of a score, one a fold, with its corrected interval; ``n`` is the folds.

    Raises InputError for fewer than two folds, and for a score that is not finite.
    """
    from scipy.special import stdtrit  # Slow to load.

    mean, error = _mean_and_error(scores)
    k = len(scores)
    half = float(stdtrit(k - 1, 0.5 + level / 2)) * error
    return holding(mean, mean - half, mean + half, k, level)


def paired_folds(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the difference of two scores, a - b, on the same folds, with its corrected interval.

    One that holds 0 means: not shown to be better. Raises InputError as ``fold_interval``, and when
    the numbers of folds differ.
    """
    if len(a) != len(b):
        raise InputError(f"the scores are of {len(a)} and {len(b)} folds; judge both on the same")
    return fold_interval([x - y for x, y in zip(a, b, strict=True)], level)


def paired_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Return how likely a difference as large as that of ``a`` and ``b`` is if there is none.

    Two-sided, by the corrected t of the differences; below 0.05 just when the 95 % interval of
    ``paired_folds`` leaves out 0. Equal differences have no spread: 1 when they are 0, else 0.
    """
    from scipy.special import stdtr

    mean, error = _mean_and_error([x - y for x, y in zip(a, b, strict=True)])
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return 2.0 * float(stdtr(len(a) - 1, -abs(mean) / error))


def _mean_and_error(scores: Sequence[float]) -> tuple[float, float]:
    """The mean and its corrected standard error."""
    rows = np.asarray(scores, np.float64)
    k = len(rows)
    if k < 2 or not np.isfinite(rows).all():
        raise InputError(f"an interval needs finite scores of two folds or more; got {list(rows)}")
    share = 1 / k + 1 / (k - 1)
    return float(rows.mean()), math.sqrt(share * rows.var(ddof=1))
