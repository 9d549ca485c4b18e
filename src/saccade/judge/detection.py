"""Judge found boxes: the twelve figures of COCO, each category, and what each mistake costs.

T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014; M. Everingham and others,
"The PASCAL Visual Object Classes (VOC) Challenge", 2010; D. Bolya and others, "TIDE", ECCV 2020.
Intervals: see ``box_intervals``.
"""

from collections.abc import Sequence

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.judge.box_intervals import intervals_of, intervals_of_costs, units_of
from saccade.judge.detection_scores import (
    FEW_BOXES,
    FEW_MISTAKES,
    BoxClass,
    BoxFigure,
    BoxMistake,
    DetectionScores,
)
from saccade.metrics.box_errors import BoxErrors, box_errors, costs
from saccade.metrics.coco import (
    CLASS_FIGURES,
    FIGURES,
    SIZES,
    CocoMatched,
    match_coco,
)
from saccade.metrics.detection import COCO_RECALLS, VOC_RECALLS, Ranking
from saccade.metrics.voc import voc_rankings
from saccade.values import Float64Array, Interval

RESAMPLES = 1000  # the draws tell the bias; the spread comes from the jackknife
VOC_FIGURES = ("VOC AP, 11 points", "VOC AP, area")
CURVES = {"0.50": 0, "0.75": 5, "0.90": 8}  # overlap → its place in IOU_THRESHOLDS


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
