"""Predictions made elsewhere, judged against the truth without any model."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from saccade.api.evaluate import report_place
from saccade.api.judging import by_group_of
from saccade.data.predictions import read_predictions
from saccade.data.readers import column, read_data
from saccade.files import write_atomic
from saccade.judge.classification import (
    Answers,
    ClassificationScores,
    judge_answers,
    numbered,
)
from saccade.judge.operating_point import Wanted
from saccade.values import Interval


def evaluate_predictions(
    predictions: Path | str,
    truth: Path | str,
    *,
    report: Path | str | None = None,
    groups: str | None = None,
    by: str | None = None,
    alarm: Wanted | None = None,
) -> ClassificationScores:
    """Judge a CSV of ``predictions`` against ``truth``, labelled data as ``read_data`` reads.

    What the table must hold: ``data.predictions.read_predictions``. The rest as ``evaluate``.
    """
    place = report_place(report)
    samples = read_data(truth)
    found = read_predictions(Path(predictions), samples)
    truths = numbered([sample.label for sample in samples], found.classes)
    named = None if groups is None else column(samples, groups)
    answers = Answers(truths, found.given, found.sure, found.shares)
    scores = judge_answers(answers, classes=found.classes, groups=named, wanted=alarm)
    if by is not None:

        def judge(places: list[int], level: float) -> dict[str, Interval]:
            chosen = np.array(places)
            mine = None if named is None else [named[one] for one in places]
            part = answers.of(chosen)
            return dict(
                judge_answers(part, classes=found.classes, groups=mine, level=level).headline
            )

        scores = replace(scores, by_group=by_group_of(judge, samples, by))
    if place is not None:
        from saccade.api.judging import sections_of
        from saccade.judge.classification_report import classification_report

        at_hand = all(one.array is not None or one.path.is_file() for one in samples)
        page = classification_report(
            scores,
            pictures=samples if at_hand else (),
            extra=sections_of(scores.by_group),
            about={"predictions": str(predictions), "truth": str(truth)},
            title="How well these predictions answer",
        )
        write_atomic(place, page)
    return scores
