"""``evaluate``: how well a model answers on pictures that it has never seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saccade.data.folders import read_class_folders
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.classification import ClassificationScores, judge_classification, numbered
from saccade.judge.classification_report import classification_report
from saccade.judge.embedding import EmbeddingScores, judge_embedding
from saccade.judge.embedding_report import embedding_report
from saccade.metrics.pairs import pair_scores
from saccade.metrics.verification import equal_error_rate
from saccade.tasks.model import Model, pixel_model
from saccade.training.run import read_history
from saccade.values import Float32Array, Sample

PIXELS = "pixels"
Scores = EmbeddingScores | ClassificationScores
CHOSE_THE_EPOCH = (
    "These pictures were held out from learning, but the best epoch was chosen on them, which "
    "flatters a little. Judge on further pictures before you rely on it: saccade evaluate."
)


def load(run: Path | str) -> Model:
    """Return the model of a run folder; the word "pixels" gives the plain pixel embedder."""
    return pixel_model() if str(run) == PIXELS else Model.load(run)


def evaluate(
    run: Path | str | Model, data: Path | str, *, report: Path | str | None = None
) -> Scores:
    """Judge a model on class folders, and write an HTML report when a place is given.

    An embedder: each picture takes its turn as the only enrolled one of its identity; the others
    are searched. The figures carry 95 % intervals from a bootstrap over the identities.
    A classifier: each picture is answered, and the figures' intervals are over the pictures;
    InputError for a class that it has not learned.
    """
    model = run if isinstance(run, Model) else load(run)
    samples = read_class_folders(data)
    paths = [sample.path for sample in samples]
    folder = None if isinstance(run, Model) or str(run) == PIXELS else Path(run)
    place = None if report is None else Path(report)
    if model.classes is not None:
        numbered([sample.label for sample in samples], model.classes)
        shares = model.probabilities(paths)
        return judge_classifier(model, samples, shares, report=place, run=folder, chosen=False)
    vectors = model.embed(paths)
    return judge_model(model, samples, vectors, report=place, run=folder)


def judge_model(
    model: Model,
    samples: Sequence[Sample],
    vectors: Float32Array,
    *,
    report: Path | None,
    run: Path | None,
) -> EmbeddingScores:
    """Judge vectors already computed, and write the report; ``run`` adds its training curve."""
    labels = [sample.label for sample in samples]
    scores = judge_embedding(vectors, labels, threshold=model.threshold)
    if report is not None:
        page = embedding_report(
            scores,
            pictures=[sample.path for sample in samples],
            labels=labels,
            history=read_history(run) if run else None,
            about=_about(model, samples),
        )
        _write_report(report, page)
    return scores


def judge_classifier(
    model: Model,
    samples: Sequence[Sample],
    probabilities: Float32Array,
    *,
    report: Path | None,
    run: Path | None,
    chosen: bool = True,
) -> ClassificationScores:
    """Judge probabilities already computed, and write the report.

    ``chosen``: these pictures chose the best epoch, which the report then says.
    """
    labels = [sample.label for sample in samples]
    scores = judge_classification(probabilities, labels, classes=model.classes or ())
    if report is not None:
        page = classification_report(
            scores,
            pictures=[sample.path for sample in samples],
            history=read_history(run) if run else None,
            about=_about(model, samples),
            note=CHOSE_THE_EPOCH if chosen else "",
        )
        _write_report(report, page)
    return scores


def find_threshold(vectors: Float32Array, labels: Sequence[str]) -> dict[str, Any]:
    """Return the similarity at which both error rates are equal on all pairs of these pictures.

    The result names its criterion, the rate, and the numbers of pairs. Raises InputError when no
    identity has two pictures, or there is one identity.
    """
    genuine, impostor = pair_scores(vectors, labels)
    if not len(genuine) or not len(impostor):
        raise InputError(
            "a threshold needs at least two identities, one of them with two pictures; add pictures"
        )
    rate, similarity = equal_error_rate(genuine, impostor)
    return {
        "similarity": float(similarity),
        "criterion": "equal error rate",
        "equal_error_rate": float(rate),
        "genuine_pairs": len(genuine),
        "impostor_pairs": len(impostor),
    }


def _about(model: Model, samples: Sequence[Sample]) -> dict[str, str]:
    card = model.card
    size = f"{model.size_hw[0]}x{model.size_hw[1]}, {'grey' if model.channels == 1 else 'colour'}"
    answers, units = f"{model.dimension} dimensions", "identities"
    if model.classes is not None:
        answers, units = f"{len(model.classes)} classes", "classes"
    return {
        "model": f"{card.get('backbone', card['kind'])}, {answers}",
        "pictures are seen at": size,
        "licence": str(card.get("licence", "not stated")),
        "provenance": str(card.get("provenance", "not stated")),
        "judged on": f"{len(samples)} pictures of {len({s.label for s in samples})} {units}",
        "fingerprint": model.fingerprint[:16],
    }


def _write_report(place: Path, page: str) -> None:
    if not place.parent.is_dir():
        raise InputError(f"folder {place.parent} for the report does not exist; make it first")
    write_atomic(place, page)
