"""The report of a forecaster: its scores, and strips of frames that came above those it said."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from saccade.judge.forecast import ErrorScore, ForecastScores
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.wording import UNDEFINED, decimal, percent, tile, with_limits
from saccade.report import (
    Chart,
    Charts,
    Part,
    Picture,
    PictureSheet,
    Section,
    Series,
    Table,
    Text,
    Tiles,
    data_uri,
    line_chart,
)
from saccade.values import Float64Array, UInt8Array

SHOWN = 12  # strips of a page
FRAME_SIDE = 96  # pixels of a frame's longer side in a strip, about
GAP, PAPER = 4, 255  # pixels between frames, and what shows there
METHOD = (
    "Each sequence is gone through window by window, so that every frame after the first ones is "
    "said once. From the second frame ahead on, it is said from those said before it.",
    "The squared error is the mean of (said - true)², the absolute error that of |said - true|, "
    "over all pixels and colours, black 0 and white 1. A ratio is such an error divided by that of "
    "who says the last frame seen again and again: below 1 is better than that.",
)


class Strips(NamedTuple):
    """The frames of n windows, (…, c, H, W) uint8: ``given`` (n, seen, …), ``said``, ``truth``.

    ``said`` and ``truth`` are (n, ahead, …); ``sequences`` names where each window comes from,
    ``last`` the file of the last frame given.
    """

    given: UInt8Array
    said: UInt8Array
    truth: UInt8Array
    sequences: Sequence[str]
    last: Sequence[str]


def forecast_report(
    scores: ForecastScores,
    strips: Strips,
    *,
    history: Sequence[Mapping[str, Any]] | None = None,
    about: Mapping[str, str] | None = None,
    note: str = "",
    extra: Sequence[Section] = (),
    title: str = "How near the frames are that this forecaster says",
) -> str:
    """Return one self-contained HTML page.

    ``strips``: those judged, in the same order. ``history``: training records, see
    ``history_charts``. ``note``: what the reader must know of these sequences. ``about``: rows for
    the last table. ``extra``: sections before the strips.
    """
    require_those_judged(strips.last, scores.windows)
    worst, others = chosen(scores.errors, strips.sequences)
    sections = [
        Section("The result", _summary(scores, note)),
        Section("Frame by frame", _steps(scores)),
        *extra,
        Section("The largest errors", (_legend(scores), _sheet(scores, strips, worst, "bad"))),
        Section("From good to bad", (_sheet(scores, strips, others, "plain"),)),
    ]
    drawn = scores.squared.error
    method = (
        *METHOD,
        f"Intervals hold the figure with {percent(drawn.level, 0)} confidence: whole sequences "
        f"were resampled {scores.resamples:,} times, since windows of one are alike.",
    )
    return framed(
        title,
        sections if others else sections[:-1],
        method=tuple(Text(text) for text in method),
        history=history,
        about=about,
        subtitle=f"Judged on {scores.basis}.",
    )


def chosen(errors: Float64Array, sequences: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the windows to show: those of largest error, then others from the best on.

    No sequence twice among the first, and half of SHOWN of each at most.
    """
    order = np.argsort(-errors, kind="stable").tolist()
    first: dict[str, int] = {}
    for row in order:
        first.setdefault(sequences[row], row)
    worst = list(first.values())[: SHOWN // 2]
    rest = [row for row in order[::-1] if row not in worst]
    places = np.linspace(0, len(rest) - 1, min(SHOWN // 2, len(rest))).round().astype(int)
    return worst, [rest[place] for place in dict.fromkeys(places.tolist())]


def strip(given: UInt8Array, said: UInt8Array, truth: UInt8Array) -> UInt8Array:
    """Return one picture (H, W, 3): the frames that came, and below the true ones those said.

    Frames are (t, c, H, W); small ones are made larger by a whole number.
    """
    seen = len(given)
    came = np.concatenate([given, truth])
    height, width = came.shape[2:]
    factor = max(1, round(FRAME_SIDE / max(height, width)))
    rows, columns = height * factor + GAP, width * factor + GAP
    sheet = np.full((2 * rows - GAP, len(came) * columns - GAP, 3), PAPER, np.uint8)
    for row, place, frame in [
        *((0, place, frame) for place, frame in enumerate(came)),
        *((1, seen + place, frame) for place, frame in enumerate(said)),
    ]:
        large = frame.transpose(1, 2, 0).repeat(factor, axis=0).repeat(factor, axis=1)
        top, left = row * rows, place * columns
        sheet[top : top + large.shape[0], left : left + large.shape[1]] = large
    return sheet


def _summary(scores: ForecastScores, note: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    tiles = tuple(
        tile(name, one.ratio, decimal, drawn=one.ratio.high <= 1)
        for name, one in (
            ("Squared error ÷ that of repeating", scores.squared),
            ("Absolute error ÷ that of repeating", scores.absolute),
        )
        if one.ratio is not None
    )
    if tiles:
        parts.append(Tiles(tiles))
    parts.append(Text(_sentence(scores)))
    if note:
        parts.append(Text(note, tone="note"))
    if scores.warning:
        parts.append(Text(f"{scores.warning[0].upper()}{scores.warning[1:]}.", tone="warning"))
    return tuple(parts)


def _sentence(scores: ForecastScores) -> str:
    found = scores.squared.ratio
    if found is None:
        return "Nothing moves in these sequences: who repeats the last frame makes no error."
    return (
        f"Who says the last frame again has a squared error of {number(scores.squared.repeated)}; "
        f"this forecaster has {number(scores.squared.error)}, {percent(found.value, 0)} of it."
    )


def number(found: Any) -> str:
    """Write the value of a figure with three digits."""
    return f"{found.value:.3g}"


def _steps(scores: ForecastScores) -> tuple[Part, ...]:
    rows = [
        (
            f"{one.ahead}",
            number(one.squared.error),
            _ratio(one.squared),
            number(one.absolute.error),
            _ratio(one.absolute),
        )
        for one in scores.steps
    ]
    head = (
        "Frames ahead",
        "Squared error",
        "Ratio",
        "Absolute error",
        "Ratio",
    )
    table = Table(
        head,
        tuple(rows),
        caption="Ratio: the error divided by that of repeating the last frame; its interval.",
    )
    return (table, Charts((_chart(scores),))) if len(scores.steps) > 1 else (table,)


def _ratio(one: ErrorScore) -> str:
    return UNDEFINED if one.ratio is None else with_limits(one.ratio, decimal)


def _chart(scores: ForecastScores) -> Chart:
    ahead = [one.ahead for one in scores.steps]
    found = [one.squared for one in scores.steps]
    series = [
        Series(
            "this forecaster",
            ahead,
            [one.error.value for one in found],
            [one.error.low for one in found],
            [one.error.high for one in found],
        ),
        Series(
            "repeating the last frame", ahead, [one.repeated.value for one in found], muted=True
        ),
    ]
    title = "Squared error, frames ahead"
    svg = line_chart(
        series,
        title=title,
        x_label="Frames ahead",
        y_label="Squared error",
        whole_x=True,
    )
    return Chart(title, svg, "Lower is better.")


def _legend(scores: ForecastScores) -> Text:
    return Text(
        f"Each strip is a window. Above: the {scores.seen} frames that were given, then those that "
        "came. Below these: those that were said."
    )


def _sheet(scores: ForecastScores, strips: Strips, rows: Sequence[int], tone: Any) -> PictureSheet:
    groups = []
    for row in rows:
        drawn = strip(strips.given[row], strips.said[row], strips.truth[row])
        uri = data_uri(drawn, longest_side=max(drawn.shape), kind="png")
        detail = (f"after {strips.last[row]}", f"squared error {scores.errors[row]:.3g}")
        groups.append((Picture(uri, "Came, and said", strips.sequences[row], detail, tone),))
    return PictureSheet(tuple(groups), filled=True)
