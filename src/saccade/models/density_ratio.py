"""How much likelier each picture is among others, by a classifier that tells the two apart.

Bickel, Brückner, Scheffer, "Discriminative Learning Under Covariate Shift", JMLR 10, 2009, section
4: with p the probability that a row is of the targets, p / (1 - p) is the ratio of the densities,
but for a factor. Sugiyama, Suzuki, Kanamori, "Density Ratio Estimation in Machine Learning", 2012,
section 4.2. The classifier is logistic regression on principal components. It is cross-fitted: no
row is weighted by one that learned from it (Chernozhukov et al., "Double/debiased machine
learning", 2018, section 3). Weights are cut (Cortes, Mansour, Mohri, "Learning Bounds for
Importance Weighting", NIPS 2010, section 5) and have mean 1; the effective sample size is that of
Kish, "Survey Sampling", 1965.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.values import Float64Array

FOLDS = 5
FEWEST = 2 * FOLDS  # different rows of each side
DECIMALS = 6  # that rows have in common which are one picture
MOST_FITTED = 10_000  # rows of each side that a classifier learns from
DIRECTIONS = 64
MOST_FEATURES = 4096  # whose covariance is taken apart
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C: larger is freer
FARTHEST = 30.0  # of the logarithm of a ratio from 0, where float64 is still exact
Sides = tuple[NDArray[Any], NDArray[Any]]  # what belongs to the rows of source and target


@dataclass(frozen=True, slots=True, eq=False)
class DensityRatio:
    """Weights (n,) float64 of the source's rows: mean 1, none above the largest that was allowed.

    ``others`` (m,): those of rows that neither side has, in the same unit. ``cut``: how many of the
    source's were larger. ``told_apart``: area under the ROC curve of the classifier, each row
    answered by one that did not learn from it, the mean over the folds; 0.5 where nothing tells the
    two sides apart.
    """

    weights: Float64Array
    others: Float64Array
    cut: int
    told_apart: float

    @property
    def effective(self) -> float:
        """Effective sample size of the source, from 1 to n, as ``effective_size``."""
        return effective_size(self.weights)


def effective_size(weights: Float64Array) -> float:
    """(n,) weights ≥ 0, not all 0 → (Σ w)² / Σ w²: as many equal weights are as sure."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def density_ratio(
    source: NDArray[Any],
    target: NDArray[Any],
    *,
    most: float,
    others: NDArray[Any] | None = None,
    seed: int = 0,
) -> DensityRatio:
    """Return how much likelier the rows of ``source`` (n, d) are among ``target`` (k, d).

    ``most``: the largest weight, at least 1, in means. ``others``: (m, d) rows to be weighted
    beside. ``seed`` deals the folds. Raises InputError when a side has fewer than FEWEST different
    rows, for more than MOST_FEATURES features, and for one that is not finite.
    """
    _require_enough(len(source), len(target))
    if source.shape[1] > MOST_FEATURES:
        raise InputError(
            f"a density ratio takes {MOST_FEATURES:,} features at most, and these are "
            f"{source.shape[1]:,}; set data.reweight_by pixels, or a smaller data.size"
        )
    beside = source[:0] if others is None else others
    if not all(np.isfinite(rows).all() for rows in (source, target, beside)):
        raise InputError("a density ratio needs finite features; name other weights or features")
    ours, theirs, rest = _directions(source, target, beside)
    folds = _folds(ours, theirs, seed)
    log_odds = min(
        (_cross_fitted((ours, theirs), folds, rest, penalty=one, seed=seed) for one in PENALTIES),
        key=lambda found: found.loss,
    )
    weights, cut, factor = cut_weights(log_odds.source, most=most)
    beyond = np.minimum(np.exp(np.clip(log_odds.others, -FARTHEST, FARTHEST)) * factor, most)
    # Fold by fold: answers of two classifiers have no common zero.
    areas = [
        _area(log_odds.source[folds[0] == fold], log_odds.target[folds[1] == fold])
        for fold in range(FOLDS)
    ]
    return DensityRatio(weights, beyond, cut, float(np.mean(areas)))


def cut_weights(log_ratios: Float64Array, *, most: float) -> tuple[Float64Array, int, float]:
    """(n,) logarithms of ratios → weights with mean 1, none above ``most``, which is at least 1.

    Also how many were cut, and what the ratios that were not are multiplied by. What is cut ends at
    ``most`` exactly: the k largest do for the least k where all others then stay below it.
    """
    ratios = np.exp(np.clip(log_ratios, -FARTHEST, FARTHEST))
    falling = -np.sort(-ratios)
    rest = np.cumsum(falling[::-1])[::-1]  # The sum of this one and all smaller ones.
    cuts = np.arange(len(ratios))
    left = len(ratios) - most * cuts
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.where(left > 0, left / rest, np.inf)
    cut = int(np.argmax(falling * factors <= most * (1 + 1e-12)))
    if falling[cut] * factors[cut] > most * (1 + 1e-12):  # most is 1, or all but so.
        return np.ones(len(ratios)), 0, 0.0
    factor = float(factors[cut])
    return np.minimum(ratios * factor, most), cut, factor


