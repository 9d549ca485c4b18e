"""Judge masks: intersection over union, accuracy, Dice and how well the edges fit.

Counts of pixels are summed over the pictures. Boundary F is a mean over the pictures that show a
class, in truth or answer: Csurka, Larlus, Perronnin, BMVC 2013. Intervals: see ``mask_counts``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.data.box_sets import Counted
from saccade.intervals import LEVEL
from saccade.judge.box_intervals import units_of
from saccade.judge.by_group import ByGroup
from saccade.judge.mask_counts import (
    CLASS_FIGURES,
    FIGURES,
    Counts,
    by_unit,
    count_masks,
    intervals_of_sums,
)
from saccade.judge.plain import as_json, plain
from saccade.metrics.segmentation import margins
from saccade.values import Broken, IntArray, Interval

FEW_PICTURES = 30  # below, an interval says little; of a class, it has none


@dataclass(frozen=True, slots=True)
class MaskClass:
    """One class: how many ``pictures`` show it, its true and answered pixels, its figures by name.

    A value is None where it is not defined; an interval is None too where fewer than FEW_PICTURES
    pictures, or groups of them, show the class, ``few``.
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

    ``units``: pictures or groups, that were left out in turn; ``figures``: by name. ``confusion``:
    pixels, row the true class, column the answered one, the last column those without an answer.
    ``ignored``: pixels that were left out. ``worst``: numbers of the pictures with the largest
    share of wrong pixels; ``broken``: pictures that were left out, as they cannot be read;
    ``counted``: what of pictures and masks was too, or was read otherwise.
    """

    pictures: int
    units: str
    pixels: int
    ignored: int
    figures: dict[str, Interval]
    per_class: tuple[MaskClass, ...]
    confusion: tuple[tuple[int, ...], ...]
    worst: tuple[int, ...]
    by_group: ByGroup | None = None
    broken: tuple[Broken, ...] = ()
    counted: tuple[Counted, ...] = ()

    @property
    def headline(self) -> tuple[tuple[str, Interval], ...]:
        """The first figures to print, by name."""
        return tuple(self.figures.items())

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures: what was not judged as it stands there."""
        return tuple(one.sentence for one in self.counted)

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        shown = sum(one.pixels > 0 for one in self.per_class)
        groups = "" if self.units == "pictures" else f" in {self._drawn:,} {self.units}"
        return f"{self.pictures:,} pictures{groups}, {self.pixels:,} pixels of {shown:,} classes"

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        said, n = [], self._drawn
        if n < FEW_PICTURES:
            said.append(f"only {n} {self.units}: too few for the intervals to be trusted")
        few = sum(one.few for one in self.per_class)
        if few and n >= FEW_PICTURES:
            fewer = f"fewer than {FEW_PICTURES} {self.units}"
            said.append(f"{few} classes are shown by {fewer}: too few")
        only = [one.label for one in self.per_class if one.answered and not one.pixels]
        if only:
            said.append(f"{len(only)} classes are answered but never true, which counts as IoU 0")
        return "; ".join(said)

    @property
    def _drawn(self) -> int:
        """How many units there are."""
        return next(iter(self.figures.values())).n

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts."""
        whole: dict[str, Any] = plain(self)
        return whole


def judge_segmentation(
    masks: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]],
    *,
    classes: Sequence[str],
    ignore: int | None = None,
    groups: Sequence[str] | None = None,
    level: float = LEVEL,
) -> SegmentationScores:
    """Count pairs of masks as ``count_masks`` does, and judge them as ``judge_counts``."""
    counts = count_masks(masks, classes=len(classes), ignore=ignore)
    return judge_counts(counts, classes=classes, groups=groups, level=level)


def judge_counts(
    counts: Counts,
    *,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
    level: float = LEVEL,
) -> SegmentationScores:
    """Judge what was counted of masks of ``classes``.

    ``groups`` (n,) name what belongs together, such as a patient, and is left out whole.
    """
    n, units = len(counts.sums), units_of(len(counts.sums), groups)
    found = intervals_of_sums(by_unit(counts.sums, units), len(classes), level)
    known = counts.shown.sum(axis=1)
    wrong = 1 - counts.right / np.maximum(1, known)
    wrong[known == 0] = 0
    whole = {name: one for name, one in zip(FIGURES, found, strict=False) if one is not None}
    return SegmentationScores(
        pictures=n,
        units="pictures" if groups is None else "groups",
        pixels=int(known.sum()),
        ignored=counts.ignored,
        figures=whole,
        per_class=_per_class(counts, units, classes, found[len(FIGURES) :]),
        confusion=tuple(tuple(map(int, row)) for row in counts.confusion),
        worst=tuple(np.argsort(-wrong, kind="stable")[: min(8, int((wrong > 0).sum()))].tolist()),
    )


def _per_class(
    counts: Counts,
    units: IntArray,
    classes: Sequence[str],
    found: Sequence[Interval | None],
) -> tuple[MaskClass, ...]:
    shown = (counts.shown > 0).sum(axis=0).tolist()
    telling = (by_unit(counts.shown, units) > 0).sum(axis=0).tolist()
    parts = margins(counts.confusion)
    rows = []
    for k, label in enumerate(classes):
        own = dict(zip(CLASS_FIGURES, found[k * len(CLASS_FIGURES) :], strict=False))
        few = 0 < telling[k] < FEW_PICTURES
        values = {name: None if one is None else one.value for name, one in own.items()}
        numbers = shown[k], int(parts.shown[k]), int(parts.answered[k])
        rows.append(MaskClass(label, *numbers, few, values, dict.fromkeys(own) if few else own))
    return tuple(rows)
