"""``evaluate``: how well a model tells identities apart that it has never seen."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saccade.config import DataSettings, Recipe, override
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.readers import choose_part, read_data
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.embedding import EmbeddingScores, judge_embedding
from saccade.judge.embedding_report import embedding_report
from saccade.metrics.pairs import pair_scores
from saccade.metrics.verification import error_rates, threshold_at_false_accept_rate
from saccade.tasks.model import Model, pixel_model
from saccade.training.run import read_history
from saccade.values import Broken, Float32Array, Sample

PIXELS = "pixels"
FALSE_ACCEPT_RATE = 0.01
JUDGED_PARTS = ("test", "val")
BLOCK = 1024  # pictures decoded at a time


def load(run: Path | str) -> Model:
    """Return the model of a run folder; the word "pixels" gives the plain pixel embedder."""
    return pixel_model() if str(run) == PIXELS else Model.load(run)


def evaluate(
    model: Model | Path | str,
    data: Path | str,
    *,
    report: Path | str | None = None,
    broken: float = DataSettings().broken,
) -> EmbeddingScores:
    """Judge a model, or that of a run folder, on pictures with labels; write a report if asked.

    ``data`` is what ``read_data`` reads; of divided data the part test is judged, else val.
    Pictures that cannot be read are left out and named in ``broken`` of the answer; above the share
    ``broken`` of them InputError is raised, as for a report that cannot be written. Each picture
    takes its turn as the only enrolled one of its identity; the others are searched. The figures
    carry 95 % intervals from a bootstrap over the identities.
    """
    loaded = model if isinstance(model, Model) else load(model)
    run = None if isinstance(model, Model) or str(model) == PIXELS else Path(model)
    place = None if report is None else Path(report)
    if place is not None and (place.is_dir() or not place.absolute().parent.is_dir()):
        raise InputError(f"report {place} must be a file in a folder that exists")
    allowed = override(Recipe(), [("data.broken", broken)], where="evaluate").data.broken
    samples = read_data(choose_part(data, JUDGED_PARTS))
    vectors, samples, left_out = _embed_readable(loaded, samples, allowed=allowed)
    scores = judge_model(loaded, samples, vectors, report=place, run=run, broken=left_out)
    return replace(scores, broken=tuple(left_out))


def seen_in_training(model: Model, data: Path | str) -> list[str]:
    """Return the names that are both classes of the model and labels of the data, sorted."""
    labels = {sample.label for sample in read_data(choose_part(data, JUDGED_PARTS))}
    return sorted(labels.intersection(model.card.get("classes", ())))


def judge_model(
    model: Model,
    samples: Sequence[Sample],
    vectors: Float32Array,
    *,
    report: Path | None,
    run: Path | None,
    broken: Sequence[Broken] = (),
) -> EmbeddingScores:
    """Judge vectors already computed, and write the report.

    ``run`` adds its training curve, ``broken`` the number of pictures that were left out.
    """
    labels = [sample.label for sample in samples]
    scores = judge_embedding(vectors, labels, threshold=model.threshold)
    if report is not None:
        page = embedding_report(
            scores,
            pictures=samples,
            labels=labels,
            history=read_history(run) if run else None,
            about=_about(model, samples, broken),
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


def _embed_readable(
    model: Model, samples: Sequence[Sample], *, allowed: float
) -> tuple[Float32Array, list[Sample], list[Broken]]:
    """Embed what can be read; returns the (n, dimension) vectors, their samples, and the others."""
    vectors, read, broken = [np.zeros((0, model.dimension), np.float32)], [], []
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK]
        pictures, reasons = load_readable(block, size_hw=model.size_hw, channels=model.channels)
        good, bad = part_broken(block, reasons)
        read += good
        broken += bad
        if good:
            vectors.append(model.embed_prepared(pictures))
    require_few(broken, of=len(samples), allowed=allowed)
    return np.concatenate(vectors), read, broken


def _about(model: Model, samples: Sequence[Sample], broken: Sequence[Broken]) -> dict[str, str]:
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
        **({"left out, unreadable": f"{len(broken)} pictures"} if broken else {}),
        "fingerprint": model.fingerprint[:16],
    }


def _threshold_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none"
    where = f"found on {found.get('identities')} identities held out from training"
    return f"{found['similarity']:.4f}, {found.get('criterion')}, {where}"
