"""What a classifier takes for what, in a report: the matrix, its cells' pictures, the mistakes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from saccade.judge.answers import Cell, WrongAnswer
from saccade.judge.classification_scores import ClassificationScores
from saccade.judge.wording import file_name, percent, picture_uri
from saccade.report import (
    Chart,
    Charts,
    Drawer,
    Drawers,
    Part,
    Picture,
    PictureSheet,
    Table,
    Text,
    confusion_chart,
)
from saccade.values import IntArray, Sample, UInt8Array

MOST_CONFUSIONS = 15
WIDE_FROM = 16  # classes: above, the matrix takes the page's width
Source = UInt8Array | Path | Sample


def confusion_part(scores: ClassificationScores, pictures: Sequence[Source]) -> tuple[Part, ...]:
    """Return the matrix, whose cells open their ``pictures`` if there are any, and a table."""
    order = list(range(len(scores.classes)) if scores.tree is None else scores.tree.order)
    counts = np.array(scores.confusion)[np.ix_(order, order)]
    totals, names = counts.sum(axis=1), [scores.classes[place] for place in order]
    beside = "" if scores.tree is None else " Classes of one kind stand side by side."
    opened = scores.cells if pictures else ()
    place = {number: spot for spot, number in enumerate(order)}
    links = {(place[one.truth], place[one.answer]): _anchor(one) for one in opened}
    click = " Click a cell to see its pictures." if links else ""
    chart = Chart(
        "Rows: the true class. Columns: the answer.",
        confusion_chart(
            counts,
            names,
            title="Confusion matrix",
            description=f"Accuracy {scores.accuracy}; {scores.wrong} of {scores.pictures} wrong.",
            links=links,
        ),
        "Right answers lie on the diagonal, mistakes beside it. The stronger the colour, the "
        f"larger a cell's share of its row.{beside}{click}",
        wide=len(scores.classes) >= WIDE_FROM,
    )
    drawers = Drawers(tuple(_drawer(one, scores, pictures) for one in opened))
    np.fill_diagonal(counts, 0)
    if not counts.any():
        return Charts((chart,)), drawers
    return Charts((chart,)), drawers, _commonest(counts, totals, names, links)


def _commonest(
    wrong: IntArray, totals: IntArray, names: Sequence[str], links: Mapping[tuple[int, int], str]
) -> Table:
    """The mistakes, counts (k, k) by true and answered class, that happened most."""
    largest = np.argsort(-wrong, axis=None, kind="stable")[
        : min(MOST_CONFUSIONS, (wrong > 0).sum())
    ]
    cells = list(
        zip(*(one.tolist() for one in np.unravel_index(largest, wrong.shape)), strict=True)
    )
    rows = [
        (
            names[row],
            names[column],
            f"{wrong[row, column]:,}",
            f"{percent(wrong[row, column] / totals[row])} of {totals[row]:,}",
        )
        for row, column in cells
    ]
    return Table(
        ("True class", "Answered", "Pictures", "Share of the class"),
        tuple(rows),
        caption="The commonest mistakes.",
        anchors=tuple(links.get(cell, "") for cell in cells),
    )


def mistakes_part(scores: ClassificationScores, pictures: Sequence[Source]) -> tuple[Part, ...]:
    """Return the surest mistakes, each beside a typical picture of either class."""
    if not scores.mistakes:
        return (Text(f"None: all {scores.pictures:,} pictures were given their right class."),)
    place = {name: number for number, name in enumerate(scores.classes)}

    def group(one: WrongAnswer) -> tuple[Picture, ...]:
        source = pictures[one.picture]
        sure = () if one.probability is None else (percent(one.probability),)
        details = (*sure, file_name(source, one.picture))
        typical = [
            Picture(picture_uri(pictures[number]), role, name, (), tone)
            for role, name, tone in _beside(one)
            if (number := scores.typical[place[name]]) >= 0
        ]
        return Picture(picture_uri(source), "Answered", one.answer, details, "bad"), *typical

    share = percent(scores.wrong / scores.pictures)
    intro = (
        f"{scores.wrong:,} of {scores.pictures:,} pictures ({share}) were given a wrong class. "
        f"Shown are the {len(scores.mistakes)} whose wrong answer was surest, with its "
        "probability; beside each, the picture of either class that was recognised most surely. "
        "Look for labels that are wrong, and for what the confused ones have in common."
    )
    return Text(intro), PictureSheet(tuple(group(one) for one in scores.mistakes))


def _anchor(one: Cell) -> str:
    return f"cell-{one.truth}-{one.answer}"


def _drawer(one: Cell, scores: ClassificationScores, pictures: Sequence[Source]) -> Drawer:
    truth, answer = scores.classes[one.truth], scores.classes[one.answer]
    right = one.truth == one.answer
    shown = [
        Picture(
            picture_uri(pictures[number]),
            "Right" if right else "Wrong",
            answer,
            (file_name(pictures[number], number),),
            "good" if right else "bad",
        )
        for number in one.pictures
    ]
    told = f"“{truth}”, answered “{answer}”: {one.count:,} pictures"
    if len(shown) < one.count:
        told += f", the {len(shown)} surest"
    groups = tuple(tuple(shown[start : start + 3]) for start in range(0, len(shown), 3))
    return Drawer(_anchor(one), told, groups)


def _beside(one: WrongAnswer) -> tuple[tuple[str, str, Literal["plain", "good"]], ...]:
    return ("True class", one.truth, "good"), ("Answered class", one.answer, "plain")
