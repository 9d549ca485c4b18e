"""Judge found boxes: the twelve figures of COCO, each category, and what each mistake costs.

T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014; M. Everingham and others,
"The PASCAL Visual Object Classes (VOC) Challenge", 2010; D. Bolya and others, "TIDE", ECCV 2020.
Intervals: see ``box_intervals``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.judge.box_intervals import FEW_UNITS, intervals_of, intervals_of_costs, units_of
from saccade.judge.by_group import ByGroup
from saccade.judge.plain import as_json, plain
from saccade.metrics.box_errors import BoxErrors, box_errors, costs
from saccade.metrics.coco import (
    CLASS_FIGURES,
    FIGURES,
    FIRST_FIGURES,
    SIZES,
    CocoMatched,
    match_coco,
)
from saccade.metrics.detection import COCO_RECALLS, VOC_RECALLS, Ranking
from saccade.metrics.voc import voc_rankings
from saccade.values import Float64Array, Interval

RESAMPLES = 1000  # the draws tell the bias; the spread comes from the jackknife
FEW_BOXES = 30  # true boxes of a category; below, its figures have no interval
FEW_MISTAKES = 10  # of a kind; below, what it costs has no interval
VOC_FIGURES = ("VOC AP, 11 points", "VOC AP, area")
CURVES = {"0.50": 0, "0.75": 5, "0.90": 8}  # overlap → its place in IOU_THRESHOLDS


@dataclass(frozen=True, slots=True)
class BoxFigure:
    """A figure by its name; ``true``: how many boxes it asks for.

    ``value`` is None where there is none, so that it is not defined; ``interval`` too where a range
    of areas has fewer than FEW_BOXES.
    """

    name: str
    true: int
    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class BoxClass:
    """One category: true boxes that must be found, found boxes, and its figures, by name.

    A value is None where the category has no true box; an interval is None too where it has fewer
    than FEW_BOXES, ``few``.
    """

    label: str
    true: int
    found: int
    few: bool
    values: dict[str, float | None]
    intervals: dict[str, Interval | None]


@dataclass(frozen=True, slots=True)
class BoxMistake:
    """One kind of mistake: how many, and by how much AP50 rises without them.

    ``interval`` is None for fewer than FEW_MISTAKES, too few to tell. "false positives" and
    "false negatives" are all found boxes that are wrong, and all true ones that none hits.
    """

    kind: str
    count: int
    cost: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class DetectionScores:
    """How well boxes are found.

    ``units``: pictures or groups, that were drawn; ``figures``: those of COCO, then of VOC;
    ``outside``: found boxes that lie wholly outside their picture. ``curves``: by overlap, the
    mean precision of the categories at 101 recalls. ``worst``: numbers of the pictures with most
    mistakes.
    """

    pictures: int
    units: str
    true: int
    crowd: int
    found: int
    outside: int
    figures: tuple[BoxFigure, ...]
    per_class: tuple[BoxClass, ...]
    mistakes: tuple[BoxMistake, ...]
    curves: dict[str, tuple[float, ...]]
    worst: tuple[int, ...]
    seed: int
    resamples: int
    by_group: ByGroup | None = None

    def figure(self, name: str) -> Interval | None:
        """Return a figure by its name, such as "AP50"."""
        return next(one.interval for one in self.figures if one.name == name)

    @property
    def headline(self) -> tuple[tuple[str, Interval], ...]:
        """The first figures to print, by name; those that are not defined are left out."""
        found = ((name, self.figure(name)) for name in FIRST_FIGURES)
        return tuple((name, one) for name, one in found if one is not None)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures: none."""
        return ()

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        drawn = self.headline[0][1].n
        groups = "" if self.units == "pictures" else f" in {drawn:,} {self.units}"
        shown = sum(one.true > 0 for one in self.per_class)
        return f"{self.true:,} boxes of {shown:,} classes, {self.pictures:,} pictures{groups}"

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        said = []
        n = self.headline[0][1].n
        if n < FEW_UNITS:
            said.append(f"only {n} {self.units}: too few for the intervals to be trusted")
        absent = sum(one.true == 0 for one in self.per_class)
        if absent:
            said.append(f"{absent} classes have no true box and are left out of the means")
        if self.true < FEW_BOXES:
            said.append(f"only {self.true} true boxes: too few to tell much")
        few = sum(one.few for one in self.per_class)
        if few:
            said.append(f"{few} classes have fewer than {FEW_BOXES} true boxes: too few")
        if self.outside:
            said.append(
                f"{self.outside:,} found boxes lie outside their picture: were they made for other "
                "sizes?"
            )
        return "; ".join(said)

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts."""
        whole: dict[str, Any] = plain(self)
        whole["figures"] = {one.pop("name"): one for one in whole["figures"]}
        return whole


def judge_detection(
    true: TrueBoxes,
    found: FoundBoxes,
    *,
    pictures: int,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
    outside: int = 0,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> DetectionScores:
    """Judge the ``found`` boxes of ``pictures`` against the ``true`` ones.

    ``groups`` (pictures,) name what belongs together, such as a video, and is drawn whole.
    ``outside`` is handed on. Raises InputError where no true box must be found.
    """
    if true.crowd.all():
        raise InputError("there is no true box that must be found; give at least one")
    units = units_of(pictures, groups)
    many = len(classes)
    matched = match_coco(true, found, categories=many)
    voc = voc_rankings(true, found, categories=many)
    errors = box_errors(true, found, categories=many)
    boxes = len(found.score) + len(true.area)
    whole = intervals_of(
        lambda weights: _all_figures(matched, voc, weights),
        units,
        boxes=boxes,
        seed=seed,
        resamples=resamples,
        level=level,
    )
    base, mended = errors.rankings(), dict(errors.mended())
    gains = intervals_of_costs(
        lambda weights: costs(base, mended.values(), weights),
        units,
        boxes=boxes,
        seed=seed,
        level=level,
    )
    names = (*FIGURES, *VOC_FIGURES)
    return DetectionScores(
        pictures=pictures,
        units="pictures" if groups is None else "groups",
        true=int((~true.crowd).sum()),
        crowd=int(true.crowd.sum()),
        found=len(found.score),
        outside=outside,
        figures=tuple(
            _figure(name, found, matched) for name, found in zip(names, whole, strict=False)
        ),
        per_class=_per_class(true, found, classes, whole[len(names) :]),
        mistakes=_mistakes(errors, list(mended), gains),
        curves=_curves(matched),
        worst=_worst(errors),
        seed=seed,
        resamples=resamples,
    )


def _all_figures(
    matched: CocoMatched, voc: tuple[Ranking, ...], weights: Float64Array
) -> Float64Array:
    """COCO's figures, VOC's, then those of each category."""
    whole, each = matched.figures(weights)
    others = [
        _mean(np.concatenate([one.average_precision(weights, recalls=at) for one in voc], axis=1))
        for at in (VOC_RECALLS, None)
    ]
    return np.concatenate([whole, np.stack(others, axis=1), each.reshape(len(each), -1)], axis=1)


def _figure(name: str, found: Interval | None, matched: CocoMatched) -> BoxFigure:
    area = next((size for size in SIZES if name.endswith(size)), "all")
    true = sum(len(one.true) for one in matched.areas[area])
    if found is None:
        return BoxFigure(name, true, None, None)
    return BoxFigure(name, true, found.value, None if area != "all" and true < FEW_BOXES else found)


def _per_class(
    true: TrueBoxes,
    found: FoundBoxes,
    classes: Sequence[str],
    intervals: Sequence[Interval | None],
) -> tuple[BoxClass, ...]:
    wanted = np.bincount(true.category[~true.crowd], minlength=len(classes)).tolist()
    given = np.bincount(found.category, minlength=len(classes)).tolist()
    rows = []
    for k, label in enumerate(classes):
        own = dict(zip(CLASS_FIGURES, intervals[k * len(CLASS_FIGURES) :], strict=False))
        few = 0 < wanted[k] < FEW_BOXES
        values = {name: None if one is None else one.value for name, one in own.items()}
        kept = dict.fromkeys(own) if few else own
        rows.append(BoxClass(label, wanted[k], given[k], few, values, kept))
    return tuple(rows)


def _mistakes(
    errors: BoxErrors, kinds: Sequence[str], gains: Sequence[Interval | None]
) -> tuple[BoxMistake, ...]:
    counts = errors.counts()
    wrong = int((errors.kind >= 0).sum())
    hit = np.unique(errors.hit[errors.hit >= 0])
    lost = int((~errors.true.crowd).sum() - (~errors.true.crowd[hit]).sum())
    counts |= {"false positives": wrong, "false negatives": lost}
    return tuple(
        BoxMistake(kind, counts[kind], gain.value, gain if counts[kind] >= FEW_MISTAKES else None)
        for kind, gain in zip(kinds, gains, strict=True)
        if gain is not None
    )


def _curves(matched: CocoMatched) -> dict[str, tuple[float, ...]]:
    """The mean over the categories of the highest precision at each recall or beyond."""
    found: dict[str, list[Float64Array]] = {name: [] for name in CURVES}
    for one in matched.areas["all"]:
        if not len(one.true):
            continue
        curves = list(one.curves())
        for name, place in CURVES.items():
            recall, precision = curves[place]
            best = np.append(np.maximum.accumulate(precision[0, ::-1])[::-1], 0.0)
            found[name].append(best[np.searchsorted(recall[0], COCO_RECALLS)])
    return {name: tuple(np.mean(rows, axis=0).tolist()) for name, rows in found.items()}


def _worst(errors: BoxErrors, most: int = 12) -> tuple[int, ...]:
    """Pictures by their number of wrong and missed boxes, most first."""
    wrong = np.concatenate(
        [errors.boxes.picture[errors.kind >= 0], errors.true.picture[errors.missed]]
    )
    pictures, counts = np.unique(wrong, return_counts=True)
    return tuple(pictures[np.argsort(-counts, kind="stable")][:most].tolist())


def _mean(values: Float64Array) -> Float64Array:
    known = ~np.isnan(values)
    total, many = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    means: Float64Array = np.divide(total, many, out=np.full(len(total), np.nan), where=many > 0)
    return means
