"""A segmenter's answers: masks of pictures of which some cannot be read, and judged."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from saccade.api.asked import Asked, sections_of
from saccade.data.broken import part_broken, require_few
from saccade.data.mask_targets import mask_of
from saccade.data.pictures import read_picture
from saccade.data.readers import column
from saccade.files import write_atomic
from saccade.judge.mask_counts import Counts, count_masks
from saccade.judge.segmentation import SegmentationScores, judge_counts
from saccade.judge.segmentation_by_group import segmentation_by_group
from saccade.tasks.model import Model
from saccade.values import VOID, Broken, IntArray, Sample, Segmentation, UInt8Array

if TYPE_CHECKING:
    from saccade.judge.segmentation_report import Shown

BLOCK = 4  # pictures between two steps of the progress


def segment_readable(
    model: Model,
    samples: Sequence[Sample],
    gone: Sequence[Broken],
    *,
    allowed: float,
    progress: Callable[[range], Iterable[int]] = iter,
) -> tuple[list[Segmentation], list[Sample], list[Broken]]:
    """Segment what can be read: one answer a sample; their samples; the other pictures.

    ``gone`` were left out before. Raises InputError when more than the share ``allowed`` cannot be
    read.
    """
    found: list[Segmentation] = []
    for start in progress(range(0, len(samples), BLOCK)):
        found += model.segment(samples[start : start + BLOCK])
    reasons = {n: one.reason for n, one in enumerate(found) if one.reason}
    read, broken = part_broken(samples, reasons)
    broken = [*gone, *broken]
    require_few(broken, of=len(samples) + len(gone), allowed=allowed)
    return [one for one in found if not one.reason], read, broken


def counts_of(samples: Sequence[Sample], found: Sequence[Segmentation], *, classes: int) -> Counts:
    """Count the masks that were answered beside the true ones."""
    return count_masks(_pairs(samples, found), classes=classes, ignore=VOID)


def judge_segmenter(
    model: Model,
    samples: Sequence[Sample],
    found: Sequence[Segmentation],
    report: Path | None,
    told: Mapping[str, Any],
    asked: Asked,
) -> SegmentationScores:
    """Judge the masks of the pictures of ``samples``; of groups, by their pictures alone."""
    classes, groups = model.surfaces or (), asked.named(samples)
    values = None if asked.by is None else column(samples, asked.by)
    counts = counts_of(samples, found, classes=len(classes))
    scores = judge_counts(counts, classes=classes, groups=groups)
    if asked.by is not None and values is not None:
        divided = segmentation_by_group(counts, values, column=asked.by, groups=groups)
        scores = replace(scores, by_group=divided)
    if report is not None:
        from saccade.judge.segmentation_report import segmentation_report  # Loads the charts.

        page = segmentation_report(
            scores,
            shown=[_shown(*pair) for pair in zip(samples, found, strict=True)],
            ignore=VOID,
            note=asked.note,
            extra=sections_of(scores.by_group),
            title="How well this segmenter marks pictures",
            **told,
        )
        write_atomic(report, page)
    return scores


def _pairs(
    samples: Sequence[Sample], found: Sequence[Segmentation]
) -> Iterator[tuple[UInt8Array, UInt8Array]]:
    for sample, one in zip(samples, found, strict=True):
        yield mask_of(sample).read(), one.mask


def _shown(sample: Sample, one: Segmentation) -> "Shown":
    from saccade.judge.segmentation_report import Shown

    return Shown(sample.path.name, partial(_masks, sample, one), partial(read_picture, sample))


def _masks(sample: Sample, one: Segmentation) -> tuple[IntArray, IntArray]:
    return one.mask.astype(np.int64), mask_of(sample).read().astype(np.int64)
