"""Predictions made elsewhere, judged against the truth without any model."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from saccade.api.evaluate import report_place
from saccade.api.judge_boxes import judge_boxes
from saccade.api.judge_masks import judge_masks
from saccade.api.judging import by_group_of, sections_of
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
) -> Judged:
    """Judge predictions that any program made, and write a report if asked.

    What ``predictions`` is decides what ``truth`` must be. A CSV of classes, see
    ``data.predictions.read_predictions``: labelled data as ``read_data`` reads; all else as
    ``evaluate``. A .json of boxes: COCO's annotations; ``groups`` names a key of their images. A
    folder of PNG masks: a folder of masks of the same names, in which ``ignore`` is the number of
    pixels that do not count. Raises InputError, in one line, for what cannot be judged.
    """
    place, given = report_place(report), Path(predictions)
    if given.is_dir():
        _refuse("masks", groups=groups, by=by, alarm=alarm)
        return judge_masks(given, truth, ignore=ignore, report=place)
    if given.suffix.lower() == ".json":
        _refuse("boxes", by=by, alarm=alarm, ignore=ignore)
        return judge_boxes(given, truth, groups=groups, report=place)
    _refuse("classes", ignore=ignore)
    return _judge_classes(given, truth, place, groups, by, alarm)


def _refuse(what: str, **given: object) -> None:
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
) -> ClassificationScores:
    if not predictions.is_file():
        raise InputError(f"predictions {predictions} do not exist; check the path")
    samples = read_data(truth)
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
