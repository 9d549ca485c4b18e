"""A forecaster's answers: the frames that follow those of each window, said and judged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saccade.api.asked import Asked, sections_of
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.readers import column
from saccade.data.sequences import windows
from saccade.data.stored import Pictures
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.intervals import LEVEL
from saccade.judge.by_group import ByGroup, judge_by_group
from saccade.judge.forecast import ForecastScores, judge_forecast
from saccade.tasks.model import Model
from saccade.values import Broken, IntArray, Interval, Sample, UInt8Array

BLOCK = 64  # windows between two steps of the progress


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a forecaster said after each of n windows, all (…, c, H, W) uint8 of its own size.

    ``said`` and ``truth`` (n, ahead, …); ``given`` (n, seen, …); ``rows`` (n, seen + ahead): the
    windows' places among the samples.
    """

    rows: IntArray
    given: UInt8Array
    said: UInt8Array
    truth: UInt8Array


def answer_frames(
    model: Model,
    samples: Sequence[Sample],
    frames: Pictures,
    *,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Said:
    """Say what follows in ``frames`` (m, c, H, W) uint8, those of ``samples``, in their order.

    Every frame after the first ones of a sequence is said once, so that windows overlap only in
    what they are given. Raises InputError where no window fits.
    """
    seen, ahead = model.window or (0, 0)
    rows = windows(samples, seen + ahead, every=ahead)
    if not len(rows):
        raise InputError(
            f"no sequence has {seen + ahead} frames in a row that can be read; add frames"
        )
    given, said, truth = [], [], []
    for start in progress(range(0, len(rows), BLOCK)):
        block = rows[start : start + BLOCK]
        flat = frames[torch.from_numpy(block.ravel())]
        shown = flat.reshape(*block.shape, *flat.shape[1:])
        given.append(shown[:, :seen])
        truth.append(shown[:, seen:])
        said.append(model.forecast_prepared(shown[:, :seen]))
    parts = (torch.cat(one).numpy() for one in (given, said, truth))
    return Said(rows, *parts)


def answer_sequences(
    model: Model,
    samples: Sequence[Sample],
    *,
    allowed: float,
    progress: Callable[[range], Iterable[int]],
) -> tuple[Said, list[Sample], list[Broken]]:
    """Say what follows in what can be read: the answers, the samples read, and the others.

    Raises InputError when more than the share ``allowed`` cannot be read.
    """
    frames, reasons = load_readable(samples, size_hw=model.size_hw, channels=model.channels)
    read, broken = part_broken(samples, reasons)
    require_few(broken, of=len(samples), allowed=allowed)
    return answer_frames(model, read, frames, progress=progress), read, broken


def judge_forecaster(
    model: Model,
    samples: Sequence[Sample],
    found: Said,
    report: Path | None,
    told: Mapping[str, Any],
    asked: Asked,
) -> ForecastScores:
    """Judge what a forecaster said; of groups, by the squared ratio of their windows."""
    if asked.groups is not None:
        raise InputError("frames of one sequence are kept together already; leave out --groups")
    names = [samples[row].label for row in found.rows[:, 0].tolist()]
    seen = found.given.shape[1]
    scores = _scores(found, names, range(len(names)))
    if asked.by is not None:
        scores = replace(scores, by_group=_by_group(found, names, samples, asked.by))
    if report is not None:
        from saccade.judge.forecast_report import Strips, forecast_report  # Loads the charts.

        last = [samples[row].path.name for row in found.rows[:, seen - 1].tolist()]
        strips = Strips(found.given, found.said, found.truth, names, last)
        extra = sections_of(scores.by_group)
        page = forecast_report(scores, strips, note=asked.note, extra=extra, **told)
        write_atomic(report, page)
    return scores


def _by_group(found: Said, names: Sequence[str], samples: Sequence[Sample], by: str) -> ByGroup:
    """Judge each value of a column by the windows that begin with its frames."""

    def judge(frames: list[int], level: float) -> dict[str, Interval]:
        places = np.flatnonzero(np.isin(found.rows[:, 0], frames)).tolist()
        if len({names[place] for place in places}) < 2:
            return {}
        ratio = _scores(found, names, places, level=level).squared.ratio
        return {} if ratio is None else {"squared ratio": ratio}

    values = column(samples, by)
    return judge_by_group(judge, values, column=by, units="sequences", lower_is_better=True)


def _scores(
    found: Said, names: Sequence[str], places: Sequence[int], *, level: float = LEVEL
) -> ForecastScores:
    """Judge the windows of these places alone."""
    rows = np.asarray(places, np.int64)
    return judge_forecast(
        found.said[rows],
        found.truth[rows],
        found.given[rows, -1],
        sequences=[names[place] for place in places],
        seen=found.given.shape[1],
        level=level,
    )
