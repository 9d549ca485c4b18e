"""A confusion matrix as inline SVG."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.report.canvas import (
    COLOURS,
    GRID,
    LONGEST_NAME,
    SIZE_INCHES,
    drawing,
    empty,
    finish,
)
from saccade.report.text import short

MOST_RATES, FEW_CLASSES, MOST_NAMES = 10, 15, 120
WIDEST_INCHES = 11.0
SHADES = 8
FAINTEST, STRONGEST = 0.08, 0.5  # what covers a cell; the text on it keeps a contrast of 4.5 : 1


def confusion_chart(
    counts: ArrayLike,
    names: Sequence[str],
    *,
    title: str,
    description: str = "",
    links: Mapping[tuple[int, int], str] | None = None,
) -> str:
    """Return an SVG of a confusion matrix, (k, k) counts: row the true class, column the answer.

    The stronger the colour, the larger a cell's share of its row; right answers and mistakes
    differ in colour. Up to FEW_CLASSES the counts stand in the cells, up to MOST_RATES their share
    of the row too. Cells of one shade are one shape, so that a hundred classes stay a small
    file; above MOST_NAMES not every class is named. ``links``: the drawer of the page that a cell,
    by row and column, opens.
    """
    matrix = np.asarray(counts)
    k = len(names)
    if k == 0 or matrix.shape != (k, k):
        raise InputError(f"chart '{title}' needs ({k}, {k}) counts; got shape {matrix.shape}")
    rates = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(max(SIZE_INCHES[0], 0.28 * k + 1.5), WIDEST_INCHES)
    size = min(9.5, 0.8 * 72 * (side - 1.5) / k)  # points: what fits beside a row
    with drawing():
        figure, axes = empty("Answered", "True class")
        figure.set_size_inches(side, side)
        axes.grid(False)
        _draw_cells(axes, rates)
        for (row, column), anchor in (links or {}).items():
            axes.add_patch(_link(row, column, anchor))
        if k <= FEW_CLASSES:
            _write_counts(axes, matrix, rates, size=min(size, 8.5))
        every = -(-k // MOST_NAMES)
        places, texts = range(0, k, every), [short(name, LONGEST_NAME) for name in names[::every]]
        axes.set_xticks(places, texts, rotation=90, fontsize=min(9.5, size * every))
        axes.set_yticks(places, texts, fontsize=min(9.5, size * every))
        axes.tick_params(length=0, pad=2)
        axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), aspect="equal")
        for spine in axes.spines.values():
            spine.set_visible(True)
        return _named(finish(figure, title, description), links or {}, names)


def _named(svg: str, links: Mapping[tuple[int, int], str], names: Sequence[str]) -> str:
    """The links stay in the page, and say where they lead."""
    for (row, column), anchor in links.items():
        truth, answer = (short(names[place], LONGEST_NAME) for place in (row, column))
        told = escape(f"{truth}, answered {answer}: show pictures")
        svg = svg.replace(
            f'<a xlink:href="#{anchor}" target="_blank">',
            f'<a href="#{anchor}" aria-label="{told}">',
        )
    return svg


def _write_counts(
    axes: Axes, matrix: NDArray[np.generic], rates: NDArray[np.float64], *, size: float
) -> None:
    for row, column in zip(*np.nonzero(matrix), strict=True):
        text = f"{matrix[row, column]:,}"
        if len(matrix) <= MOST_RATES:
            text += f"\n{100 * rates[row, column]:.0f}\N{NO-BREAK SPACE}%"
        axes.text(column, row, text, ha="center", va="center", fontsize=size)


def _link(row: int, column: int, anchor: str) -> PathPatch:
    """A cell that is seen through, and opens a drawer."""
    codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY]
    patch = PathPatch(Path(_square(column, row), codes), alpha=0.0, linewidth=0)
    patch.set_url(f"#{anchor}")
    return patch


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
                alpha = FAINTEST + (STRONGEST - FAINTEST) * shade / SHADES
                axes.add_patch(
                    PathPatch(Path(corners, codes), facecolor=colour, alpha=alpha, linewidth=0)
                )


def _square(x: float, y: float) -> list[tuple[float, float]]:
    r = 0.47
    return [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r), (x - r, y - r)]
