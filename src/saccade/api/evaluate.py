"""``evaluate``: how well a model answers on pictures that it has never seen."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from saccade.api.asked import Asked
from saccade.api.box_samples import part_of_boxes
from saccade.api.frames import answer_sequences
from saccade.api.judging import Answers, Rows, Scores, judge_model
from saccade.api.judging_boxes import detect_readable
from saccade.api.judging_masks import segment_readable
from saccade.api.mask_samples import part_of_masks
from saccade.api.sealed import is_sealed, judged_part, openings, record_opening, times
from saccade.config import DataSettings, Recipe, override
from saccade.data.batches import load_readable
from saccade.data.box_sets import Counted
from saccade.data.broken import part_broken, require_few
from saccade.data.columns import with_columns
from saccade.data.mask_classes import MaskClasses
from saccade.data.pictures import refuse_picture
from saccade.data.readers import read_data
from saccade.data.sequences import read_sequences
from saccade.errors import InputError
from saccade.judge.classification import numbered
from saccade.judge.operating_point import Wanted
from saccade.metrics.pairs import pair_scores
from saccade.metrics.verification import error_rates, threshold_at_false_accept_rate
from saccade.tasks.model import Model, pixel_model
from saccade.values import Broken, Float32Array, Sample

PIXELS = "pixels"
FALSE_ACCEPT_RATE = 0.01
BLOCK = 1024  # pictures decoded at a time


def load(run: Path | str) -> Model:
    """Return the model of a run folder; the word "pixels" gives the plain pixel embedder."""
    return pixel_model() if str(run) == PIXELS else Model.load(run)


def evaluate(
    model: Model | Path | str,
    data: Path | str,
    *,
    report: Path | str | None = None,
    groups: str | None = None,
    by: str | None = None,
    alarm: Wanted | None = None,
    metadata: Path | str | None = None,
    open_test: bool = False,
    broken: float = DataSettings().broken,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Scores:
    """Judge a model, or that of a run folder, on pictures with labels; write a report if asked.

    ``data`` is what ``read_data`` reads; of divided data the part val is judged. The part test is
    sealed: ``open_test`` judges it, and the run folder records that. Pictures that cannot be read
    are left out and named in ``broken`` of the answer; above the share ``broken`` of them
    InputError is raised, as for a report that cannot be written. ``groups`` names the column of
    metadata whose pictures are alike, so that the intervals draw them together; ``by`` one whose
    values are judged each by itself; ``metadata`` is a table with further columns, see
    ``with_columns``. ``progress`` is handed the range of the blocks to answer and
    passes it through, as a progress bar does.
    An embedder: each picture takes its turn as the only enrolled one of its identity; the others
    are searched. The figures carry 95 % intervals from a bootstrap over the identities.
    A classifier: each picture is answered, and the figures' intervals are over the pictures;
    InputError for a class that it has not learned. ``alarm``: the threshold for one class.
    A regressor: likewise; the data need the targets that it was trained on, by their names.
    A detector: ``data`` is what ``read_boxes`` reads, and the figures are COCO's. A segmenter:
    what ``read_masks`` reads with the settings that it was trained with. A forecaster: what
    ``read_sequences`` reads; what it says is set beside the last frame seen, with intervals over
    the sequences.
    """
    loaded = model if isinstance(model, Model) else load(model)
    run = None if isinstance(model, Model) or str(model) == PIXELS else Path(model)
    place = report_place(report)
    allowed = override(Recipe(), [("data.broken", broken)], where="evaluate").data.broken
    boxes = loaded.objects is not None
    masks = loaded.card["segment"]["masks"] if loaded.surfaces else None
    part = judged_part(data, open_test=open_test, boxes=boxes, masks=masks)
    found = answers_at(loaded, part, metadata, allowed=allowed, progress=progress)
    opened = is_sealed(part, boxes=boxes, masks=masks) and run is not None
    note = times(len(openings(run)) + 1) if opened and run else ""
    asked = Asked(groups=groups, by=by, alarm=alarm, note=note)
    scores = judge_model(
        loaded,
        found.samples,
        found.rows,
        report=place,
        run=run,
        broken=found.broken,
        counted=found.counted,
        asked=asked,
    )
    if opened and run:
        told = {name: str(figure) for name, figure in scores.headline}
        record_opening(run, part, pictures=len(found.samples), score=told)
    return scores


def report_place(report: Path | str | None) -> Path | None:
    """Return where a report goes; raises InputError for a place that cannot be meant."""
    if report is None:
        return None
    place = Path(report)
    if place.is_dir() or not place.absolute().parent.is_dir():
        raise InputError(f"report {place} must be a file in a folder that exists")
    refuse_picture(place, "name an HTML file with --report")
    return place


def seen_in_training(model: Model, part: Path | str) -> list[str]:
    """Return the names that are both classes of the model and labels of the data judged, sorted.

    None for a classifier, which can be judged on the classes that it learned only, and for a
    regressor, which learned none.
    """
    if not model.dimension:
        return []
    labels = {sample.label for sample in read_data(part)}
    return sorted(labels.intersection(model.card.get("classes", ())))


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


class Answered(NamedTuple):
    """``rows``: an answer a sample; ``broken``: the pictures that cannot be read.

    ``counted``: what of true boxes was left out, or read otherwise.
    """

    rows: Answers
    samples: list[Sample]
    broken: list[Broken]
    counted: tuple[Counted, ...] = ()


def answers_at(
    model: Model,
    part: Path,
    metadata: Path | str | None = None,
    *,
    allowed: float,
    progress: Callable[[range], Iterable[int]],
) -> Answered:
    """Read what is judged, with the columns of a table ``metadata``, and answer what can be read.

    Raises InputError for what the model has not learned, and for too many pictures that cannot be
    read.
    """
    if model.objects is not None:
        given = part_of_boxes(part)
        samples = with_columns(given.samples, metadata)
        found = detect_readable(model, samples, given.broken, allowed=allowed, progress=progress)
        return Answered(*found, counted=(*given.left_out, *given.changed))
    if model.surfaces is not None:
        meaning = MaskClasses.from_dict(model.card["masks"])
        given = part_of_masks(part, meaning, masks=model.card["segment"]["masks"])
        samples = with_columns(given.samples, metadata)
        answered = segment_readable(
            model, samples, given.broken, allowed=allowed, progress=progress
        )
        return Answered(*answered, counted=(*given.left_out, *given.changed))
    if model.window is not None:
        frames = with_columns(read_sequences(part, least=sum(model.window)), metadata)
        return Answered(*answer_sequences(model, frames, allowed=allowed, progress=progress))
    samples = read_data(part, targets=model.targets or (), nested=bool(model.card.get("nested")))
    samples = with_columns(samples, metadata)
    if model.classes is not None:
        numbered([sample.label for sample in samples], model.classes)
    return Answered(*answer_readable(model, samples, allowed=allowed, progress=progress))


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
