"""The report of a regressor: its scores as one page that a non-expert can read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saccade.judge.regression import RegressionScores, TargetScore, WorstEstimate
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.wording import decimal, file_name, limits, percent, picture_uri, tile
from saccade.report import (
    Chart,
    Charts,
    Part,
    Picture,
    PictureSheet,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
    scatter_chart,
)
from saccade.values import Float64Array, Interval, Sample, UInt8Array

NONE = "–"
MOST_TARGETS = 6  # whose charts are drawn, and which are written below a picture
MOST_POINTS = 1500  # of a chart; more make a heavy page and cannot be told apart


def regression_report(
    scores: RegressionScores,
    *,
    pictures: Sequence[UInt8Array | Path | Sample],
    history: Sequence[Mapping[str, Any]] | None = None,
    about: Mapping[str, str] | None = None,
    note: str = "",
    extra: Sequence[Section] = (),
    title: str = "How near this regressor's numbers are",
) -> str:
    """Return one self-contained HTML page.

    ``pictures``: those judged, in the same order, as (H, W, 3) uint8, files or samples; only those
    shown are read. ``history``: training records, see ``history_charts``. ``note``: what the
    reader must know of these pictures. ``about``: rows for the last table.
    ``extra``: sections before the largest errors.
    """
    require_those_judged(pictures, scores.pictures)
    sections = [
        Section("The result", _summary(scores, note)),
        Section("Estimated and true", _charts(scores)),
        *extra,
        Section("The largest errors", _worst(scores, pictures)),
    ]
    subtitle = f"Judged on {scores.basis}."
    return framed(
        title,
        sections,
        method=_method(scores),
        history=history,
        about=about,
        subtitle=subtitle,
    )


def number(value: float) -> str:
    """Write a number of any unit, with four digits."""
    return f"{value:.4g}"


def _summary(scores: RegressionScores, note: str) -> tuple[Part, ...]:
    parts: list[Part] = [Tiles(tiles)] if (tiles := _tiles(scores)) else []
    if len(scores.per_target) == 1:
        (one,) = scores.per_target
        parts.append(
            Text(
                f"An estimate of “{one.name}” is wrong by {number(one.mae.value)} on average; with "
                f"{percent(one.mae.level, 0)} confidence by {limits(one.mae, number)}. The truth "
                f"is {number(one.mean)} on average, with a deviation of {number(one.deviation)}."
            )
        )
    else:
        parts.append(_per_target(scores))
    if note:
        parts.append(Text(note, tone="note"))
    if scores.warning:
        parts.append(Text(f"{scores.warning[0].upper()}{scores.warning[1:]}.", tone="warning"))
    return tuple(parts)


def _tiles(scores: RegressionScores) -> tuple[Tile, ...]:
    alone = len(scores.per_target) == 1
    name = "Variance explained (R²)" if alone else "Variance explained, mean (R²)"
    shares = () if scores.r2 is None else (_share_tile(name, scores.r2),)
    if not alone:
        return shares
    return (
        tile("Mean absolute error (MAE)", scores.mae, number, drawn=False),
        tile("Root mean squared error (RMSE)", scores.rmse, number, drawn=False),
        *shares,
    )


def _share_tile(label: str, found: Interval) -> Tile:
    """R² has no lowest value, so that its bar is drawn only where it is a share."""
    return tile(label, found, decimal, drawn=found.low >= 0)


def _per_target(scores: RegressionScores) -> Table:
    rows = [
        (
            one.name,
            _with_limits(one.mae),
            _with_limits(one.rmse),
            _with_limits(one.r2, decimal),
            number(one.mean),
            number(one.deviation),
        )
        for one in _hardest_first(scores)
    ]
    head = ("Target", "MAE", "RMSE", "R²", "Mean", "Deviation")
    caption = (
        "Lowest R² first. Errors, mean and deviation of the truth are in each target's unit. In "
        f"brackets: the {percent(scores.mae.level, 0)} interval."
    )
    return Table(head, tuple(rows), caption=caption)


def _hardest_first(scores: RegressionScores) -> list[TargetScore]:
    return sorted(scores.per_target, key=lambda one: -np.inf if one.r2 is None else one.r2.value)


def _with_limits(found: Interval | None, write: Callable[[float], str] = number) -> str:
    return NONE if found is None else f"{write(found.value)} ({limits(found, write)})"


def _charts(scores: RegressionScores) -> tuple[Part, ...]:
    places = {one.name: place for place, one in enumerate(scores.per_target)}
    shown = _hardest_first(scores)[:MOST_TARGETS]
    rows = np.arange(scores.pictures)
    parts: list[Part] = []
    if scores.pictures > MOST_POINTS:
        rows = np.random.default_rng(scores.seed).choice(rows, MOST_POINTS, replace=False)
        parts.append(Text(f"Shown are {MOST_POINTS:,} of the pictures, drawn by lot."))
    if len(shown) < len(scores.per_target):
        parts.append(Text(f"Shown are the {len(shown)} targets of lowest R²."))
    for one in shown:
        truth, said = (
            values[rows, places[one.name]] for values in (scores.truth, scores.estimates)
        )
        parts.append(Charts(_charts_of(one, truth, said)))
    return tuple(parts)


def _charts_of(one: TargetScore, truth: Float64Array, said: Float64Array) -> tuple[Chart, Chart]:
    return (
        Chart(
            f"{one.name}: estimated against true",
            scatter_chart(
                truth,
                said,
                title=f"{one.name}: estimated against true",
                description=f"RMSE {_with_limits(one.rmse)}, R² {_with_limits(one.r2)}.",
                x_label=f"True {one.name}",
                y_label=f"Estimated {one.name}",
                line="diagonal",
            ),
            "A point a picture. On the dotted line the estimate is right.",
        ),
        Chart(
            f"{one.name}: what is left",
            scatter_chart(
                said,
                said - truth,
                title=f"{one.name}: residuals",
                description=f"MAE {_with_limits(one.mae)}.",
                x_label=f"Estimated {one.name}",
                y_label="Estimate minus truth",
                line="zero",
            ),
            "Residuals. A slope or a bend shows what was not learned; a fan, that large numbers "
            "are less sure.",
        ),
    )


def _worst(
    scores: RegressionScores, pictures: Sequence[UInt8Array | Path | Sample]
) -> tuple[Part, ...]:
    names = [one.name for one in scores.per_target]

    def card(one: WorstEstimate) -> tuple[Picture, ...]:
        source = pictures[one.picture]
        details = [
            f"{'' if len(names) == 1 else f'{name} '}{number(said)}, true {number(true)}"
            for name, said, true in zip(names, one.estimate, one.truth, strict=True)
        ][:MOST_TARGETS]
        name = file_name(source, one.picture)
        return (Picture(picture_uri(source), "Estimated", details[0], (*details[1:], name), "bad"),)

    mean = "" if len(names) == 1 else ", in deviations of each target, averaged over them"
    intro = (
        f"Shown are the {len(scores.worst)} pictures whose numbers are farthest from the truth"
        f"{mean}. Look for truth that is wrong, and for what these pictures have in common."
    )
    return Text(intro), PictureSheet(tuple(card(one) for one in scores.worst))


def _method(scores: RegressionScores) -> tuple[Part, ...]:
    drawn = "the pictures" if scores.groups is None else f"the {scores.groups:,} groups of pictures"
    return (
        Text(
            "The mean absolute error (MAE) is the average distance from estimate to truth; the "
            "root mean squared error (RMSE) counts large errors more. R² is the share of the "
            "truth's variance that the estimates explain: 1 is perfect, 0 is as good as always "
            "answering the mean, below 0 is worse."
        ),
        Text(
            f"Intervals: {drawn} are drawn again with replacement {scores.resamples:,} times (seed "
            f"{scores.seed}), and the spread of the figure makes its interval. Where several "
            "pictures of one object or one scene are judged, they err together: name the column "
            "that says so with --groups, or the true intervals are wider."
        ),
        Text(
            "These figures hold for pictures like these, with numbers as spread as here. They "
            "flatter the regressor if it was trained on any of these pictures. Far outside of the "
            "numbers that it has learned from its estimates say little.",
            tone="note",
        ),
    )
