"""What is counted of masks picture by picture, and the figures and intervals of the sums.

Intervals: each picture or group of them, with all its pixels, as these are not independent, is left
out once (the jackknife: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter
11), and the spread makes Wilson's interval of as many pictures as would spread as much; percentiles
of a bootstrap hold the true figure less often.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.judge.resampling import effective_interval
from saccade.metrics.classification import Margins
from saccade.metrics.contours import boundary_f, boundary_overlap
from saccade.metrics.segmentation import class_iou, margins, pixel_confusion
from saccade.metrics.shares import mean_of_known
from saccade.values import Float64Array, IntArray, Interval

FIGURES = (
    "mean IoU",
    "pixel accuracy",
    "mean class accuracy",
    "mean Dice",
    "boundary F",
    "boundary IoU",
)
CLASS_FIGURES = ("IoU", "accuracy", "Dice", "boundary F", "boundary IoU")
SUMS = 7  # of a class in a picture; see Counts
MOST_CELLS = 1 << 21  # of sums that are turned into figures at once


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What is counted of n pictures: ``sums`` (n, classes · 7), of each class by picture.

    These are the pixels given it rightly, those of it and those given it, then boundary F, 1 where
    that is defined, and the shared pixels and all of the strips along the edges. ``confusion``: as
    in SegmentationScores, of all pictures; ``ignored``: pixels that were left out.
    """

    sums: Float64Array
    confusion: IntArray
    ignored: int

    @property
    def shown(self) -> Float64Array:
        """(n, classes): the true pixels of each class."""
        return self.sums.reshape(len(self.sums), -1, SUMS)[:, :, 1]

    @property
    def right(self) -> Float64Array:
        """(n,): pixels that were given their class."""
        share: Float64Array = self.sums.reshape(len(self.sums), -1, SUMS)[:, :, 0].sum(axis=1)
        return share


def count_masks(
    masks: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]],
    *,
    classes: int,
    ignore: int | None = None,
) -> Counts:
    """Count pairs of a true and an answered mask, (H, W) numbers in [0, classes) or ``ignore``.

    Raises InputError where no pixel counts.
    """
    rows, confusion, ignored = [], np.zeros((classes, classes + 1), np.int64), 0
    for truth, answer in masks:
        own = pixel_confusion(truth, answer, classes=classes, ignore=ignore)
        known = np.ones(truth.shape, bool) if ignore is None else truth != ignore
        parts, edges = margins(own), np.zeros((classes, 4))
        for k in np.flatnonzero(np.maximum(parts.shown, parts.answered)):
            sides = truth == k, answer == k
            fit = boundary_f(*sides, known)
            if not np.isnan(fit):
                edges[k] = fit, 1, *boundary_overlap(*sides, known)
        pixels = np.stack([parts.right, parts.shown, parts.answered], axis=1)
        rows.append(np.concatenate([pixels, edges], axis=1).ravel())
        confusion += own
        ignored += int((~known).sum())
    if not confusion.any():
        raise InputError("no pixel has a true class, so nothing can be judged; check --ignore")
    return Counts(np.stack(rows), confusion, ignored)


def by_unit(rows: Float64Array, units: IntArray) -> Float64Array:
    """Sum the rows of each unit."""
    summed = np.zeros((int(units.max()) + 1, rows.shape[1]))
    np.add.at(summed, units, rows)
    return summed


def figures_of_sums(sums: Float64Array, classes: int) -> Float64Array:
    """Return (draws, 6 + classes · 5): FIGURES, then those of each class; sums as in Counts."""
    right, shown, answered, fit, times, shared, either = np.moveaxis(
        sums.reshape(len(sums), classes, SUMS), 2, 0
    )
    pixels = Margins(right, shown, answered)
    edges = [_ratio(fit, times), _ratio(shared, either)]
    each = [class_iou(pixels), pixels.recall(), pixels.f1(), *edges]
    means = [mean_of_known(one) for one in each]
    whole = np.stack([means[0], pixels.accuracy(), *means[1:]], axis=1)
    return np.concatenate([whole, np.stack(each, axis=2).reshape(len(sums), -1)], axis=1)


def intervals_of_sums(rows: Float64Array, classes: int, level: float) -> list[Interval | None]:
    """Wilson's interval, of as many pictures as would spread as much as the jackknife says."""
    n, whole = len(rows), rows.sum(axis=0, keepdims=True)
    blocks = np.array_split(rows, 1 + rows.size // MOST_CELLS)
    without = np.concatenate([figures_of_sums(whole - block, classes) for block in blocks])
    known = ~np.isnan(without)
    many = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, without, 0.0).sum(axis=0) / many
    squares = np.where(known, (without - mean) ** 2, 0.0).sum(axis=0)
    wide = np.sqrt((n - 1) / n * squares)
    return [
        None
        if np.isnan(value)
        else effective_interval(float(value), float(wide[k]), n=n, even=n, level=level)
        for k, value in enumerate(figures_of_sums(whole, classes)[0])
    ]


def _ratio(part: Float64Array, whole: Float64Array) -> Float64Array:
    shares: Float64Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares
