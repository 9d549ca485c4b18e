"""Charts as inline SVG text, of lines, points, shares and intervals.

Series differ in colour and in line style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.report.canvas import (
    COLOURS,
    GRID,
    INK,
    LONGEST_LABEL,
    LONGEST_NAME,
    MUTED,
    SIZE_INCHES,
    drawing,
    empty,
    finish,
    percentages,
)
from saccade.report.text import short

LINES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (4, 1)), (0, (1, 1)))
FEW_POINTS = 25  # up to here every point gets a marker
MARKERS = ("o", "s", "^", "D", "v", "P")
BINS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One line: ``x`` and ``y`` (n,); ``low`` and ``high`` (n,) bound a band around it.

    ``muted`` draws it thin and grey, for what is there to compare with.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    muted: bool = False


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    description: str = "",
    log_x: bool = False,
    percent: str = "",
    y_limits: tuple[float, float] | None = None,
    whole_x: bool = False,
    log_y: bool = False,
    shaded: Sequence[tuple[float, float]] = (),
    shaded_name: str = "",
) -> str:
    """Return an SVG of lines with their bands.

    ``title`` and ``description`` are for those who cannot see it. ``percent``: the axes, "x", "y"
    or "xy", whose values are shares shown as percentages. ``whole_x``: ticks at whole numbers.
    ``shaded``: spans of x behind the lines, all of one name.
    """
    if not series:
        raise InputError(f"chart '{title}' has no series; give at least one")
    with drawing():
        figure, axes = empty(x_label, y_label)
        if log_x:
            axes.set_xscale("log")
        if log_y:
            axes.set_yscale("log")
        _draw(axes, series)
        for number, (start, end) in enumerate(shaded):
            label = shaded_name if number == 0 else None
            axes.axvspan(start, end, color=GRID, alpha=0.6, linewidth=0, zorder=0, label=label)
        if log_x and "x" not in percent:
            _plain_log_ticks(axes.xaxis)
        if log_y:
            _plain_log_ticks(axes.yaxis)
        if y_limits is not None:
            axes.set_ylim(y_limits)
        if whole_x:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        percentages(axes, percent)
        if len(series) > 1 or shaded:
            axes.legend(handlelength=2.6)
        return finish(figure, title, description)


def histogram(
    groups: Sequence[tuple[str, ArrayLike]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    description: str = "",
    line_at: float | None = None,
    line_name: str = "threshold",
) -> str:
    """Return an SVG of the share of each group's values in bins that all groups have in common.

    ``groups``: (name, values) each. ``line_at`` draws a vertical line, named ``line_name``.
    """
    arrays = [(name, np.asarray(values, dtype=np.float64)) for name, values in groups]
    if not arrays or any(array.size == 0 for _, array in arrays):
        raise InputError(f"chart '{title}' has an empty group; every group needs a value")
    edges = _bin_edges(np.concatenate([array for _, array in arrays]))
    with drawing():
        figure, axes = empty(x_label, y_label)
        for place, (name, array) in enumerate(arrays):
            shares = np.histogram(array, edges)[0] / array.size
            colour, line = COLOURS[place % len(COLOURS)], LINES[place % len(LINES)]
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.22)
            axes.stairs(
                shares, edges, label=_label(name), linewidth=1.6, color=colour, linestyle=line
            )
        if line_at is not None:
            axes.axvline(
                line_at, color=INK, linewidth=1.3, linestyle=(0, (1.5, 2)), label=line_name
            )
        axes.set_ylim(bottom=0)
        percentages(axes, "y")
        axes.legend(handlelength=2.6)
        return finish(figure, title, description)


def scatter_chart(
    x: ArrayLike,
    y: ArrayLike,
    *,
    title: str,
    x_label: str,
    y_label: str,
    line: Literal["diagonal", "zero"],
    description: str = "",
) -> str:
    """Return an SVG of the points (x, y), (n,) each, and a line where y is x, or where it is 0."""
    across, up = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if across.ndim != 1 or across.shape != up.shape or across.size == 0:
        raise InputError(f"chart '{title}' needs as many x as y; got {across.shape}, {up.shape}")
    with drawing():
        figure, axes = empty(x_label, y_label)
        axes.plot(across, up, "o", color=COLOURS[0], alpha=0.55, markersize=3.2, markeredgewidth=0)
        if line == "diagonal":
            low, high = min(across.min(), up.min()), max(across.max(), up.max())
            axes.plot([low, high], [low, high], color=INK, linewidth=1.1, linestyle=(0, (1.5, 2)))
        else:
            axes.axhline(0, color=INK, linewidth=1.1, linestyle=(0, (1.5, 2)))
        return finish(figure, title, description)


def interval_chart(
    rows: Sequence[tuple[str, float, float, float]],
    *,
    title: str,
    x_label: str,
    description: str = "",
) -> str:
    """Return an SVG of named values with their intervals, the first on top.

    ``rows``: (name, value, low, high) each.
    """
    if not rows:
        raise InputError(f"chart '{title}' has no row; give at least one")
    values, lows, highs = (np.array([row[place] for row in rows]) for place in (1, 2, 3))
    with drawing():
        figure, axes = empty(x_label, "")
        figure.set_size_inches(SIZE_INCHES[0], max(SIZE_INCHES[1], 0.25 * len(rows) + 0.8))
        places = np.arange(len(rows))
        axes.hlines(places, lows, highs, color=COLOURS[0], alpha=0.45, linewidth=4)
        axes.plot(values, places, "o", color=COLOURS[0], markersize=5)
        axes.set_yticks(places, [short(row[0], LONGEST_NAME) for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        return finish(figure, title, description)


def _bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return BINS + 1 edges; values that differ by rounding only share the middle of a unit."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 * max(1.0, abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _label(name: str) -> str:
    """Matplotlib leaves names with a leading underscore out of the legend; an empty sign helps."""
    shown = short(name, LONGEST_LABEL)
    return f"\N{ZERO WIDTH SPACE}{shown}" if shown.startswith("_") else shown


def _draw(axes: Axes, series: Sequence[Series]) -> None:
    place = 0
    for one in series:
        if one.muted:
            axes.plot(
                one.x, one.y, label=_label(one.name), color=MUTED, linewidth=1.1, linestyle=":"
            )
            continue
        colour = COLOURS[place % len(COLOURS)]
        few = np.size(one.x) <= FEW_POINTS
        axes.plot(
            one.x,
            one.y,
            label=_label(one.name),
            color=colour,
            linestyle=LINES[place % len(LINES)],
            marker=MARKERS[place % len(MARKERS)] if few else None,
            markersize=4,
        )
        if one.low is not None and one.high is not None:
            axes.fill_between(one.x, one.low, one.high, color=colour, alpha=0.18, linewidth=0)
        place += 1


def _plain_log_ticks(axis: Axis) -> None:
    """Numbers such as 0.2 along a logarithmic axis, as many as its decades leave room for."""
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    steps = (1, 1.5, 2, 3, 4, 5, 7) if decades < 1 else (1, 2, 5) if decades < 3 else (1,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.6g}"))
    axis.set_minor_formatter(NullFormatter())
