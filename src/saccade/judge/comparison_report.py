"""The report of a comparison: is one of two models better on the same pictures?"""

from collections.abc import Mapping

from saccade.judge.comparison import HIGHER, Compared, FigurePair
from saccade.judge.report_frame import framed
from saccade.judge.speed import Speeds
from saccade.judge.wording import UNDEFINED, percent, tile, with_limits
from saccade.report import (
    Chart,
    Charts,
    Part,
    Section,
    Table,
    Text,
    Tiles,
    TradePoint,
    interval_chart,
    trade_chart,
)
from saccade.values import Interval


def comparison_report(
    found: Compared,
    *,
    about: Mapping[str, str] | None = None,
    title: str = "Is one of two models better?",
) -> str:
    """Return one self-contained HTML page. ``about``: rows for the last table."""
    sections = [
        Section("The result", _result(found)),
        Section("The difference", _difference(found)),
    ]
    if found.speeds is not None:
        sections.append(Section("Better or faster", (_trade(found, found.speeds),)))
    return framed(
        title,
        sections,
        method=_method(found),
        history=None,
        about=about,
        subtitle=f"Judged on the same {found.difference.n:,} {found.units}.",
    )


def _result(found: Compared) -> tuple[Part, ...]:
    share, write = found.figure in HIGHER, percent if found.figure in HIGHER else _number
    tiles = tuple(
        tile(f"{name}: {found.figure}", one, write, drawn=share)
        for name, one in (("A", found.a), ("B", found.b))
    )
    sentence = Text(f"{found.sentence[0].upper()}{found.sentence[1:]}.", tone="note")
    parts: list[Part] = [sentence, Tiles(tiles)]
    if found.warning:
        parts.append(Text(f"{found.warning[0].upper()}{found.warning[1:]}.", tone="warning"))
    return tuple(parts)


def _difference(found: Compared) -> tuple[Part, ...]:
    unit, factor = ("points", 100.0) if found.figure in HIGHER else (found.figure, 1.0)
    better = "above" if found.figure in HIGHER else "below"
    gaps = [(one.figure, one.difference) for one in found.figures]
    chart = interval_chart(
        [(name, factor * gap.value, factor * gap.low, factor * gap.high) for name, gap in gaps],
        title="B less A",
        x_label=f"B less A, {unit}; {better} 0 B is better",
    )
    told = Charts((Chart("B less A", chart, "An interval that holds 0 shows no difference."),))
    caption = "In brackets: the interval; differences of shares are in points."
    if found.others:
        caption += (
            " The sentence above is of the first row. The others are told besides: of many figures "
            "one seems to differ by chance more often than one alone."
        )
    head = ("Figure", "A", "B", "B less A", "p")
    rows = [_row(one, factor) for one in found.figures]
    if found.speeds is not None:
        rows.append(_speed_row(found.speeds))
    parts: list[Part] = [told, Table(head, tuple(rows), caption=caption)]
    if found.only_a is not None and found.only_b is not None:
        parts.append(
            Text(
                f"A alone is right on {found.only_a:,} pictures, B alone on {found.only_b:,}; the "
                "other pictures do not tell which is better."
            )
        )
    return tuple(parts)


def _row(one: FigurePair, factor: float) -> tuple[str, ...]:
    write = percent if factor > 1 else _number
    gap = with_limits(one.difference, lambda value: _number(factor * value))
    p = UNDEFINED if one.p is None else f"{one.p:.3g}"
    return one.figure, with_limits(one.a, write), with_limits(one.b, write), gap, p


def _speed_row(found: Speeds) -> tuple[str, ...]:
    a, b, times = (with_limits(one, _number) for one in (found.a, found.b, found.ratio))
    return "Pictures a second", a, b, f"{times} times A's", UNDEFINED


def _trade(found: Compared, speeds: Speeds) -> Charts:
    """The figure that decides against pictures a second."""
    pairs = (("A", speeds.a, found.a), ("B", speeds.b, found.b))
    chart = trade_chart(
        [TradePoint(name, _ends(fast), _ends(good)) for name, fast, good in pairs],
        title=f"{found.figure} against pictures a second",
        x_label="Pictures a second",
        y_label=found.figure,
        percent="y",
    )
    caption = (
        f"Up is better, right is faster. {speeds.sentence}; medians of one picture at a time, from "
        "file to boxes, in turns on the same pictures."
    )
    return Charts((Chart(f"{found.figure} against pictures a second", chart, caption),))


def _ends(one: Interval) -> tuple[float, float, float]:
    return one.value, one.low, one.high


def _number(value: float) -> str:
    return f"{value:.3g}"


def _method(found: Compared) -> tuple[Part, ...]:
    if found.others:
        test = (
            f"Each of the {found.units} is left out once, in both models, and the spread of the "
            "difference makes its interval and p (jackknife, Student's t). Where few of them "
            "differ, the interval is wider."
        )
    else:
        test = (
            f"The {found.units} are drawn with replacement, for both models alike, and the "
            "middle 95 % of the differences are the interval."
        )
    if found.only_a is not None:
        test += (
            " The p is of McNemar's test: of the pictures that one model alone has right, each "
            "should have half. Where it does not tell the models apart, the interval holds 0."
        )
    return (
        Text(test),
        Text(
            f"What is hard is hard for both, so the difference is surer than two intervals that "
            f"overlap suggest. Compare on {found.units} that chose nothing, else the model that "
            "was chosen by them looks better than it is.",
            tone="note",
        ),
    )
