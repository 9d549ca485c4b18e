"""Least squares and ridge regression in closed form, in float64.

Ridge: Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970,
eq. 2.1, with a constant that is not penalised. The rows enter a QR factorisation block by block:
Demmel, Grigori, Hoemmen and Langou, "Communication-optimal parallel and sequential QR and LU
factorizations", 2008, arXiv:0808.2664, section 4. The singular values of its R are those of the
centred features, so X'X, which squares the condition number, is never formed. Directions without
information get no weight: Golub and Van Loan, "Matrix Computations", 4th ed., section 5.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from saccade.errors import InputError, SettingError

Float64Array = NDArray[np.float64]
BLOCK_BYTES = 64 << 20  # of float64 rows factorised at a time


@dataclass(frozen=True, slots=True)
class LinearMap:
    """Features (n, d) → features @ ``weights`` (d, t) + ``bias`` (t,), both float64."""

    weights: Float64Array
    bias: Float64Array

    def __call__(self, features: NDArray[Any]) -> Float64Array:
        """(n, d) real → (n, t) float64."""
        found: Float64Array = features @ self.weights + self.bias
        return found


def least_squares(features: NDArray[Any], targets: NDArray[Any]) -> LinearMap:
    """Return the map with the least sum of squared errors; of several, that of least weights.

    As ``ridge`` with a penalty of 0.
    """
    return ridge(features, targets, penalty=0.0)


def ridge(features: NDArray[Any], targets: NDArray[Any], *, penalty: float) -> LinearMap:
    """Return the map with the least sum of squared errors plus ``penalty`` times squared weights.

    (n, d) and (n,) or (n, t), any real numbers; n at least 1. Memory: d² numbers beside a block of
    rows. Raises InputError, naming the row, for a value that is not finite and for shapes that do
    not fit, SettingError for a penalty that is not a number from 0.
    """
    wanted = targets[:, None] if targets.ndim == 1 else targets
    _check(features, wanted, penalty)
    feature_mean = _mean(features, "features")
    target_mean = _mean(wanted, "targets")
    factor, turned = _triangle(features, wanted, feature_mean, target_mean)
    left, values, right = scipy.linalg.svd(factor, full_matrices=False, lapack_driver="gesvd")
    least = max(features.shape) * np.finfo(np.float64).eps * values.max(initial=0.0)
    kept = values > least
    shrunk = np.zeros_like(values)
    shrunk[kept] = values[kept] / (values[kept] ** 2 + penalty)
    weights = right.T @ (shrunk[:, None] * (left.T @ turned))
    return LinearMap(weights, target_mean - feature_mean @ weights)


def _check(features: NDArray[Any], targets: NDArray[Any], penalty: float) -> None:
    if not 0.0 <= penalty < np.inf:
        raise SettingError(f"the ridge penalty must be a number from 0. Got {penalty} instead")
    if features.ndim != 2 or targets.ndim != 2 or len(features) != len(targets):
        raise InputError(
            "features (n, d) and targets (n,) or (n, t) must have as many rows. "
            f"Got {features.shape} and {targets.shape} instead"
        )
    if 0 in features.shape or 0 in targets.shape:
        raise InputError("there is nothing to fit: features or targets are empty")


def _blocks(rows: NDArray[Any]) -> Iterator[tuple[int, Float64Array]]:
    """The number of the first row, and a copy in float64 of a few rows."""
    width = rows.shape[1]
    size = max(width, BLOCK_BYTES // (8 * width), 1)
    for start in range(0, len(rows), size):
        yield start, np.array(rows[start : start + size], np.float64)


def _mean(rows: NDArray[Any], what: str) -> Float64Array:
    total = np.zeros(rows.shape[1])
    for start, block in _blocks(rows):
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise InputError(
                f"row {start + bad[0]} of the {what} holds NaN or infinity; leave that row out, "
                "or repair it"
            )
        total += block.sum(axis=0)
    return total / len(rows)


def _triangle(
    features: NDArray[Any],
    targets: NDArray[Any],
    feature_mean: Float64Array,
    target_mean: Float64Array,
) -> tuple[Float64Array, Float64Array]:
    """R (r, d) of the centred features = QR, and Q' times the centred targets (r, t)."""
    d, t = features.shape[1], targets.shape[1]
    joint = np.zeros((0, d + t))
    for start, block in _blocks(features):
        wanted = targets[start : start + len(block)] - target_mean
        rows = np.vstack([joint, np.hstack([block - feature_mean, wanted])])
        joint = scipy.linalg.qr(rows, mode="r", overwrite_a=True, check_finite=False)[0]
        joint = joint[: d + t]
    return joint[:d, :d], joint[:d, d:]
