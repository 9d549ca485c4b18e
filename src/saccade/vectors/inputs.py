"""What every index kind checks of the arrays that it is given."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.values import Float32Array, IntArray


def checked_queries(queries: Float32Array, k: int, *, dimension: int) -> Float32Array:
    """Return queries as (q, ``dimension``) float32, C-contiguous.

    Raises InputError for another shape, a value that is not finite, and k below 1.
    """
    wanted = checked_width(queries, "queries", dimension=dimension)
    if k < 1:
        raise InputError(f"k must be 1 or more, got {k}")
    return wanted


def checked_width(array: Float32Array, what: str, *, dimension: int) -> Float32Array:
    """Return ``array`` as ``matrix`` does; InputError unless it has ``dimension`` columns."""
    checked = matrix(array, what)
    if checked.shape[1] != dimension:
        raise InputError(
            f"{what} have {checked.shape[1]} columns; the index holds vectors of length "
            f"{dimension}: embed both with the same model"
        )
    return checked


def checked_rows(rows: ArrayLike, left: NDArray[np.bool_]) -> IntArray:
    """Return row numbers as a rising (m,) int64 without repeats.

    ``left`` (n,) says which rows there are; raises InputError for another number.
    """
    numbers = np.asarray(rows)
    if numbers.size == 0:
        return np.empty(0, dtype=np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise InputError(
            f"rows must be a list of row numbers, got shape {numbers.shape} of {numbers.dtype}"
        )
    known = (numbers >= 0) & (numbers < len(left))
    known[known] = left[numbers[known]]
    if not known.all():
        raise InputError(
            f"row {int(numbers[np.argmin(known)])} is not in the index: {len(left)} rows were "
            f"added and {int(len(left) - left.sum())} removed; give numbers that find answers"
        )
    return np.unique(numbers).astype(np.int64)


def matrix(array: Float32Array, what: str) -> Float32Array:
    """Return ``array`` as two-dimensional float32, C-contiguous; it is copied only when it is not.

    Raises InputError for another number of dimensions, and for a value that is not finite.
    """
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
