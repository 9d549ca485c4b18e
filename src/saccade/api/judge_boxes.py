"""``judge_boxes``: how well boxes fit, found by any program, from COCO's files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saccade.api.asked import sections_of
from saccade.api.evaluate import report_place
from saccade.boxes import FoundBoxes
from saccade.data.coco import MOST_PIXELS, CocoTruth, read_results, read_truth
from saccade.data.columns import with_columns
from saccade.data.readers import column
from saccade.errors import InputError
from saccade.files import safe_join, write_atomic
from saccade.judge.detection import judge_detection
from saccade.judge.detection_by_group import detection_by_group
from saccade.judge.detection_scores import DetectionScores


def judge_boxes(
    predictions: Path | str,
    truth: Path | str,
    *,
    report: Path | str | None = None,
    groups: str | None = None,
    by: str | None = None,
    metadata: Path | str | None = None,
    pictures: Path | str | None = None,
) -> DetectionScores:
    """Judge found boxes, and write a report if asked.

    ``predictions``: a JSON list of results as COCO has them, boxes [x, y, width, height] in pixels,
    scores in [0, 1]. ``truth``: COCO's annotations. ``groups`` names a key of the truth's images
    or a column of the table ``metadata``, such as "video": pictures of one value are alike, and
    are drawn together for the intervals; ``by`` one whose values are judged each by itself.
    ``pictures``: the folder of the truth's file names, for the report; without, that of the truth.
    Raises InputError, naming the file and the entry, for what cannot be used.
    """
    place = report_place(report)
    known = read_truth(truth)
    found = read_results(predictions, known)
    samples = with_columns(known.samples(), metadata)
    named = None if groups is None else column(samples, groups)
    values = None if by is None else column(samples, by)
    scores = judge_detection(
        known.boxes,
        found,
        pictures=len(samples),
        classes=known.categories,
        groups=named,
        outside=_outside(known, found),
    )
    if by is not None and values is not None:
        many = len(known.categories)
        divided = detection_by_group(
            known.boxes, found, values, column=by, categories=many, groups=named
        )
        scores = replace(scores, by_group=divided)
    if place is not None:
        from saccade.judge.detection_report import detection_report  # Loads the charts.

        folder = Path(pictures) if pictures is not None else known.path.parent
        page = detection_report(
            scores,
            known.boxes,
            found,
            pictures=[_file(folder, one) for one in known.pictures],
            extra=sections_of(scores.by_group),
            about={"Predictions": str(predictions), "Truth": str(truth)},
        )
        write_atomic(place, page)
    return scores


def _outside(truth: CocoTruth, found: FoundBoxes) -> int:
    """How many found boxes lie wholly outside their picture, where its size is known."""
    sizes = np.array([_size(one) for one in truth.pictures])[found.picture]
    corner, end = found.xywh[:, :2], found.xywh[:, :2] + found.xywh[:, 2:]
    return int(((corner >= sizes) | (end <= 0)).any(axis=1).sum())


def _size(picture: Mapping[str, Any]) -> tuple[float, float]:
    sides = (picture.get("width"), picture.get("height"))
    wide, high = (
        float(s) if isinstance(s, int | float) and 0 < s < MOST_PIXELS else np.inf for s in sides
    )
    return wide, high


def _file(folder: Path, picture: Mapping[str, Any]) -> Path | None:
    """The picture's file, if it lies in the folder."""
    name = picture.get("file_name")
    if not isinstance(name, str) or not name:
        return None
    try:
        place = safe_join(folder, name)
        return place if place.is_file() else None
    except (InputError, OSError):  # A name too long for a file, for one.
        return None
