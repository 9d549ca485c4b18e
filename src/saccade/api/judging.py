"""Answers already computed, judged task by task: figures, groups, and the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.api.about import CHOSE_THE_EPOCH, about
from saccade.api.asked import NOTHING, Asked, sections_of
from saccade.api.frames import Said, judge_forecaster
from saccade.api.judging_boxes import judge_detector
from saccade.api.judging_masks import judge_segmenter
from saccade.data.box_sets import Counted
from saccade.data.readers import column
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.judge.by_group import ByGroup, judge_by_group
from saccade.judge.classification import ClassificationScores, judge_classification
from saccade.judge.detection_scores import DetectionScores
from saccade.judge.embedding import EmbeddingScores, judge_embedding
from saccade.judge.forecast import ForecastScores
from saccade.judge.intervals import bootstrap_over_identities
from saccade.judge.protocol import one_shot
from saccade.judge.regression import RegressionScores, judge_regression
from saccade.judge.segmentation import SegmentationScores
from saccade.tasks.model import Model
from saccade.training.run import read_history
from saccade.values import Broken, Detection, Float64Array, Interval, Sample, Segmentation

Scores = (
    EmbeddingScores
    | ClassificationScores
    | RegressionScores
    | DetectionScores
    | SegmentationScores
    | ForecastScores
)
Rows = NDArray[np.floating]  # vectors, probabilities or numbers, a row a picture
Answers = Rows | Sequence[Detection] | Sequence[Segmentation] | Said


def judge_model(
    model: Model,
    samples: Sequence[Sample],
    rows: Answers,
    *,
    report: Path | None,
    run: Path | None,
    broken: Sequence[Broken] = (),
    counted: Sequence[Counted] = (),
    asked: Asked = NOTHING,
    chosen: bool = False,
) -> Scores:
    """Judge what ``model`` answered, one a sample, and write the report, if asked.

    ``run`` adds its training curve, ``broken`` the pictures that were left out, ``counted`` what of
    true boxes or masks was. ``chosen``: these pictures chose the best epoch, which the report says.
    """
    if asked.alarm is not None and model.classes is None:
        raise SettingError(f"an alarm is for classifiers, and this is {model.called}")
    if chosen:
        asked = replace(asked, note=CHOSE_THE_EPOCH)
    told = {
        "history": read_history(run) if run and report else None,
        "about": about(model, samples, broken, counted) if report else None,
    }
    judge: Callable[..., Scores] = judge_embedder if model.dimension else judge_classifier
    if model.targets is not None:
        judge = judge_regressor
    elif model.objects is not None:
        judge = judge_detector
    elif model.surfaces is not None:
        judge = judge_segmenter
    elif model.window is not None:
        judge = judge_forecaster
    scores = replace(judge(model, samples, rows, report, told, asked), broken=tuple(broken))
    if isinstance(scores, DetectionScores | SegmentationScores):
        scores = replace(scores, counted=tuple(counted))
    return scores


def judge_embedder(
    model: Model,
    samples: Sequence[Sample],
    vectors: Rows,
    report: Path | None,
    told: Mapping[str, Any],
    asked: Asked,
) -> EmbeddingScores:
    """Judge an embedder by searches; of groups, by those of each group's pictures among all."""
    if asked.groups is not None:
        raise InputError("searches of one identity are kept together already; leave out --groups")
    labels = [sample.label for sample in samples]
    scores = judge_embedding(vectors, labels, threshold=model.threshold)
    if asked.by is not None:
        run = one_shot(vectors, labels)

        def judge(places: list[int], level: float) -> dict[str, Interval]:
            mine = np.isin(run.query, places)
            right = [(run.rank[mine & (run.identity == i)] == 1) for i in run.searched]
            searched = bool(mine.any())  # Not a picture that is its identity's only one.
            return {"rank-1": bootstrap_over_identities(right, level=level)} if searched else {}

        found = by_group_of(judge, samples, asked.by, units="identities")
        scores = replace(scores, by_group=found)
    if report is not None:
        from saccade.judge.embedding_report import embedding_report  # Loads the charts.

        _write(embedding_report, scores, samples, report, told, asked, labels=labels)
    return scores


def judge_classifier(
    model: Model,
    samples: Sequence[Sample],
    probabilities: Rows,
    report: Path | None,
    told: Mapping[str, Any],
    asked: Asked,
) -> ClassificationScores:
    """Judge a classifier's probabilities, picture by picture."""
    labels, classes = [sample.label for sample in samples], model.classes or ()
    groups = asked.named(samples)
    scores = judge_classification(
        probabilities,
        labels,
        classes=classes,
        tree=model.tree,
        groups=groups,
        wanted=asked.alarm,
        temperature=model.temperature,
    )
    if asked.by is not None:

        def judge(places: list[int], level: float) -> dict[str, Interval]:
            part = judge_classification(
                probabilities[places],
                [labels[place] for place in places],
                classes=classes,
                groups=None if groups is None else [groups[place] for place in places],
                level=level,
            )
            return dict(part.headline)

        found = by_group_of(judge, samples, asked.by, units=asked.units)
        scores = replace(scores, by_group=found)
    if report is not None:
        from saccade.judge.classification_report import classification_report

        _write(classification_report, scores, samples, report, told, asked)
    return scores


def judge_regressor(
    model: Model,
    samples: Sequence[Sample],
    estimates: Rows,
    report: Path | None,
    told: Mapping[str, Any],
    asked: Asked,
) -> RegressionScores:
    """Judge a regressor's numbers; of groups, by their mean absolute error."""
    truth, targets, groups = numbers_of(samples), model.targets or (), asked.named(samples)
    scores = judge_regression(estimates, truth, targets=targets, groups=groups)
    if asked.by is not None:

        def judge(places: list[int], level: float) -> dict[str, Interval]:
            mine = None if groups is None else [groups[place] for place in places]
            if len(set(mine or places)) < 2:
                return {}
            part = judge_regression(
                estimates[places], truth[places], targets=targets, groups=mine, level=level
            )
            found = {"MAE": part.mae, "RMSE": part.rmse, "R2": part.r2}
            return {name: one for name, one in found.items() if one is not None}

        found = by_group_of(judge, samples, asked.by, units=asked.units, lower_is_better=True)
        scores = replace(scores, by_group=found)
    if report is not None:
        from saccade.judge.regression_report import regression_report

        _write(regression_report, scores, samples, report, told, asked)
    return scores


def _write(
    make: Callable[..., str],
    scores: Scores,
    samples: Sequence[Sample],
    report: Path,
    told: Mapping[str, Any],
    asked: Asked,
    **more: Any,
) -> None:
    """Write the page that ``make`` makes of ``scores``, with what every task's page is told."""
    extra = sections_of(scores.by_group)
    page = make(scores, pictures=samples, note=asked.note, extra=extra, **told, **more)
    write_atomic(report, page)


def numbers_of(samples: Sequence[Sample]) -> Float64Array:
    """(n, targets) float64: the truth of a regression."""
    return np.array([sample.numbers for sample in samples], dtype=np.float64)


def by_group_of(
    judge: Callable[[list[int], float], Mapping[str, Interval]],
    samples: Sequence[Sample],
    by: str,
    *,
    units: str,
    lower_is_better: bool = False,
) -> ByGroup:
    """Return the figures of each value of the column ``by``, as ``judge_by_group``."""
    values = column(samples, by)
    how: dict[str, Any] = {"units": units, "lower_is_better": lower_is_better}
    return judge_by_group(judge, values, column=by, **how)
