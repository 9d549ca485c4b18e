"""Figures of a regressor, from truth and values; as in scikit-learn, the mean over the targets.

R², the coefficient of determination: Draper and Smith, *Applied Regression Analysis*, 1998,
section 1.3: 1 minus the mean squared error over the variance of the truth. We differ where the
truth never varies: R² is NaN there, for there is nothing to explain.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError

FloatArray = NDArray[np.float64]
MOMENTS = 4  # columns a target: |error|, error², truth, truth²


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Means over pictures from which every figure follows; each (…, k) float64, k targets.

    ``absolute``: of |error|, ``squared``: of error²; ``truth`` and ``truth_squared``: of the truth,
    taken from where its mean over all pictures lies, so that no digit is lost.
    """

    absolute: FloatArray
    squared: FloatArray
    truth: FloatArray
    truth_squared: FloatArray

    @classmethod
    def of(cls, means: FloatArray) -> "Moments":
        """Return those of means (…, MOMENTS k) over rows of ``moment_rows``."""
        return cls(*np.split(means, MOMENTS, axis=-1))

    def mae(self) -> FloatArray:
        """(…, k): the mean absolute error."""
        return self.absolute

    def rmse(self) -> FloatArray:
        """(…, k): the root of the mean squared error."""
        return np.sqrt(self.squared)

    def r2(self) -> FloatArray:
        """(…, k): the share of the truth's variance that is explained; NaN where it has none."""
        variance = self.truth_squared - self.truth**2
        # What is left of truth that never varies is rounding.
        varies = variance > 1e-12 * self.truth_squared
        explained: FloatArray = 1 - np.divide(
            self.squared, variance, out=np.full(variance.shape, np.nan), where=varies
        )
        return explained


def moment_rows(truth: ArrayLike, values: ArrayLike) -> FloatArray:
    """Return (n, MOMENTS k) float64, a row a picture: what ``Moments`` takes the means of.

    ``truth`` and ``values``: (n, k), or (n,) for one target. Raises InputError for no picture, two
    shapes, or a number that is not finite.
    """
    true, said = (_columns(np.asarray(each, np.float64)) for each in (truth, values))
    if true.shape != said.shape or true.ndim != 2 or true.size == 0:
        raise InputError(
            "truth and values must be (n,) or (n, targets), alike and not empty; "
            f"got shapes {true.shape} and {said.shape}"
        )
    if not (np.isfinite(true).all() and np.isfinite(said).all()):
        raise InputError("truth or values hold NaN or infinity; every number must be finite")
    error, centred = said - true, true - true.mean(axis=0)
    return np.concatenate([np.abs(error), error**2, centred, centred**2], axis=1)


def mae(truth: ArrayLike, values: ArrayLike) -> float:
    """Return the mean absolute error, averaged over the targets; (n,) or (n, k) each."""
    return float(_whole(truth, values).mae().mean())


def rmse(truth: ArrayLike, values: ArrayLike) -> float:
    """Return the root of the mean squared error, averaged over the targets; (n,) or (n, k) each."""
    return float(_whole(truth, values).rmse().mean())


def r2(truth: ArrayLike, values: ArrayLike) -> float:
    """Return R², averaged over the targets; NaN where the truth of one never varies."""
    return float(_whole(truth, values).r2().mean())


def _whole(truth: ArrayLike, values: ArrayLike) -> Moments:
    return Moments.of(moment_rows(truth, values).mean(axis=0))


def _columns(array: FloatArray) -> FloatArray:
    return array[:, None] if array.ndim == 1 else array
