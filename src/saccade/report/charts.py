"""Charts as inline SVG text; the one file that imports matplotlib.

Text stays text and colours are CSS variables with a fallback, so that a chart follows the page
between light and dark, and prints. Series differ in colour and in line style. Colours: M. Okabe
and K. Ito, "Color Universal Design" (2008). The same input gives the same bytes.
"""

import io
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.report.svg import tidy

SIZE_INCHES = (4.8, 3.2)
INK, GRID, MUTED, PAPER = "#22262a", "#dcdfe2", "#6b7278", "#fefefe"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a3508a", "#b07900", "#2f8fc9")
LINES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (4, 1)), (0, (1, 1)))
FEW_POINTS = 25  # up to here every point gets a marker
MARKERS = ("o", "s", "^", "D", "v", "P")
BINS = 50
MOST_RATES, FEW_CLASSES, MOST_NAMES, LONGEST_NAME = 10, 15, 120, 20  # of a confusion matrix
WIDEST_INCHES = 11.0
SHADES = 8
VARIABLES = {
    INK: "--chart-ink",
    GRID: "--chart-grid",
    MUTED: "--chart-muted",
    PAPER: "--chart-paper",
    **{colour: f"--chart-{number}" for number, colour in enumerate(COLOURS, 1)},
}
SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "saccade",
    "text.parse_math": False,  # a class may be called $x$
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "font.size": 9.5,
    "legend.fontsize": 9,
    "legend.facecolor": PAPER,
    "legend.edgecolor": PAPER,
    "legend.framealpha": 0.85,
    "lines.linewidth": 1.9,
}
_MATPLOTLIB = threading.Lock()  # its settings are global


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
    with _MATPLOTLIB, mpl.rc_context(_settings()):
        figure, axes = _empty(x_label, y_label)
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
        _percentages(axes, percent)
        if len(series) > 1 or shaded:
            axes.legend(handlelength=2.6)
        return _finish(figure, title, description)


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
    with _MATPLOTLIB, mpl.rc_context(_settings()):
        figure, axes = _empty(x_label, y_label)
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
        _percentages(axes, "y")
        axes.legend(handlelength=2.6)
        return _finish(figure, title, description)


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
    with _MATPLOTLIB, mpl.rc_context(_settings()):
        figure, axes = _empty(x_label, y_label)
        axes.plot(across, up, "o", color=COLOURS[0], alpha=0.55, markersize=3.2, markeredgewidth=0)
        if line == "diagonal":
            low, high = min(across.min(), up.min()), max(across.max(), up.max())
            axes.plot([low, high], [low, high], color=INK, linewidth=1.1, linestyle=(0, (1.5, 2)))
        else:
            axes.axhline(0, color=INK, linewidth=1.1, linestyle=(0, (1.5, 2)))
        return _finish(figure, title, description)


def confusion_chart(
    counts: ArrayLike, names: Sequence[str], *, title: str, description: str = ""
) -> str:
    """Return an SVG of a confusion matrix, (k, k) counts: row the true class, column the answer.

    The stronger the colour, the larger a cell's share of its row; right answers and mistakes
    differ in colour. Up to FEW_CLASSES the counts stand in the cells, up to MOST_RATES their share
    of the row too. Cells of one shade are one shape, so that a hundred classes stay a small
    file; above MOST_NAMES not every class is named.
    """
    matrix = np.asarray(counts)
    k = len(names)
    if k == 0 or matrix.shape != (k, k):
        raise InputError(f"chart '{title}' needs ({k}, {k}) counts; got shape {matrix.shape}")
    rates = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(max(SIZE_INCHES[0], 0.28 * k + 1.5), WIDEST_INCHES)
    size = min(9.5, 0.8 * 72 * (side - 1.5) / k)  # points: what fits beside a row
    with _MATPLOTLIB, mpl.rc_context(_settings()):
        figure, axes = _empty("Answered", "True class")
        figure.set_size_inches(side, side)
        axes.grid(False)
        _draw_cells(axes, rates)
        if k <= FEW_CLASSES:
            _write_counts(axes, matrix, rates, size=min(size, 8.5))
        every = -(-k // MOST_NAMES)
        places, texts = range(0, k, every), [_short(name) for name in names[::every]]
        axes.set_xticks(places, texts, rotation=90, fontsize=min(9.5, size * every))
        axes.set_yticks(places, texts, fontsize=min(9.5, size * every))
        axes.tick_params(length=0, pad=2)
        axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), aspect="equal")
        for spine in axes.spines.values():
            spine.set_visible(True)
        return _finish(figure, title, description)


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
    with _MATPLOTLIB, mpl.rc_context(_settings()):
        figure, axes = _empty(x_label, "")
        figure.set_size_inches(SIZE_INCHES[0], max(SIZE_INCHES[1], 0.25 * len(rows) + 0.8))
        places = np.arange(len(rows))
        axes.hlines(places, lows, highs, color=COLOURS[0], alpha=0.45, linewidth=4)
        axes.plot(values, places, "o", color=COLOURS[0], markersize=5)
        axes.set_yticks(places, [_short(row[0]) for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        return _finish(figure, title, description)


def _write_counts(
    axes: Axes, matrix: NDArray[np.generic], rates: NDArray[np.float64], *, size: float
) -> None:
    for row, column in zip(*np.nonzero(matrix), strict=True):
        text = f"{matrix[row, column]:,}"
        if len(matrix) <= MOST_RATES:
            text += f"\n{100 * rates[row, column]:.0f}\N{NO-BREAK SPACE}%"
        axes.text(column, row, text, ha="center", va="center", fontsize=size)


def _draw_cells(axes: Axes, rates: NDArray[np.float64]) -> None:
    """Each shade is one path; faint lines, every tenth in a large one, lead the eye."""
    k = len(rates)
    for place in range(0, k, 10 if k > FEW_CLASSES else 1):
        axes.axhline(place - 0.5, color=GRID, linewidth=0.6, zorder=0)
        axes.axvline(place - 0.5, color=GRID, linewidth=0.6, zorder=0)
    shades = np.ceil(np.sqrt(rates) * SHADES).astype(int)  # a root, or rare mistakes vanish
    diagonal = np.eye(k, dtype=bool)
    for colour, chosen in ((COLOURS[0], diagonal), (COLOURS[1], ~diagonal)):
        for shade in range(1, SHADES + 1):
            rows, columns = np.nonzero(chosen & (shades == shade))
            if len(rows):
                corners = [
                    point
                    for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
                    for point in _square(column, row)
                ]
                codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY] * len(rows)
                alpha = 0.08 + 0.72 * shade / SHADES
                axes.add_patch(
                    PathPatch(Path(corners, codes), facecolor=colour, alpha=alpha, linewidth=0)
                )


def _square(x: float, y: float) -> list[tuple[float, float]]:
    r = 0.47
    return [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r), (x - r, y - r)]


def _short(name: str) -> str:
    """A name that fits; what of a folder's name is no UTF-8 is written as an escape."""
    name = name.encode(errors="backslashreplace").decode()
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return BINS + 1 edges; values that differ by rounding only share the middle of a unit."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 * max(1.0, abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _label(name: str) -> str:
    """Matplotlib leaves names with a leading underscore out of the legend; an empty sign helps."""
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


def _settings() -> dict[Any, Any]:
    """Matplotlib's own settings under ours, so that a file in the user's home changes nothing."""
    machine = ("backend", "interactive", "toolbar", "webagg")
    plain = {
        key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(machine)
    }
    return {**plain, **SETTINGS}


def _empty(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.margins(x=0.02)
    return figure, axes


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


def _percentages(axes: Axes, which: str) -> None:
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if name in which:
            axis.set_major_formatter(FuncFormatter(_percent))


def _percent(share: float, _place: object) -> str:
    return f"{100 * share:.6g}\N{NO-BREAK SPACE}%"


def _finish(figure: Figure, title: str, description: str) -> str:
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():
        # The browser draws the text, with fonts that matplotlib does not have.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    return tidy(buffer.getvalue(), title=title, description=description, variables=VARIABLES)
