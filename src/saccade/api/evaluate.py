"""``evaluate``: how well a model tells identities apart that it has never seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saccade.data.folders import read_class_folders
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.embedding import EmbeddingScores, judge_embedding
from saccade.judge.embedding_report import embedding_report
from saccade.metrics.pairs import pair_scores
from saccade.metrics.verification import error_rates, threshold_at_false_accept_rate
from saccade.tasks.model import Model, pixel_model
from saccade.training.run import read_history
from saccade.values import Float32Array, Sample

PIXELS = "pixels"
FALSE_ACCEPT_RATE = 0.01


def load(run: Path | str) -> Model:
    """Return the model of a run folder; the word "pixels" gives the plain pixel embedder."""
    return pixel_model() if str(run) == PIXELS else Model.load(run)


def evaluate(
    model: Model | Path | str,
    data: Path | str,
    *,
    report: Path | str | None = None,
) -> EmbeddingScores:
    """Judge a model, or that of a run folder, on class folders; write an HTML report if asked.

    Each picture takes its turn as the only enrolled one of its identity; the others are searched.
    The figures carry 95 % intervals from a bootstrap over the identities. Raises
    InputError for data or a report that cannot be used.
    """
    loaded = model if isinstance(model, Model) else load(model)
    run = None if isinstance(model, Model) or str(model) == PIXELS else Path(model)
    place = None if report is None else Path(report)
    if place is not None and (place.is_dir() or not place.absolute().parent.is_dir()):
        raise InputError(f"report {place} must be a file in a folder that exists")
    samples = read_class_folders(data)
    vectors = loaded.embed([sample.path for sample in samples])
    return judge_model(loaded, samples, vectors, report=place, run=run)


def seen_in_training(model: Model, data: Path | str) -> list[str]:
    """Return the names that both the model's classes and the class folders have, sorted."""
    labels = {sample.label for sample in read_class_folders(data)}
    return sorted(labels.intersection(model.card.get("classes", ())))


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
        write_atomic(report, page)
    return scores


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


def _about(model: Model, samples: Sequence[Sample]) -> dict[str, str]:
    card = model.card
    labels = {sample.label for sample in samples}
    seen = labels.intersection(card.get("classes", ()))
    size = f"{model.size_hw[0]}x{model.size_hw[1]}, {'grey' if model.channels == 1 else 'colour'}"
    return {
        "model": f"{card.get('backbone', card['kind'])}, {model.dimension} dimensions",
        "pictures are seen at": size,
        "licence": str(card.get("licence", "not stated")),
        "provenance": str(card.get("provenance", "not stated")),
        "threshold": _threshold_text(card.get("threshold")),
        "judged on": f"{len(samples)} pictures of {len(labels)} identities",
        "seen in training": f"{len(seen)} of them; the figures flatter" if seen else "none of them",
        "fingerprint": model.fingerprint[:16],
    }


def _threshold_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none"
    where = f"found on {found.get('identities')} identities held out from training"
    return f"{found['similarity']:.4f}, {found.get('criterion')}, {where}"
