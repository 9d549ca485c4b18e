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
from saccade.metrics.verification import equal_error_rate
from saccade.tasks.model import Model, pixel_model
from saccade.training.run import read_history
from saccade.values import Broken, Float32Array, Sample

PIXELS = "pixels"
JUDGED_PARTS = ("test", "val")
BLOCK = 1024  # pictures decoded at a time


def load(run: Path | str) -> Model:
    """Return the model of a run folder; the word "pixels" gives the plain pixel embedder."""
    return pixel_model() if str(run) == PIXELS else Model.load(run)


def evaluate(
    run: Path | str | Model,
    data: Path | str,
    *,
    report: Path | str | None = None,
    broken: float = DataSettings().broken,
) -> EmbeddingScores:
    """Judge a model on pictures with labels, and write an HTML report when a place is given.

    ``data`` is what ``read_data`` reads; of divided data the part test is judged, else val.
    Pictures that cannot be read are left out and named in ``broken`` of the answer; above the share
    ``broken`` of them InputError is raised.
    Each picture takes its turn as the only enrolled one of its identity; the others are searched.
    The figures carry 95 % intervals from a bootstrap over the identities.
    """
    model = run if isinstance(run, Model) else load(run)
    allowed = override(Recipe(), [("data.broken", broken)], where="evaluate").data.broken
    samples = read_data(choose_part(data, JUDGED_PARTS))
    vectors, samples, left_out = _embed_readable(model, samples, allowed=allowed)
    folder = None if isinstance(run, Model) or str(run) == PIXELS else Path(run)
    place = None if report is None else Path(report)
    scores = judge_model(model, samples, vectors, report=place, run=folder, broken=left_out)
    return replace(scores, broken=tuple(left_out))


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
    size = f"{model.size_hw[0]}x{model.size_hw[1]}, {'grey' if model.channels == 1 else 'colour'}"
    return {
        "model": f"{card.get('backbone', card['kind'])}, {model.dimension} dimensions",
        "pictures are seen at": size,
        "licence": str(card.get("licence", "not stated")),
        "provenance": str(card.get("provenance", "not stated")),
        "judged on": f"{len(samples)} pictures of {len({s.label for s in samples})} identities",
        **({"left out, unreadable": f"{len(broken)} pictures"} if broken else {}),
        "fingerprint": model.fingerprint[:16],
    }


def _write_report(place: Path, page: str) -> None:
    if not place.parent.is_dir():
        raise InputError(f"folder {place.parent} for the report does not exist; make it first")
    write_atomic(place, page)
