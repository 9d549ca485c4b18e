"""Predictions made elsewhere, judged against the truth without any model."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from saccade.api.asked import sections_of
from saccade.api.evaluate import report_place
from saccade.api.judge_boxes import judge_boxes
from saccade.api.judge_masks import judge_masks
from saccade.api.judging import by_group_of
from saccade.data.columns import with_columns
from saccade.data.predictions import read_predictions
from saccade.data.readers import column, read_data
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.judge.classification import Answers, ClassificationScores, judge_answers, numbered
from saccade.judge.detection_scores import DetectionScores
from saccade.judge.operating_point import Wanted
from saccade.judge.segmentation import SegmentationScores
from saccade.values import Interval

Judged = ClassificationScores | DetectionScores | SegmentationScores


def evaluate_predictions(
    predictions: Path | str,
    truth: Path | str,
    *,
    report: Path | str | None = None,
    groups: str | None = None,
    by: str | None = None,
    alarm: Wanted | None = None,
    ignore: int | None = None,
    metadata: Path | str | None = None,
) -> Judged:
    """Judge predictions that any program made, and write a report if asked.

    What ``predictions`` is decides what ``truth`` must be. A CSV of classes, see
    ``data.predictions.read_predictions``: labelled data as ``read_data`` reads. A .json of boxes:
    COCO's annotations. A folder of PNG masks: a folder of masks of the same names, in which
    ``ignore`` is the number of pixels that do not count. ``groups`` and ``by`` name columns, as for
    ``evaluate``: of the labelled data, texts or numbers of COCO's images, or those of a CSV
    ``metadata`` with the column path. Raises InputError, in one line, for what cannot be judged.
    """
    place, given, what = report_place(report), Path(predictions), kind_of(predictions)
    if what == "masks":
        refuse(what, alarm=alarm)
        return judge_masks(
            given, truth, ignore=ignore, groups=groups, by=by, metadata=metadata, report=place
        )
    refuse(what, ignore=ignore)
    if what == "boxes":
        refuse(what, alarm=alarm)
        return judge_boxes(given, truth, groups=groups, by=by, metadata=metadata, report=place)
    return _judge_classes(given, truth, place, groups, by, alarm, metadata)


def kind_of(predictions: Path | str) -> str:
    """Return what a path holds predictions of: a folder masks, a .json boxes, all else classes.

    Raises InputError where there is none.
    """
    if not Path(predictions).exists():
        raise InputError(f"predictions {predictions} do not exist; check the path")
    if Path(predictions).is_dir():
        return "masks"
    return "boxes" if Path(predictions).suffix.lower() == ".json" else "classes"


def refuse(what: str, **given: object) -> None:
    """Raise SettingError for an option that is given, but is not for predictions of ``what``."""
    for name, value in given.items():
        if value is not None:
            raise SettingError(f"--{name} is not for predictions of {what}; leave it out")


def _judge_classes(
    predictions: Path,
    truth: Path | str,
    report: Path | None,
    groups: str | None,
    by: str | None,
    alarm: Wanted | None,
    metadata: Path | str | None,
) -> ClassificationScores:
    samples = with_columns(read_data(truth), metadata)
    found = read_predictions(predictions, samples)
    truths = numbered([sample.label for sample in samples], found.classes)
    named = None if groups is None else column(samples, groups)
    answers = Answers(truths, found.given, found.sure, found.shares)
    scores = judge_answers(answers, classes=found.classes, groups=named, wanted=alarm)
    if by is not None:

        def judge(places: list[int], level: float) -> dict[str, Interval]:
            mine = None if named is None else [named[one] for one in places]
            part = answers.of(np.array(places))
            return dict(
                judge_answers(part, classes=found.classes, groups=mine, level=level).headline
            )

        units = "pictures" if named is None else "groups"
        scores = replace(scores, by_group=by_group_of(judge, samples, by, units=units))
    if report is not None:
        from saccade.judge.classification_report import classification_report

        at_hand = all(one.array is not None or one.path.is_file() for one in samples)
        page = classification_report(
            scores,
            pictures=samples if at_hand else (),
            extra=sections_of(scores.by_group),
            about={"predictions": str(predictions), "truth": str(truth)},
            title="How well these predictions answer",
        )
        write_atomic(report, page)
    return scores
