"""Judge masks: intersection over union, accuracy, Dice and how well the edges fit.

Counts of pixels are summed over the pictures. Intervals: each picture, with all its pixels, as
these are not independent, is left out once (the jackknife: Efron and Tibshirani, "An Introduction
to the Bootstrap", 1993, chapter 11), and the spread makes Wilson's interval of as many pictures as
would spread as much; percentiles of a bootstrap hold the true figure less often. Boundary F is a
mean over the pictures that show a class, in truth or answer: Csurka, Larlus, Perronnin, BMVC 2013.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.judge.plain import as_json, plain
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
FEW_PICTURES = 30  # below, an interval says little; of a class, it has none


@dataclass(frozen=True, slots=True)
class MaskClass:
    """One class: how many ``pictures`` show it, its true and answered pixels, its figures by name.

    A value is None where it is not defined; an interval is None too with fewer than FEW_PICTURES
    pictures, ``few``.
    """

    label: str
    pictures: int
    pixels: int
    answered: int
    few: bool
    values: dict[str, float | None]
    intervals: dict[str, Interval | None]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationScores:
    """How well masks fit.

    ``figures``: by name. ``confusion``: pixels, row the true class, column the answered one, the
    last column those without an answer. ``ignored``: pixels that were left out. ``worst``: numbers
    of the pictures with the largest share of wrong pixels.
    """

    pictures: int
    pixels: int
    ignored: int
    figures: dict[str, Interval]
    per_class: tuple[MaskClass, ...]
    confusion: tuple[tuple[int, ...], ...]
    worst: tuple[int, ...]

    @property
    def headline(self) -> tuple[tuple[str, Interval], ...]:
        """The first figures to print, by name."""
        return tuple(self.figures.items())

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures: none."""
        return ()

    @property
    def by_group(self) -> None:
        """Boxes and masks are not judged group by group."""
        return None

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        shown = sum(one.pixels > 0 for one in self.per_class)
        return f"{self.pictures:,} pictures, {self.pixels:,} pixels of {shown:,} classes"

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        said = []
        if self.pictures < FEW_PICTURES:
            said.append(f"only {self.pictures} pictures: too few for the intervals to be trusted")
        few = sum(one.few for one in self.per_class)
        if few and self.pictures >= FEW_PICTURES:
            said.append(f"{few} classes are shown by fewer than {FEW_PICTURES} pictures: too few")
        only = [one.label for one in self.per_class if one.answered and not one.pixels]
        if only:
            said.append(f"{len(only)} classes are answered but never true, which counts as IoU 0")
        return "; ".join(said)

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts."""
        whole: dict[str, Any] = plain(self)
        return whole


@dataclass(slots=True, eq=False)
class Counts:
    """What is summed over the pictures, a row a picture."""

    confusion: list[IntArray] = field(default_factory=list)
    edges: list[Float64Array] = field(default_factory=list)  # (classes, 4): F, 1, shared, either
    ignored: int = 0

    def add(
        self,
        truth: NDArray[np.integer],
        answer: NDArray[np.integer],
        *,
        classes: int,
        ignore: int | None,
    ) -> None:
        """Count one picture; both masks (H, W), see ``pixel_confusion``."""
        self.confusion.append(pixel_confusion(truth, answer, classes=classes, ignore=ignore))
        known = np.ones(truth.shape, bool) if ignore is None else truth != ignore
        self.ignored += int((~known).sum())
        edges = np.zeros((classes, 4))
        shown = self.confusion[-1]
        for k in np.flatnonzero(shown.sum(axis=1) + shown[:, :-1].sum(axis=0)):
            masks = truth == k, answer == k
            fit = boundary_f(*masks, known)
            if not np.isnan(fit):
                edges[k] = fit, 1, *boundary_overlap(*masks, known)
        self.edges.append(edges)


def judge_segmentation(
    masks: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]],
    *,
    classes: Sequence[str],
    ignore: int | None = None,
    level: float = LEVEL,
) -> SegmentationScores:
    """Judge pairs of a true and an answered mask, (H, W) numbers of ``classes`` or ``ignore``.

    Raises InputError where no pixel counts.
    """
    counts = Counts()
    for truth, answer in masks:
        counts.add(truth, answer, classes=len(classes), ignore=ignore)
    if not any(one.any() for one in counts.confusion):
        raise InputError("no pixel has a true class, so nothing can be judged; check --ignore")
    pixels, edges = np.stack(counts.confusion), np.stack(counts.edges)
    parts = margins(pixels)
    summed = np.stack([parts.right, parts.shown, parts.answered], axis=2).astype(np.float64)
    rows = np.concatenate([summed, edges], axis=2).reshape(len(pixels), -1)
    found = _intervals(rows, len(classes), level)
    wrong = 1 - summed[:, :, 0].sum(axis=1) / np.maximum(1, pixels.sum(axis=(1, 2)))
    whole = {name: one for name, one in zip(FIGURES, found, strict=False) if one is not None}
    return SegmentationScores(
        pictures=len(pixels),
        pixels=int(pixels.sum()),
        ignored=counts.ignored,
        figures=whole,
        per_class=_per_class(pixels, classes, found[len(FIGURES) :]),
        confusion=tuple(tuple(map(int, row)) for row in pixels.sum(axis=0)),
        worst=tuple(np.argsort(-wrong, kind="stable")[: min(8, int((wrong > 0).sum()))].tolist()),
    )


def _figures(sums: Float64Array, classes: int) -> Float64Array:
    """(draws, classes · 7) sums → (draws, 6 + classes · 5): FIGURES, then those of each class."""
    right, shown, answered, fit, times, shared, either = np.moveaxis(
        sums.reshape(len(sums), classes, 7), 2, 0
    )
    pixels = Margins(right, shown, answered)
    edges = [_ratio(fit, times), _ratio(shared, either)]
    each = [class_iou(pixels), pixels.recall(), pixels.f1(), *edges]
    means = [mean_of_known(one) for one in each]
    whole = np.stack([means[0], pixels.accuracy(), *means[1:]], axis=1)
    return np.concatenate([whole, np.stack(each, axis=2).reshape(len(sums), -1)], axis=1)


def _intervals(rows: Float64Array, classes: int, level: float) -> list[Interval | None]:
    """Wilson's interval, of as many pictures as would spread as much as the jackknife says."""
    n, whole = len(rows), rows.sum(axis=0, keepdims=True)
    without = _figures(whole - rows, classes)
    known = ~np.isnan(without)
    many = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, without, 0.0).sum(axis=0) / many
    squares = np.where(known, (without - mean) ** 2, 0.0).sum(axis=0)
    wide = np.sqrt((n - 1) / n * squares)
    return [
        None
        if np.isnan(value)
        else effective_interval(float(value), float(wide[k]), n=n, even=n, level=level)
        for k, value in enumerate(_figures(whole, classes)[0])
    ]


def _per_class(
    pixels: IntArray, classes: Sequence[str], found: Sequence[Interval | None]
) -> tuple[MaskClass, ...]:
    shown = (pixels.sum(axis=2) > 0).sum(axis=0).tolist()
    parts = margins(pixels.sum(axis=0))
    rows = []
    for k, label in enumerate(classes):
        own = dict(zip(CLASS_FIGURES, found[k * len(CLASS_FIGURES) :], strict=False))
        few = 0 < shown[k] < FEW_PICTURES
        values = {name: None if one is None else one.value for name, one in own.items()}
        counts = shown[k], int(parts.shown[k]), int(parts.answered[k])
        rows.append(MaskClass(label, *counts, few, values, dict.fromkeys(own) if few else own))
    return tuple(rows)


def _ratio(part: Float64Array, whole: Float64Array) -> Float64Array:
    shares: Float64Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares
