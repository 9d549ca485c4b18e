"""What every chart is drawn on: one look, and SVG text that follows the page.

Text stays text and colours are CSS variables with a fallback, so that a chart follows the page
between light and dark, and prints. Colours: M. Okabe and K. Ito, "Color Universal Design" (2008).
The same input gives the same bytes.
"""

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saccade.report.svg import tidy
from saccade.report.text import LONGEST, LONGEST_TEXT, short

SIZE_INCHES = (4.8, 3.2)
INK, GRID, MUTED, PAPER = "#22262a", "#dcdfe2", "#6b7278", "#fefefe"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a3508a", "#b07900", "#2f8fc9")
LONGEST_NAME, LONGEST_LABEL = 20, 80  # letters, beside an axis; along it, and in a legend
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


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw and finish within: one chart at a time has matplotlib, with our settings."""
    with _MATPLOTLIB, mpl.rc_context(_settings()):
        yield


def empty(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Return a figure and its axes, named."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(short(x_label, LONGEST_LABEL))
    axes.set_ylabel(short(y_label, LONGEST_LABEL))
    axes.margins(x=0.02)
    return figure, axes


def percentages(axes: Axes, which: str) -> None:
    """Show the values of the axes in ``which``, "x", "y" or "xy", as percentages."""
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if name in which:
            axis.set_major_formatter(FuncFormatter(_percent))


def _percent(share: float, _place: object) -> str:
    return f"{100 * share:.6g}\N{NO-BREAK SPACE}%"


def finish(figure: Figure, title: str, description: str) -> str:
    """Return the figure as SVG; title and description are for those who cannot see it."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():
        # The browser draws the text, with fonts that matplotlib does not have.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    return tidy(
        buffer.getvalue(),
        title=short(title, LONGEST),
        description=short(description, LONGEST_TEXT),
        variables=VARIABLES,
    )


def _settings() -> dict[Any, Any]:
    """Matplotlib's own settings under ours, so that a file in the user's home changes nothing."""
    machine = ("backend", "interactive", "toolbar", "webagg")
    plain = {
        key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(machine)
    }
    return {**plain, **SETTINGS}
