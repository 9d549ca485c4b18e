"""How well masks of classes fit, from counts of pixels.

Intersection over union: P. Jaccard, 1901, as in M. Everingham and others, "The PASCAL Visual Object
Classes (VOC) Challenge", 2010; Dice: L. R. Dice, "Measures of the Amount of Ecologic Association
Between Species", 1945. A class that neither mask shows is left out of a mean, never counted as 0 or
1; one that only the answer shows has an intersection over union of 0.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.metrics.classification import Margins
from saccade.values import Float64Array, IntArray


def pixel_confusion(
    truth: NDArray[np.integer],
    answer: NDArray[np.integer],
    *,
    classes: int,
    ignore: int | None = None,
) -> IntArray:
    """Return (classes, classes + 1) int64: pixels by true class (row) and answered one (column).

    ``truth``, ``answer``: (H, W) whole numbers in [0, classes), or ``ignore``. A pixel whose true
    class is ``ignore`` is left out; one answered so, though its class is known, stands in the last
    column: no class was answered. Raises InputError for two sizes, or a number out of range.
    """
    if truth.shape != answer.shape or truth.ndim != 2:
        raise InputError(f"two masks must be (H, W) of one size; got {truth.shape}, {answer.shape}")
    rows, columns = truth.ravel().astype(np.int64), answer.ravel().astype(np.int64)
    if ignore is not None:
        known = rows != ignore
        rows, columns = rows[known], columns[known]
        columns = np.where(columns == ignore, classes, columns)
    most = classes - (ignore is None)
    for name, found, last in (("truth", rows, classes - 1), ("answer", columns, most)):
        if found.size and (found.min() < 0 or found.max() > last):
            raise InputError(f"{name} must hold whole numbers from 0 to {classes - 1}")
    cells = np.bincount(rows * (classes + 1) + columns, minlength=classes * (classes + 1))
    return cells.reshape(classes, classes + 1)


def margins(confusion: ArrayLike) -> Margins:
    """Return what the figures need of matrices (…, classes, classes + 1), pixels in [0, ∞).

    Its ``recall`` is the accuracy of each class, its ``f1`` the Dice coefficient.
    """
    counts = np.asarray(confusion)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return Margins(right, counts.sum(axis=-1), counts[..., :-1].sum(axis=-2))


def class_iou(found: Margins) -> Float64Array:
    """(…, classes): intersection over union; NaN for a class that neither mask shows."""
    right, shown, answered = (
        np.asarray(column, np.float64) for column in (found.right, found.shown, found.answered)
    )
    union = shown + answered - right
    shares: Float64Array = np.divide(
        right, union, out=np.full(right.shape, np.nan), where=union > 0
    )
    return shares
