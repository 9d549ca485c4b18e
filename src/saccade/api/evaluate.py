"""``evaluate``: how well a model answers on pictures that it has never seen."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from saccade.api.about import CHOSE_THE_EPOCH, about
from saccade.api.regression import judge_regressor
from saccade.config import DataSettings, Recipe, override
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.pictures import refuse_picture
from saccade.data.readers import choose_part, read_data
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.classification import ClassificationScores, judge_classification, numbered
from saccade.judge.embedding import EmbeddingScores, judge_embedding
from saccade.judge.regression import RegressionScores
from saccade.metrics.pairs import pair_scores
from saccade.metrics.verification import error_rates, threshold_at_false_accept_rate
from saccade.tasks.model import Model, pixel_model
from saccade.training.run import read_history
from saccade.values import Broken, Float32Array, Sample

PIXELS = "pixels"
FALSE_ACCEPT_RATE = 0.01
JUDGED_PARTS = ("test", "val")
BLOCK = 1024  # pictures decoded at a time
Scores = EmbeddingScores | ClassificationScores | RegressionScores
Rows = NDArray[np.floating]  # vectors, probabilities or numbers, a row a picture


def load(run: Path | str) -> Model:
    """Return the model of a run folder; the word "pixels" gives the plain pixel embedder."""
    return pixel_model() if str(run) == PIXELS else Model.load(run)


def evaluate(
    model: Model | Path | str,
    data: Path | str,
    *,
    report: Path | str | None = None,
    broken: float = DataSettings().broken,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Scores:
    """Judge a model, or that of a run folder, on pictures with labels; write a report if asked.

    ``data`` is what ``read_data`` reads; of divided data the part test is judged, else val.
    Pictures that cannot be read are left out and named in ``broken`` of the answer; above the share
    ``broken`` of them InputError is raised, as for a report that cannot be written. ``progress``
    is handed the range of the blocks to answer and passes it through, as a progress bar does.
    An embedder: each picture takes its turn as the only enrolled one of its identity; the others
    are searched. The figures carry 95 % intervals from a bootstrap over the identities.
    A classifier: each picture is answered, and the figures' intervals are over the pictures;
    InputError for a class that it has not learned.
    A regressor: likewise; the data need the targets that it was trained on, by their names.
    """
    loaded = model if isinstance(model, Model) else load(model)
    run = None if isinstance(model, Model) or str(model) == PIXELS else Path(model)
    place = None if report is None else Path(report)
    if place is not None and (place.is_dir() or not place.absolute().parent.is_dir()):
        raise InputError(f"report {place} must be a file in a folder that exists")
    if place is not None:
        refuse_picture(place, "name an HTML file with --report")
    allowed = override(Recipe(), [("data.broken", broken)], where="evaluate").data.broken
    samples = read_data(
        choose_part(data, JUDGED_PARTS),
        targets=loaded.targets or (),
        nested=bool(loaded.card.get("nested")),
    )
    if loaded.classes is not None:
        numbered([sample.label for sample in samples], loaded.classes)
    rows, samples, left_out = answer_readable(loaded, samples, allowed=allowed, progress=progress)
    if loaded.dimension:
        return judge_model(loaded, samples, rows, report=place, run=run, broken=left_out)
    judge = judge_classifier if loaded.targets is None else judge_regressor
    return judge(loaded, samples, rows, report=place, run=run, broken=left_out, chosen=False)


def seen_in_training(model: Model, data: Path | str) -> list[str]:
    """Return the names that are both classes of the model and labels of the data, sorted.

    None for a classifier, which can be judged on the classes that it learned only, and for a
    regressor, which learned none.
    """
    if not model.dimension:
        return []
    labels = {sample.label for sample in read_data(choose_part(data, JUDGED_PARTS))}
    return sorted(labels.intersection(model.card.get("classes", ())))


def judge_model(
    model: Model,
    samples: Sequence[Sample],
    vectors: Rows,
    *,
    report: Path | None,
    run: Path | None,
    broken: Sequence[Broken] = (),
) -> EmbeddingScores:
    """Judge vectors already computed, and write the report.

    ``run`` adds its training curve, ``broken`` the pictures that were left out.
    """
    labels = [sample.label for sample in samples]
    scores = judge_embedding(vectors, labels, threshold=model.threshold)
    if report is not None:
        from saccade.judge.embedding_report import embedding_report  # Loads the charts.

        page = embedding_report(
            scores,
            pictures=samples,
            labels=labels,
            history=read_history(run) if run else None,
            about=about(model, samples, broken),
        )
        write_atomic(report, page)
    return replace(scores, broken=tuple(broken))


def judge_classifier(
    model: Model,
    samples: Sequence[Sample],
    probabilities: Rows,
    *,
    report: Path | None,
    run: Path | None,
    broken: Sequence[Broken] = (),
    chosen: bool = True,
) -> ClassificationScores:
    """Judge probabilities already computed, and write the report; ``broken`` as for judge_model.

    ``chosen``: these pictures chose the best epoch, which the report then says.
    """
    labels = [sample.label for sample in samples]
    classes, tree = model.classes or (), model.tree
    scores = judge_classification(probabilities, labels, classes=classes, tree=tree)
    if report is not None:
        from saccade.judge.classification_report import classification_report

        page = classification_report(
            scores,
            pictures=samples,
            history=read_history(run) if run else None,
            about=about(model, samples, broken),
            note=CHOSE_THE_EPOCH if chosen else "",
        )
        write_atomic(report, page)
    return replace(scores, broken=tuple(broken))


def find_threshold(vectors: Float32Array, labels: Sequence[str]) -> dict[str, Any]:
    """Return the lowest similarity that at most FALSE_ACCEPT_RATE of strangers' pairs reach.

    The result names its criterion, both error rates on these pairs, and the numbers of pairs and
    identities. A search compares with every identity, so its rate of false alarms is higher, and
    grows with the gallery. Raises InputError when no identity has two pictures, or there is one.
    """
    genuine, impostor = pair_scores(vectors, labels)
    similarity = threshold_at_false_accept_rate(impostor, FALSE_ACCEPT_RATE)
    accept, reject = error_rates(genuine, impostor, similarity)
    return {
        "similarity": float(min(similarity, 1.0)),
        "criterion": f"false accept rate of {FALSE_ACCEPT_RATE:g} on pairs",
        "false_accept_rate": accept,
        "false_reject_rate": reject,
        "genuine_pairs": len(genuine),
        "impostor_pairs": len(impostor),
        "identities": len(set(labels)),
    }


def answer_readable(
    model: Model,
    samples: Sequence[Sample],
    *,
    allowed: float,
    progress: Callable[[range], Iterable[int]],
) -> tuple[Rows, list[Sample], list[Broken]]:
    """Answer what can be read: a row a sample; their samples; the others.

    Raises InputError when more than the share ``allowed`` cannot be read.
    """
    rows: list[Rows] = []
    read: list[Sample] = []
    broken: list[Broken] = []
    for start in progress(range(0, len(samples), BLOCK)):
        block = samples[start : start + BLOCK]
        pictures, reasons = load_readable(block, size_hw=model.size_hw, channels=model.channels)
        good, bad = part_broken(block, reasons)
        read += good
        broken += bad
        if good:
            rows.append(_answer(model, pictures))
    require_few(broken, of=len(samples), allowed=allowed)
    return np.concatenate(rows), read, broken


def _answer(model: Model, pictures: Tensor) -> Rows:
    if model.targets is not None:
        return model.estimate_prepared(pictures)
    return model.embed_prepared(pictures) if model.dimension else model.classify_prepared(pictures)
