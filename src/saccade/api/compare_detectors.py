"""``compare`` of two detectors: their boxes, and how many pictures a second each answers."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from saccade.api.box_samples import found_boxes, part_of_boxes, true_boxes
from saccade.data.broken import part_broken, require_few
from saccade.data.columns import with_columns
from saccade.data.pictures import read_picture
from saccade.data.readers import column
from saccade.errors import PictureError
from saccade.judge.comparison import Compared
from saccade.judge.paired_figures import compare_boxes
from saccade.judge.speed import speeds
from saccade.tasks.model import Model
from saccade.values import Detection, Float64Array, Sample


def compare_detectors(
    models: Sequence[Model],
    part: Path,
    *,
    groups: str | None,
    metadata: Path | str | None,
    allowed: float,
    progress: Callable[[range], Iterable[int]],
) -> tuple[Compared, int]:
    """Compare two detectors on a part of pictures with boxes; also returns the number of pictures.

    Each must know all classes that the pictures show; a class that only one knows, and no picture
    shows, changes nothing.
    """
    given = part_of_boxes(part)
    samples = with_columns(given.samples, metadata)
    named = None if groups is None else column(samples, groups)
    for model in models:
        true_boxes(samples, model.objects or ())
    reasons = {n: why for n, one in enumerate(samples) if (why := _unreadable(one))}
    read, broken = part_broken(samples, reasons)
    broken = [*given.broken, *broken]
    require_few(broken, of=len(read) + len(broken), allowed=allowed)
    found, seconds = in_turns(models, read, progress)
    classes = sorted({label for model in models for label in model.objects or ()})
    compared = compare_boxes(
        true_boxes(read, classes),
        *(found_boxes(one, classes) for one in found),
        pictures=len(read),
        categories=len(classes),
        groups=None if named is None else [v for n, v in enumerate(named) if n not in reasons],
    )
    measured = speeds(*seconds, threads=torch.get_num_threads())
    return replace(compared, speeds=measured), len(read)


def in_turns(
    models: Sequence[Model],
    samples: Sequence[Sample],
    progress: Callable[[range], Iterable[int]] = iter,
) -> tuple[list[list[Detection]], Float64Array]:
    """Answer each picture with each model, one at a time; returns also (models, n) seconds.

    The time is from the file, which was read just before, to the boxes. Who begins changes with
    every picture; the first picture is answered once before, unmeasured.
    """
    found: list[list[Detection]] = [[] for _ in models]
    seconds = np.zeros((len(models), len(samples)))
    for model in models:
        model.detect(samples[:1])
    for n in progress(range(len(samples))):
        for place in range(len(models)) if n % 2 else reversed(range(len(models))):
            start = time.perf_counter()
            found[place] += models[place].detect([samples[n]])
            seconds[place, n] = time.perf_counter() - start
    return found, seconds


def _unreadable(sample: Sample) -> str:
    """Why a picture cannot be read; empty when it can, and its file is in memory."""
    try:
        read_picture(sample)
    except PictureError as error:
        return str(error)
    return ""
