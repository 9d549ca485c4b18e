"""Named numbers as bars, as inline SVG."""

from collections.abc import Sequence

import numpy as np

from saccade.errors import InputError
from saccade.report.canvas import (
    COLOURS,
    INK,
    LONGEST_NAME,
    SIZE_INCHES,
    drawing,
    empty,
    finish,
)
from saccade.report.text import short


def bar_chart(
    rows: Sequence[tuple[str, float]],
    *,
    title: str,
    x_label: str,
    description: str = "",
    line_at: float | None = None,
) -> str:
    """Return an SVG of bars from 0, the first on top; ``rows``: (name, value from 0) each.

    ``line_at`` draws a vertical line.
    """
    if not rows or any(not value >= 0 for _, value in rows):
        raise InputError(f"chart '{title}' needs at least one bar, and none below 0")
    with drawing():
        figure, axes = empty(x_label, "")
        figure.set_size_inches(SIZE_INCHES[0], max(SIZE_INCHES[1], 0.22 * len(rows) + 0.8))
        places = np.arange(len(rows))
        axes.barh(places, [value for _, value in rows], color=COLOURS[0], alpha=0.75, height=0.7)
        if line_at is not None:
            axes.axvline(line_at, color=INK, linewidth=1.1, linestyle=(0, (1.5, 2)))
        axes.set_yticks(places, [short(name, LONGEST_NAME) for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.grid(False, axis="y")
        return finish(figure, title, description)
