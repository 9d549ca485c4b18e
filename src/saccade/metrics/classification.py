"""Figures of a classifier, from its confusion matrix.

Precision and recall: van Rijsbergen, *Information Retrieval*, 1979, chapter 7. Balanced accuracy:
Brodersen, Ong, Stephan, Buhmann, "The Balanced Accuracy and Its Posterior Distribution", 2010.
Abstention: Chow, "On Optimum Recognition Error and Reject Tradeoff", 1970. Matthews' correlation
for many classes: Gorodkin, "Comparing two K-category assignments by a K-category correlation
coefficient", 2004, eq. 8. Averages: Sokolova and Lapalme, "A systematic analysis of performance
measures for classification tasks", 2009, table 3. As in scikit-learn, balanced accuracy leaves out
classes that no picture shows, and macro F1 those that are neither shown nor answered. What is not
defined is NaN, never 0; scikit-learn calls that ``zero_division=nan``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.metrics.shares import mean_of_known, share_of

FloatArray = NDArray[np.float64]


def confusion_matrix(
    truth: ArrayLike, answers: ArrayLike, *, classes: int, weights: ArrayLike | None = None
) -> NDArray[Any]:
    """Return (classes, classes) int64: row, the true class; column, the class answered.

    ``truth`` and ``answers``: (n,) whole numbers in [0, classes). ``weights``: (n,), how much each
    picture counts, at least 0; then float64. Raises InputError for no picture, two lengths, or a
    number out of that range.
    """
    rows, columns = np.asarray(truth), np.asarray(answers)
    if rows.shape != columns.shape or rows.ndim != 1 or rows.size == 0:
        raise InputError(
            "truth and answers must be two flat sequences of one length, not empty; "
            f"got shapes {rows.shape} and {columns.shape}"
        )
    for name, found in (("truth", rows), ("answers", columns)):
        if found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= classes:
            raise InputError(f"{name} must hold whole numbers from 0 to {classes - 1}")
    cells = rows.astype(np.int64) * classes + columns
    heavy = None if weights is None else checked_weights(weights, rows.size)
    return np.bincount(cells, heavy, minlength=classes * classes).reshape(classes, classes)


def checked_weights(weights: ArrayLike, n: int) -> FloatArray:
    """Return (n,) float64, how much each of ``n`` pictures counts.

    Raises InputError for another length, one below 0 or not finite, or a sum of 0.
    """
    found = np.asarray(weights, np.float64)
    if found.shape != (n,) or not np.isfinite(found).all() or found.min() < 0 or not found.any():
        raise InputError(f"weights must be {n} finite numbers of at least 0, not all 0")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """What the figures need of a confusion matrix; each (…, classes), of one or many matrices.

    ``right``: pictures answered right; ``shown``: pictures of the class; ``answered``: pictures
    given its name.
    """

    right: NDArray[np.generic]
    shown: NDArray[np.generic]
    answered: NDArray[np.generic]

    @classmethod
    def of(cls, confusion: ArrayLike) -> "Margins":
        """Return those of one (classes, classes) matrix of counts."""
        counts = np.asarray(confusion)
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.sum() > 0:
            raise InputError(
                f"a confusion matrix must be square and count a picture; got shape {counts.shape}"
            )
        return cls(np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0))

    def recall(self) -> FloatArray:
        """(…, classes): the share of a class's pictures answered right; NaN where it has none."""
        return share_of(self.right, self.shown)

    def precision(self) -> FloatArray:
        """(…, classes): the share of its answers that are right; NaN where it was not answered."""
        return share_of(self.right, self.answered)

    def f1(self) -> FloatArray:
        """(…, classes): the harmonic mean of both; NaN where neither shown nor answered."""
        return share_of(2 * self.right, self.shown + self.answered)  # type: ignore[operator]

    def accuracy(self) -> FloatArray:
        """(…): the share of pictures answered right."""
        return share_of(self.right.sum(axis=-1), self.shown.sum(axis=-1))

    def balanced_accuracy(self) -> FloatArray:
        """(…): the mean recall of the classes shown."""
        return mean_of_known(self.recall())

    def macro_f1(self) -> FloatArray:
        """(…): the mean F1 of the classes shown or answered."""
        return mean_of_known(self.f1())

    def macro_precision(self) -> FloatArray:
        """(…): the mean precision of the classes answered."""
        return mean_of_known(self.precision())

    def weighted(self, figure: FloatArray) -> FloatArray:
        """(…): the mean of ``figure`` (…, classes) by the pictures that show each class.

        Classes for which it is NaN are left out; NaN where none is left.
        """
        counted = np.where(np.isnan(figure), 0.0, self.shown)
        return share_of((np.nan_to_num(figure) * counted).sum(axis=-1), counted.sum(axis=-1))

    def matthews(self) -> FloatArray:
        """(…): Matthews' correlation in [-1, 1]; NaN where truth or answers are of one class."""
        right, shown, answered = (
            np.asarray(part, np.float64) for part in (self.right, self.shown, self.answered)
        )
        n = shown.sum(axis=-1)
        of_truth = n**2 - (shown**2).sum(axis=-1)
        of_answers = n**2 - (answered**2).sum(axis=-1)
        covered = n * right.sum(axis=-1) - (shown * answered).sum(axis=-1)
        return share_of(covered, np.sqrt(of_truth) * np.sqrt(of_answers))


def accuracy(confusion: ArrayLike) -> float:
    """Return the share of pictures answered right, from a (classes, classes) matrix of counts."""
    return float(Margins.of(confusion).accuracy())


def balanced_accuracy(confusion: ArrayLike) -> float:
    """Return the mean recall of the classes shown."""
    return float(Margins.of(confusion).balanced_accuracy())


def macro_f1(confusion: ArrayLike) -> float:
    """Return the mean F1 of the classes shown or answered."""
    return float(Margins.of(confusion).macro_f1())


def matthews(confusion: ArrayLike) -> float:
    """Return Matthews' correlation (MCC) in [-1, 1]; NaN where truth or answers are one class."""
    return float(Margins.of(confusion).matthews())
