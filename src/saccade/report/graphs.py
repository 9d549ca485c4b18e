"""A graph as inline SVG text: boxes in columns, what is made right of what it is made of.

Sugiyama, Tagawa, Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981:
columns by depth, an edge over several columns takes a place in each, and boxes are sorted by the
mean place of their neighbours. We differ: columns are centred, and the sorting is a few sweeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from saccade.errors import InputError
from saccade.report.canvas import COLOURS, INK, MUTED, PAPER, VARIABLES
from saccade.report.text import LONGEST, LONGEST_TEXT, short

LETTER, LINE, PAD, GAP, ROW_GAP, MARGIN = 7.2, 18, 12, 64, 22, 10  # units of the picture
SWEEPS = 8
MOST_LETTERS = 26


@dataclass(frozen=True, slots=True)
class Box:
    """A node: lines of text, the first its name; ``inputs``: the places of boxes before it.

    ``given`` marks what nothing is made into.
    """

    lines: tuple[str, ...]
    inputs: tuple[int, ...] = ()
    given: bool = False


@dataclass(slots=True)
class _Spot:
    """A place in a column: of a box, or of an edge that passes."""

    column: int
    box: int | None = None
    y: float = 0.0


def graph_chart(boxes: Sequence[Box], *, title: str, description: str = "") -> str:
    """Return an SVG of boxes with arrows from each one's inputs to it.

    ``title`` and ``description`` are for those who cannot see it.
    """
    if not boxes:
        raise InputError(f"graph '{title}' has no boxes; give at least one")
    columns, ways = _placed(boxes)
    height = max(len(box.lines) for box in boxes) * LINE + PAD
    for column in columns:
        for row, spot in enumerate(column):
            spot.y = (row - (len(column) - 1) / 2) * (height + ROW_GAP)
    lefts, widths = _across(boxes, columns)
    top = min(column[0].y for column in columns) - height / 2 - MARGIN
    total = (lefts[-1] + widths[-1] + MARGIN, -2 * top)
    drawn = [_edge([(s.y - top, lefts[s.column], widths[s.column]) for s in way]) for way in ways]
    for column in columns:
        for spot in column:
            if spot.box is not None:
                place = (lefts[spot.column], spot.y - top - height / 2)
                drawn.append(_drawn(boxes[spot.box], place, (widths[spot.column], height)))
    described = f"<desc>{_text(description, LONGEST_TEXT)}</desc>" if description else ""
    return (
        f'<svg class="chart" role="img" aria-label="{_text(title, LONGEST)}" '
        f'viewBox="0 0 {total[0]:.1f} {total[1]:.1f}" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="sans-serif" font-size="13"><title>{_text(title, LONGEST)}</title>{described}'
        f"{''.join(drawn)}</svg>"
    )


def _placed(boxes: Sequence[Box]) -> tuple[list[list[_Spot]], list[list[_Spot]]]:
    """Columns of spots in order, and the spots that each edge goes through."""
    depths = _depths(boxes)
    spots = [_Spot(depth, place) for place, depth in enumerate(depths)]
    columns: list[list[_Spot]] = [[] for _ in range(max(depths) + 1)]
    for spot in spots:
        columns[spot.column].append(spot)
    ways = []
    for place, box in enumerate(boxes):
        for before in dict.fromkeys(box.inputs):
            between = [_Spot(column) for column in range(depths[before] + 1, depths[place])]
            for spot in between:
                columns[spot.column].append(spot)
            ways.append([spots[before], *between, spots[place]])
    _sort(columns, ways)
    return columns, ways


def _depths(boxes: Sequence[Box]) -> list[int]:
    """The column of each box; what is given stands just before what needs it first."""
    depths: list[int] = []
    for box in boxes:
        depths.append(1 + max((depths[before] for before in box.inputs), default=-1))
    for place, box in enumerate(boxes):
        users = [depths[n] for n, other in enumerate(boxes) if place in other.inputs]
        if not box.inputs and users:
            depths[place] = min(users) - 1
    return depths


def _sort(columns: list[list[_Spot]], ways: list[list[_Spot]]) -> None:
    """Order the spots of each column by the mean place of their neighbours to one side."""
    pairs = [pair for way in ways for pair in pairwise(way)]
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else columns[::-1]:
            near: dict[int, list[float]] = {id(spot): [] for spot in column}
            for before, after in pairs if forward else [(b, a) for a, b in pairs]:
                if id(after) in near:
                    near[id(after)].append(before.y)
            means = {id(s): sum(near[id(s)]) / max(1, len(near[id(s)])) for s in column}
            rows = {id(s): row for row, s in enumerate(column)}
            column.sort(key=lambda s: (means[id(s)] if near[id(s)] else s.y, rows[id(s)]))
            for row, spot in enumerate(column):
                spot.y = row - (len(column) - 1) / 2


def _across(boxes: Sequence[Box], columns: list[list[_Spot]]) -> tuple[list[float], list[float]]:
    """The left sides and the widths of the columns."""
    lefts, widths, left = [], [], float(MARGIN)
    for column in columns:
        texts = [line for s in column if s.box is not None for line in boxes[s.box].lines]
        longest = max((min(len(text), MOST_LETTERS) for text in texts), default=0)
        lefts.append(left)
        widths.append(longest * LETTER + 2 * PAD)
        left += widths[-1] + GAP
    return lefts, widths


def _edge(way: list[tuple[float, float, float]]) -> str:
    """A curve through (y, left, width) of spots, with a head at its end."""
    (y, left, width), *later = way
    path = [f"M{left + width:.1f} {y:.1f}"]
    start = (left + width, y)
    for number, (y, left, width) in enumerate(later):
        end = left - (7 if number == len(later) - 1 else 0)
        middle = (start[0] + end) / 2
        path.append(f"C{middle:.1f} {start[1]:.1f} {middle:.1f} {y:.1f} {end:.1f} {y:.1f}")
        start = (left + width, y)
        if number < len(later) - 1:
            path.append(f"H{start[0]:.1f}")
    head = f"M{left:.1f} {y:.1f}l-8 -4v8z"
    colour = _colour(MUTED)
    return (
        f'<path d="{"".join(path)}" style="fill: none; stroke: {colour}; stroke-width: 1.4"/>'
        f'<path d="{head}" style="fill: {colour}"/>'
    )


def _drawn(box: Box, place: tuple[float, float], size: tuple[float, float]) -> str:
    x, y = place
    edge = _colour(COLOURS[0] if box.given else INK)
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" rx="7" '
        f'style="fill: {_colour(PAPER)}; stroke: {edge}; stroke-width: 1.4"/>'
    ]
    first = y + size[1] / 2 - (len(box.lines) - 1) * LINE / 2 + 4.5
    for number, line in enumerate(box.lines):
        weight = "bold" if number == 0 else "normal"
        parts.append(
            f'<text x="{x + size[0] / 2:.1f}" y="{first + number * LINE:.1f}" '
            f'text-anchor="middle" style="fill: {_colour(INK)}; font-weight: {weight}">'
            f"{_text(line, MOST_LETTERS)}</text>"
        )
    return "".join(parts)


def _text(text: str, longest: int) -> str:
    return escape(short(text, longest))


def _colour(colour: str) -> str:
    return f"var({VARIABLES[colour]}, {colour})"
