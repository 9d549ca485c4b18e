"""Whether probabilities are right as often as they say, and a temperature that mends them.

Expected calibration error: M. P. Naeini, G. F. Cooper, M. Hauskrecht, AAAI 2015; with equal bins of
the highest probability and the temperature: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On
Calibration of Modern Neural Networks", ICML 2017, eq. 3 and section 4.2. Brier score of all
classes: G. W. Brier, 1950. We differ in the temperature: truths count as (n + 1) / (n + k) and not
as 1, as in J. Platt, 1999, section 2.2, or pictures that are all answered right would make every
probability 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.values import IntArray

BINS = 15
TINY = 1e-12  # a probability of 0 counts as this in a logarithm
TEMPERATURES = (0.05, 20.0)
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Pictures in equal bins of the probability that they were answered with; each (bins,).

    ``edges``: (bins + 1,), a bin holds its upper one. ``pictures``: how many; ``probability`` and
    ``right``: their mean probability and the share answered right, NaN in an empty bin.
    """

    edges: FloatArray
    pictures: FloatArray
    probability: FloatArray
    right: FloatArray

    @property
    def gaps(self) -> FloatArray:
        """Probability minus share right, bin by bin, NaN where empty: above 0 is too sure."""
        return self.probability - self.right


def reliability(
    probability: ArrayLike, right: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> Reliability:
    """Return the bins of (n,) probabilities in [0, 1], and whether each answer was right (n,).

    Raises InputError for none, two lengths, or a probability outside [0, 1].
    """
    sure, correct = np.asarray(probability, np.float64), np.asarray(right, np.float64)
    if sure.shape != correct.shape or sure.ndim != 1 or not sure.size:
        raise InputError(
            f"calibration needs a probability and an outcome a picture; got {sure.shape} and "
            f"{correct.shape}"
        )
    if not ((sure >= 0) & (sure <= 1)).all():
        raise InputError("probabilities must be from 0 to 1")
    heavy = np.ones(len(sure)) if weights is None else np.asarray(weights, np.float64)
    place = bin_of(sure, bins)
    pictures = np.bincount(place, heavy, minlength=bins).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, heavy * sure, minlength=bins) / pictures
        share = np.bincount(place, heavy * correct, minlength=bins) / pictures
    return Reliability(np.linspace(0.0, 1.0, bins + 1), pictures, mean, share)


def bin_of(probability: ArrayLike, bins: int = BINS) -> IntArray:
    """Return (n,) int64: the bin of each of (n,) probabilities in [0, 1], from 0."""
    upper = np.ceil(np.asarray(probability, np.float64) * bins).astype(np.int64)
    return np.clip(upper - 1, 0, bins - 1)


def calibration_error(found: Reliability) -> float:
    """Return the expected calibration error in [0, 1]: the mean |gap|, by the bins' pictures."""
    gaps = np.nan_to_num(np.abs(found.gaps))
    return float((gaps * found.pictures).sum() / found.pictures.sum())


def brier_scores(probabilities: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return (n,) squared distances in [0, 2] of (n, k) probabilities from the truth (n,)."""
    shares, places = np.asarray(probabilities, np.float64), np.asarray(truth)
    own = shares[np.arange(len(shares)), places]
    scores: FloatArray = (shares**2).sum(axis=1) - 2 * own + 1
    return scores


def log_losses(probabilities: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Return (n,) of minus the logarithm of the truth's probability, from 0; at most -log TINY."""
    shares, places = np.asarray(probabilities, np.float64), np.asarray(truth)
    losses: FloatArray = -np.log(np.maximum(shares[np.arange(len(shares)), places], TINY))
    return losses


def fit_temperature(probabilities: ArrayLike, truth: ArrayLike) -> float:
    """Return the temperature by which (n, k) log-probabilities are best divided, for truth (n,).

    It has the smallest mean cross-entropy with the softened truth among those in TEMPERATURES;
    above 1 the probabilities were too sure. The class of highest probability stays the same.
    """
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), TINY))
    n, k = logs.shape
    soft = np.full((n, k), 1.0 / (n + k))
    soft[np.arange(n), np.asarray(truth)] = (n + 1.0) / (n + k)

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        return float((np.logaddexp.reduce(scaled, axis=1) - (soft * scaled).sum(axis=1)).mean())

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def at_temperature(probabilities: ArrayLike, temperature: float) -> FloatArray:
    """Return (n, k) probabilities whose logarithms were divided by ``temperature`` above 0."""
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), TINY)) / temperature
    return np.asarray(np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)), np.float64)