@dataclass(frozen=True, slots=True, eq=False)
class _LogOdds:
    """Logarithms of the ratio, cross-fitted; ``loss``: the mean log-loss of those answers."""

    source: Float64Array
    target: Float64Array
    others: Float64Array
    loss: float


def _cross_fitted(
    sides: Sides,
    folds: Sides,
    others: Float64Array,
    *,
    penalty: float,
    seed: int,
) -> _LogOdds:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression  # Slow to load.

    found = [np.zeros(len(rows)) for rows in (*sides, others)]
    for fold in range(FOLDS):
        draw = np.random.default_rng((seed, fold))
        learned = [
            rows[draw.permutation(np.flatnonzero(own != fold))[:MOST_FITTED]]
            for rows, own in zip(sides, folds, strict=True)
        ]
        counts = [len(rows) for rows in learned]
        model = LogisticRegression(C=penalty, max_iter=1000)
        with warnings.catch_warnings():
            # One that has not converged is judged by its answers as well, and may not be chosen.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(np.vstack(learned), np.repeat([0, 1], counts))
        prior = np.log(counts[1] / counts[0])
        for side, rows in enumerate(sides):
            mine = folds[side] == fold
            found[side][mine] = model.decision_function(rows[mine]) - prior
        if len(others):
            found[2] += (model.decision_function(others) - prior) / FOLDS
    # Both sides count the same, however many rows they have.
    loss = np.logaddexp(0, found[0]).mean() + np.logaddexp(0, -found[1]).mean()
    return _LogOdds(found[0], found[1], found[2], loss=float(loss))


def _folds(source: Float64Array, target: Float64Array, seed: int) -> Sides:
    """The fold of each row of both sides, int64; rows that are one picture are in one.

    Otherwise a picture that is on both sides would be answered by what learned that it is of the
    other. Raises InputError when a side has fewer than FEWEST different rows.
    """
    whole = np.round(np.vstack([source, target]), DECIMALS)
    _, first, number = np.unique(whole, axis=0, return_index=True, return_inverse=True)
    picture = first[number.ravel()]  # By where each stands first, so that values deal no folds.
    sides = picture[: len(source)], picture[len(source) :]
    _require_enough(*(len(np.unique(side)) for side in sides))
    common = np.intersect1d(sides[0], sides[1])
    draw = np.random.default_rng(seed)
    fold = np.zeros(len(whole), np.int64)
    for part in (common, np.setdiff1d(sides[0], common), np.setdiff1d(sides[1], common)):
        fold[draw.permutation(part)] = np.arange(len(part)) % FOLDS
    return fold[sides[0]], fold[sides[1]]


def _require_enough(source: int, target: int) -> None:
    """Raise InputError when one of the sides has fewer than FEWEST different rows."""
    for many, name in ((source, "to learn from"), (target, "of the target")):
        if many < FEWEST:
            raise InputError(
                f"a density ratio needs {FEWEST} different pictures or more of each side, and "
                f"those {name} are {many}; add some"
            )


def _directions(*sides: NDArray[Any]) -> tuple[Float64Array, ...]:
    """The rows in at most DIRECTIONS principal directions of the first two, 1 in the mean square.

    Which side a row is of does not enter, but that each side counts the same.
    """
    source, target = (np.asarray(side, np.float64) for side in sides[:2])
    mean = (source.mean(axis=0) + target.mean(axis=0)) / 2
    centred = (source - mean, target - mean)
    spread = sum(rows.T @ rows / len(rows) for rows in centred) / 2
    values, vectors = np.linalg.eigh(spread)
    kept = vectors[:, ::-1][:, :DIRECTIONS]
    kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    scale = np.sqrt(max(values[::-1][:DIRECTIONS].mean(), np.finfo(np.float64).tiny))
    return tuple((np.asarray(side, np.float64) - mean) @ kept / scale for side in sides)


def _area(source: Float64Array, target: Float64Array) -> float:
    """Area under the ROC curve: the share of pairs whose target's row is higher, ties half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([target, source]))[: len(target)]
    higher = ranks.sum() - len(target) * (len(target) + 1) / 2
    return float(higher / (len(target) * len(source)))
