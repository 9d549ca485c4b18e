"""``compare``: two models on the same pictures, and whether one is shown to be better."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from saccade.api.compare_detectors import compare_detectors
from saccade.api.compare_forecasters import compare_forecasters
from saccade.api.compare_segmenters import compare_segmenters
from saccade.api.evaluate import answer_readable, load, report_place
from saccade.api.judging import Rows
from saccade.api.scoring import of_classes, of_numbers
from saccade.api.sealed import is_sealed, judged_part, record_opening
from saccade.config import DataSettings, Recipe, override
from saccade.data.columns import with_columns
from saccade.data.readers import column, read_data
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.classification import numbered
from saccade.judge.comparison import Compared, compare_scores
from saccade.judge.protocol import one_shot
from saccade.tasks.model import Model
from saccade.values import Sample


def compare(
    a: Model | Path | str,
    b: Model | Path | str,
    data: Path | str,
    *,
    groups: str | None = None,
    metadata: Path | str | None = None,
    open_test: bool = False,
    report: Path | str | None = None,
    broken: float = DataSettings().broken,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Compared:
    """Judge two models, or those of run folders, on the same pictures, and compare them.

    Classifiers by accuracy, embedders by rank-1 accuracy as ``evaluate`` searches, regressors by
    their mean absolute error (of several targets, each in deviations of its truth), detectors by
    average precision, and by pictures a second, segmenters by mean intersection over union,
    forecasters by the mean absolute error of pixels.
    ``data`` is what ``evaluate`` reads; of divided data the part val, or test with ``open_test``,
    which the run folders record. ``groups`` names a column of its metadata: pictures of one value
    are alike, and are resampled together; searches of one identity always are. ``metadata``: a
    table with further columns. ``report``: an HTML file to write. ``broken`` and ``progress`` as
    for ``evaluate``. Raises InputError for models of different tasks.
    """
    place = report_place(report)
    models = tuple(one if isinstance(one, Model) else load(one) for one in (a, b))
    _require_alike(*models)
    allowed = override(Recipe(), [("data.broken", broken)], where="compare").data.broken
    boxes = models[0].objects is not None
    masks = models[0].card["segment"]["masks"] if models[0].surfaces else None
    part = judged_part(data, open_test=open_test, boxes=boxes, masks=masks)
    if boxes or masks is not None:
        compared = compare_detectors if boxes else compare_segmenters
        found, pictures = compared(
            models, part, groups=groups, metadata=metadata, allowed=allowed, progress=progress
        )
    elif models[0].window is not None:
        if groups is not None:
            raise InputError("frames of one sequence are kept together already; leave out groups")
        found, pictures = compare_forecasters(
            models, part, metadata=metadata, allowed=allowed, progress=progress
        )
    else:
        found, pictures = _by_label(models, part, groups, metadata, allowed, progress)
    sealed = is_sealed(part, boxes=boxes, masks=masks)
    for run in (a, b):
        if sealed and not isinstance(run, Model) and Path(run).is_dir():
            record_opening(Path(run), part, pictures=pictures, score={"compared": found.sentence})
    if place is not None:
        from saccade.judge.comparison_report import comparison_report  # Loads the charts.

        about = {"A": _called(a), "B": _called(b), "Data": str(part)}
        write_atomic(place, comparison_report(found, about=about))
    return found


def _called(model: Model | Path | str) -> str:
    return model.called if isinstance(model, Model) else str(model)


def _require_alike(a: Model, b: Model) -> None:
    if _kind(a) != _kind(b):
        raise InputError(
            f"A is {a.called} and B {b.called}, whose answers are not alike; name two of one task"
        )
    if a.window and b.window and a.window != b.window:
        told = " and B ".join(f"{ahead} after {seen}" for seen, ahead in (a.window, b.window))
        raise InputError(
            f"of frames, A says {told}; name two runs with the same forecast.seen and "
            "forecast.ahead"
        )
    if a.targets != b.targets:
        raise InputError(
            f"A was trained on {', '.join(a.targets or ())}, B on {', '.join(b.targets or ())}; "
            "name two runs with the same data.target, in the same order"
        )


def _kind(model: Model) -> str:
    if model.dimension:
        return "embedder"
    if model.objects is not None:
        return "detector"
    if model.surfaces is not None:
        return "segmenter"
    if model.window is not None:
        return "forecaster"
    return "regressor" if model.targets is not None else "classifier"


def _by_label(
    models: Sequence[Model],
    part: Path,
    groups: str | None,
    metadata: Path | str | None,
    allowed: float,
    progress: Callable[[range], Iterable[int]],
) -> tuple[Compared, int]:
    samples = read_data(
        part,
        targets=models[0].targets or (),
        nested=bool(models[0].card.get("nested")),
    )
    samples = with_columns(samples, metadata)
    for model in models:
        if model.classes is not None:
            numbered([sample.label for sample in samples], model.classes)
    answers = []
    for model in models:  # What cannot be read is the same for both.
        rows, kept, _ = answer_readable(model, samples, allowed=allowed, progress=progress)
        answers.append(rows)
    return _compared(models, answers, kept, groups), len(kept)


def _compared(
    models: Sequence[Model], answers: Sequence[Rows], samples: Sequence[Sample], groups: str | None
) -> Compared:
    if models[0].dimension:
        if groups is not None:
            raise InputError("searches of one identity are kept together already; leave out groups")
        runs = [one_shot(rows, [sample.label for sample in samples]) for rows in answers]
        right = [(run.rank == 1).astype(np.float64) for run in runs]
        identities = [runs[0].names[place] for place in runs[0].identity.tolist()]
        return compare_scores(*right, figure="rank-1", groups=identities, units="identities")
    named = None if groups is None else column(samples, groups)
    if models[0].targets is not None:
        judges = [of_numbers(samples, samples)] * 2
        said = list(answers)
    else:
        labels = [sample.label for sample in samples]
        judges = [of_classes(labels, model.classes or ()) for model in models]
        said = [rows.argmax(axis=1) for rows in answers]
    scores = [judge.score(rows) for judge, rows in zip(judges, said, strict=True)]
    return compare_scores(*scores, figure=judges[0].figure, groups=named)
