"""The report on a learning curve: training and held-out score against the size, and the law."""

from collections.abc import Sequence

import numpy as np

from saccade.judge.learning_curve import SHARES, Curve
from saccade.judge.report_frame import framed
from saccade.judge.wording import tile
from saccade.report import (
    Chart,
    Charts,
    Section,
    Series,
    Table,
    Text,
    Tile,
    Tiles,
    line_chart,
)
from saccade.values import Interval

METHOD = (
    "Every model was judged on the same pictures, which none learned from, and on those it did. "
    "Smaller draws lie within the larger ones; every repeat draws anew and has a seed of its own. "
    "The intervals, with 95 % confidence, count both what was drawn to judge on and how trainings "
    "differ (Dorfman, Berbaum, Metz, 1992; Wilson, 1927); that of a gap is Newcombe's, 1998. "
    "Repeats at the full size learn from the same pictures: there, they show the chance of "
    "training alone.",
    "The law is a + b / n^c, the error expected of n (Cortes and others, 1993), fitted to the "
    "means; what it says beyond the largest size is no measurement. It is refitted to means drawn "
    "from their uncertainty, which gives its interval.",
)
EMBED_METHOD = (
    "Classes learned from are searched in galleries of as many classes as were held out, as far as "
    "they go: the more there are, the harder they are to tell apart."
)


def learning_curve_report(curve: Curve, *, data: str) -> str:
    """Return one self-contained HTML page."""
    head, *rows = figure_rows(curve)
    repeats = len(curve.points[0].scores)
    method = (*METHOD, EMBED_METHOD) if curve.figure == "rank-1" else METHOD
    sections = [
        Section("What it shows", (*(Text(one) for one in curve.sentences), Tiles(_tiles(curve)))),
        Section("The curve", (Charts((_chart(curve),)), Table(head, tuple(rows)))),
        Section("Every training", (_trainings(curve),)),
    ]
    return framed(
        "Learning curve",
        sections,
        method=tuple(Text(one) for one in method),
        history=None,
        about=None,
        subtitle=f"{len(curve.points)} sizes, {repeats} trainings each, of {data}",
    )


def figure_rows(curve: Curve) -> list[tuple[str, ...]]:
    """Return every size as a row of text, the head first."""
    with_law = curve.points[0].law is not None
    law = ("law",) if with_law else ()
    head = ("size", curve.drawn, f"training {curve.figure}", f"held-out {curve.figure}", *law)
    rows = [
        (
            f"{one.size:g}",
            str(one.n),
            str(one.train),
            str(one.held),
            *([f"{one.law:.3f}"] if one.law is not None else []),
        )
        for one in curve.points
    ]
    if curve.twice is not None:
        last = curve.points[-1]
        rows.append((f"{2 * last.size:g}", str(2 * last.n), "–", "–", str(curve.twice)))
    return [head, *rows]


def _tiles(curve: Curve) -> tuple[Tile, ...]:
    last, drawn = curve.points[-1], curve.figure in SHARES
    named: Sequence[tuple[str, Interval | None, bool]] = (
        (f"Held-out {curve.figure}", last.held, drawn),
        (f"Training {curve.figure}", last.train, drawn),
        ("Gap", curve.gap, False),
        ("On what chose the epoch", curve.validation, drawn),
        ("Expected of twice as many", curve.twice, drawn),
    )
    return tuple(
        tile(name, found, lambda value: f"{value:.3f}", drawn=drawn)
        for name, found, drawn in named
        if found is not None
    )


def _chart(curve: Curve) -> Chart:
    n = [one.n for one in curve.points]
    series = [
        _band("held out", n, [one.held for one in curve.points]),
        _band("learned from", n, [one.train for one in curve.points]),
    ]
    laws = [one.law for one in curve.points if one.law is not None]
    if curve.twice is not None:
        twice = curve.twice
        end = 2 * n[-1]
        series.append(Series("law", [*n, end], [*laws, twice.value], muted=True))
        series.append(Series("expected of twice", [end, end], [twice.low, twice.high]))
    title = f"{curve.figure} against {curve.drawn} learned from"
    svg = line_chart(
        series,
        title=title,
        x_label=f"{curve.drawn} learned from".capitalize(),
        y_label=curve.figure,
        description="Two lines with their bands: scores on what was held out, and learned from.",
        log_x=len(n) > 1,
    )
    return Chart(title, svg, "Bands are 95 % intervals.")


def _band(name: str, n: Sequence[int], found: Sequence[Interval]) -> Series:
    value, low, high = np.array([(one.value, one.low, one.high) for one in found]).T
    return Series(name, n, value, low, high)


def _trainings(curve: Curve) -> Table:
    repeats = range(1, len(curve.points[0].scores) + 1)
    head = ("size", *(f"repeat {number}" for number in repeats))
    rows = [(f"{one.size:g}", *(f"{score:.3f}" for score in one.scores)) for one in curve.points]
    return Table(head, tuple(rows), caption=f"held-out {curve.figure}")
