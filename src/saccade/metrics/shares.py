"""Shares and their means; what is not defined is NaN, never 0."""

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float64Array


def share_of(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Float64Array:
    """Return part / whole, both of one shape; NaN where the whole is 0."""
    top, bottom = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    shares: Float64Array = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return shares


def mean_of_known(values: NDArray[np.floating]) -> Float64Array:
    """Return the mean over the last axis, NaN left out; NaN of nothing."""
    known = ~np.isnan(values)
    return share_of(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
