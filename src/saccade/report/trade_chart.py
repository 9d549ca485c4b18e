"""A chart of few named points, each with an interval across and one up: better against faster."""

from collections.abc import Sequence
from typing import NamedTuple

from saccade.errors import InputError
from saccade.report.canvas import COLOURS, LONGEST_LABEL, drawing, empty, finish, percentages
from saccade.report.charts import MARKERS
from saccade.report.text import short

Ends = tuple[float, float, float]  # value, low, high


class TradePoint(NamedTuple):
    """A point by its name; ``x`` and ``y``: value, low and high each."""

    name: str
    x: Ends
    y: Ends


def trade_chart(
    points: Sequence[TradePoint],
    *,
    title: str,
    x_label: str,
    y_label: str,
    percent: str = "",
    description: str = "",
) -> str:
    """Return an SVG of the points with their intervals; x begins at 0.

    ``percent``: the axes, "x", "y" or "xy", whose values are shares.
    """
    if not points:
        raise InputError(f"chart '{title}' has no point; give at least one")
    with drawing():
        figure, axes = empty(x_label, y_label)
        for number, one in enumerate(points):
            axes.errorbar(
                one.x[0],
                one.y[0],
                xerr=_reach(one.x),
                yerr=_reach(one.y),
                color=COLOURS[number % len(COLOURS)],
                fmt=MARKERS[number % len(MARKERS)],
                markersize=5,
                capsize=3,
                label=f"\N{ZERO WIDTH SPACE}{short(one.name, LONGEST_LABEL)}",
            )
        axes.set_xlim(left=0)
        percentages(axes, percent)
        axes.legend(handlelength=2.6)
        return finish(figure, title, description)


def _reach(ends: Ends) -> list[list[float]]:
    value, low, high = ends
    return [[max(0.0, value - low)], [max(0.0, high - value)]]
