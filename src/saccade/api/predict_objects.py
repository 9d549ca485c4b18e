"""``predict`` of a detector: which objects are where in pictures, as files that others read."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from saccade.data.pictures import read_picture
from saccade.errors import InputError
from saccade.pictures.paint import painted_objects, painted_places, write_painted
from saccade.tasks.model import Model
from saccade.values import Detection

SURE = 0.5  # the score from which a box is shown, where nothing else is asked for
BOX_HEAD = ("path", "label", "score", "x", "y", "width", "height")
ENDINGS = (".json", ".csv")


def find_objects(
    model: Model, pictures: Sequence[Path], *, at_least: float | None, painted: Path | None
) -> list[Detection]:
    """Return the boxes in each picture whose score is ``at_least``; SURE where that is None.

    ``painted``: a folder for the pictures with their boxes. A picture that cannot be read has a
    ``reason``.
    """
    places = [] if painted is None else painted_places(pictures, painted)
    found = []
    for number, picture in enumerate(pictures):
        (one,) = model.detect([picture])
        one = from_score(one, SURE if at_least is None else at_least)
        if places and not one.reason:
            shown = painted_objects(read_picture(picture), one, model.objects or ())
            write_painted(shown, places[number])
        found.append(one)
    return found


def from_score(found: Detection, at_least: float) -> Detection:
    """Return what was found with a score of ``at_least``."""
    kept = [n for n, score in enumerate(found.scores.tolist()) if score >= at_least]
    labels = tuple(found.labels[n] for n in kept)
    return replace(found, labels=labels, xywh=found.xywh[kept], scores=found.scores[kept])


def require_ending(place: Path) -> None:
    """Raise InputError for a file of results that is neither JSON nor CSV."""
    if place.suffix.lower() not in ENDINGS:
        raise InputError(f"{place} must end in .json (COCO results) or .csv, a box a line")


def coco_results(found: Iterable[Detection], classes: Sequence[str]) -> str:
    """Return COCO's list of results: [x, y, width, height] in pixels, scores in [0, 1].

    Pictures are numbered from 1 in their order, classes from 1 in the model's. The keys
    ``file_name`` and ``category`` name both, by which ``read_results`` finds them in the truth.
    """
    number = {label: n for n, label in enumerate(classes, 1)}
    rows: list[dict[str, Any]] = []
    for n, one in enumerate(found, 1):
        for label, box, score in _boxes(one):
            ids = {"image_id": n, "category_id": number[label], "bbox": box, "score": score}
            rows.append({**ids, "file_name": one.picture, "category": label})
    return json.dumps(rows, indent=1) + "\n"


def csv_rows(found: Iterable[Detection]) -> Iterable[Sequence[str]]:
    """Yield a row of BOX_HEAD a box; for a picture without any, its path alone."""
    for one in found:
        for label, box, score in _boxes(one):
            yield one.picture, label, f"{score:.6f}", *(f"{side:.2f}" for side in box)
        if not one.labels:
            yield one.picture, *[""] * (len(BOX_HEAD) - 1)


def _boxes(one: Detection) -> Iterable[tuple[str, list[float], float]]:
    return zip(one.labels, one.xywh.tolist(), one.scores.tolist(), strict=True)
