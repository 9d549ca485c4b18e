"""What every index kind checks of the arrays that it is given."""

import numpy as np

from saccade.errors import InputError
from saccade.values import Float32Array


def checked_queries(queries: Float32Array, k: int, *, dimension: int) -> Float32Array:
    """Return queries as (q, ``dimension``) float32, C-contiguous.

    Raises InputError for another shape, a value that is not finite, and k below 1.
    """
    wanted = matrix(queries, "queries")
    if wanted.shape[1] != dimension:
        raise InputError(
            f"queries have {wanted.shape[1]} columns; the index holds vectors of length "
            f"{dimension}: embed both with the same model"
        )
    if k < 1:
        raise InputError(f"k must be 1 or more, got {k}")
    return wanted


def matrix(array: Float32Array, what: str) -> Float32Array:
    matrix = np.asarray(array)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise InputError(
            f"{what} must be a two-dimensional array of numbers, got shape {matrix.shape} "
            f"of {matrix.dtype}"
        )
    with np.errstate(over="ignore"):  # an overflow becomes infinity and is refused below
        matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{what} row {int(np.argmin(finite))} holds NaN or infinity; embed that picture again"
        )
    return matrix
