"""A detector's answers: found in pictures of which some cannot be read, and judged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from saccade.api.asked import Asked, sections_of
from saccade.api.box_samples import found_boxes, true_boxes
from saccade.data.broken import part_broken, require_few
from saccade.data.readers import column
from saccade.files import write_atomic
from saccade.judge.detection import judge_detection
from saccade.judge.detection_by_group import detection_by_group
from saccade.judge.detection_scores import DetectionScores
from saccade.tasks.model import Model
from saccade.values import Broken, Detection, Sample

BLOCK = 16  # pictures between two steps of the progress


def detect_readable(
    model: Model,
    samples: Sequence[Sample],
    gone: Sequence[Broken],
    *,
    allowed: float,
    progress: Callable[[range], Iterable[int]] = iter,
) -> tuple[list[Detection], list[Sample], list[Broken]]:
    """Find objects in what can be read: one answer a sample; their samples; the other pictures.

    ``gone`` were left out before. Raises InputError when more than the share ``allowed`` cannot be
    read, and before any is looked at for a class that the detector has not learned.
    """
    true_boxes(samples, model.objects or ())
    found: list[Detection] = []
    for start in progress(range(0, len(samples), BLOCK)):
        found += model.detect(samples[start : start + BLOCK])
    read, broken = part_broken(
        samples, {n: one.reason for n, one in enumerate(found) if one.reason}
    )
    broken = [*gone, *broken]
    require_few(broken, of=len(samples) + len(gone), allowed=allowed)
    return [one for one in found if not one.reason], read, broken


def judge_detector(
    model: Model,
    samples: Sequence[Sample],
    found: Sequence[Detection],
    report: Path | None,
    told: Mapping[str, Any],
    asked: Asked,
) -> DetectionScores:
    """Judge what a detector found in the pictures of ``samples``; of groups, by their boxes."""
    classes = model.objects or ()
    true, boxes = true_boxes(samples, classes), found_boxes(found, classes)
    groups = asked.named(samples)
    values = None if asked.by is None else column(samples, asked.by)
    scores = judge_detection(true, boxes, pictures=len(samples), classes=classes, groups=groups)
    if asked.by is not None and values is not None:
        many = len(classes)
        divided = detection_by_group(
            true, boxes, values, column=asked.by, categories=many, groups=groups
        )
        scores = replace(scores, by_group=divided)
    if report is not None:
        from saccade.judge.detection_report import detection_report  # Loads the charts.

        page = detection_report(
            scores,
            true,
            boxes,
            pictures=[sample.path for sample in samples],
            note=asked.note,
            extra=sections_of(scores.by_group),
            **told,
        )
        write_atomic(report, page)
    return scores
