"""A detector's answers, judged: figures and the report."""

from collections.abc import Sequence
from pathlib import Path

from saccade.api.about import about
from saccade.api.box_samples import found_boxes, true_boxes
from saccade.files import write_atomic
from saccade.judge.detection import judge_detection
from saccade.judge.detection_scores import DetectionScores
from saccade.tasks.model import Model
from saccade.training.run import read_history
from saccade.values import Broken, Detection, Sample


def judge_detector(
    model: Model,
    samples: Sequence[Sample],
    found: Sequence[Detection],
    *,
    report: Path | None,
    run: Path | None,
    broken: Sequence[Broken] = (),
) -> DetectionScores:
    """Judge what a detector found in the pictures of ``samples``; write the report, if asked."""
    classes = model.objects or ()
    true, boxes = true_boxes(samples, classes), found_boxes(found, classes)
    scores = judge_detection(true, boxes, pictures=len(samples), classes=classes)
    if report is not None:
        from saccade.judge.detection_report import detection_report  # Loads the charts.

        page = detection_report(
            scores,
            true,
            boxes,
            pictures=[sample.path for sample in samples],
            about=about(model, samples, broken),
            history=read_history(run) if run else None,
        )
        write_atomic(report, page)
    return scores
