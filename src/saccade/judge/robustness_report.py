"""The report on robustness: a curve a disturbance, and what the model was shown."""

from collections.abc import Mapping

import numpy as np

from saccade.augment.disturbances import DISTURBANCES
from saccade.judge.drops import SHARES, worse_text
from saccade.judge.report_frame import framed
from saccade.judge.robustness import Curve, Robustness
from saccade.judge.wording import limits, percent, tile
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
    Tile,
    Tiles,
    data_uri,
    line_chart,
)
from saccade.values import Interval, UInt8Array

NONE = "–"
Examples = Mapping[str, Mapping[float, UInt8Array]]


def robustness_report(
    found: Robustness, *, examples: Examples, about: Mapping[str, str] | None = None
) -> str:
    """Return one self-contained HTML page.

    ``examples``: a picture, (H, W) or (H, W, 3) uint8, by disturbance and strength. ``about``: rows
    for the last table.
    """
    charts = tuple(_chart(found, place) for place in range(len(found.curves)))
    sections = [
        Section("The result", _summary(found)),
        Section("Curves", (Charts(charts),)),
        Section("What the model was shown", _examples(examples)),
        Section("Every strength", (_every(found),)),
    ]
    return framed(
        "How this model stands disturbances",
        sections,
        method=_method(found),
        history=None,
        about=about,
        subtitle=f"Judged on {found.pictures:,} pictures, by {found.figure}.",
    )


def _write(found: Robustness, value: float) -> str:
    return percent(value) if found.figure in SHARES else f"{value:.4g}"


def _summary(found: Robustness) -> tuple[Part, ...]:
    def one(label: str, interval: Interval) -> Tile:
        share = found.figure in SHARES
        return tile(label, interval, lambda v: _write(found, v), drawn=share)

    tiles = [
        one(f"Undisturbed ({found.figure})", found.undisturbed),
        one("Mean over all disturbances", found.mean),
    ]
    if found.nearest is not None:
        tiles.append(one("The same, nearest neighbour on pixels", found.nearest.mean))
    sentence = f"{found.sentence[0].upper()}{found.sentence[1:]}."
    nearest = {curve.disturbance: curve for curve in found.nearest.curves} if found.nearest else {}
    head = ("Disturbance", "Mean", "Nearest on pixels", "What is shown")
    rows = [
        (
            curve.disturbance,
            _write(found, curve.mean.value),
            _write(found, nearest[curve.disturbance].mean.value) if nearest else NONE,
            curve.sentence,
        )
        for curve in found.curves
    ]
    notes = [Text(f"{note[0].upper()}{note[1:]}.", tone="note") for note in found.notes]
    caption = "Means are over the four strengths; in brackets the 95 % interval."
    return Tiles(tuple(tiles)), Text(sentence), *notes, Table(head, tuple(rows), caption=caption)


def _chart(found: Robustness, place: int) -> Chart:
    curve = found.curves[place]
    lines = [_series("this model", curve)]
    if found.nearest is not None:
        lines.append(_series("nearest on pixels", found.nearest.curves[place]))
    share = found.figure in SHARES
    svg = line_chart(
        lines,
        title=f"{found.figure} against {curve.disturbance}",
        description=f"{curve.sentence}.",
        x_label=f"{curve.disturbance}: {curve.unit}",
        y_label=found.figure,
        percent="y" if share else "",
        y_limits=(-0.02, 1.02) if share else None,
    )
    at = f"undisturbed at {curve.undisturbed:g}"
    return Chart(curve.disturbance.capitalize(), svg, f"{curve.sentence.capitalize()} ({at}).")


def _series(name: str, curve: Curve) -> Series:
    columns = [
        (point.strength, point.score.value, point.score.low, point.score.high)
        for point in curve.points
    ]
    return Series(name, *np.array(columns).T)


def _examples(examples: Examples) -> tuple[Part, ...]:
    groups = tuple(
        tuple(
            Picture(data_uri(picture, kind="png"), name, _strength(name, strength))
            for strength, picture in by_strength.items()
        )
        for name, by_strength in examples.items()
    )
    intro = (
        "The first picture judged, at the size that the model sees. Where you could not tell what "
        "it shows, the model cannot be expected to."
    )
    return Text(intro), PictureSheet(groups)


def _strength(name: str, strength: float) -> str:
    row = DISTURBANCES[name]
    return "undisturbed" if strength == row.undisturbed else row.at.format(strength)


def _every(found: Robustness) -> Table:
    rows = []
    for place, curve in enumerate(found.curves):
        beside = found.nearest.curves[place].points if found.nearest else curve.points
        for point, other in zip(curve.points, beside, strict=True):
            rows.append(
                (
                    f"{curve.disturbance} {point.strength:g}",
                    _with_limits(found, point.score),
                    worse_text(point.worse, found.figure),
                    _with_limits(found, other.score) if found.nearest else NONE,
                    worse_text(other.worse, found.figure) if found.nearest else NONE,
                )
            )
    head = ("Strength", found.figure.capitalize(), "Worse by", "Nearest on pixels", "Worse by")
    return Table(head, tuple(rows), caption="In brackets: the 95 % interval.")


def _with_limits(found: Robustness, one: Interval) -> str:
    def write(value: float) -> str:
        return _write(found, value)

    return f"{write(one.value)} ({limits(one, write)})"


def _method(found: Robustness) -> tuple[Part, ...]:
    return (
        Text(
            "Pictures are decoded and brought to the model's size, and then disturbed. Direction, "
            "place and pattern are drawn once for each picture, so that every strength, and both "
            "who answer, meet the same. Where a moved picture ends, its edge is repeated. Each "
            "disturbance comes alone, after Hendrycks and Dietterich, ICLR 2019."
        ),
        Text(
            "Of searches, the enrolled pictures stay undisturbed. "
            "The nearest neighbour on pixels gives the answer of the one picture whose values "
            "differ least: it shows what is gained by features."
        ),
        Text(
            "How much worse a strength is stands on the same pictures undisturbed: their "
            f"differences are resampled, by {found.units}. Each interval stands for itself: of "
            "twenty strengths that change nothing, one would be called a fall by chance."
        ),
        Text(
            "These figures hold for pictures like these. That a model stands these disturbances "
            "does not say that it stands others, or two at once.",
            tone="note",
        ),
    )
