"""The report of a classifier: its scores as one page that a non-expert can read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from saccade.judge.classification import ClassificationScores, WrongAnswer
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.tree_report import tree_part
from saccade.judge.wording import (
    decimal,
    file_name,
    limits,
    percent,
    picture_uri,
    share_of_100,
    tile,
)
from saccade.report import (
    Chart,
    Charts,
    Part,
    Picture,
    PictureSheet,
    Section,
    Table,
    Text,
    Tiles,
    confusion_chart,
)
from saccade.values import Interval, Sample, UInt8Array

NONE = "–"
MOST_CONFUSIONS = 15
FEW_PICTURES = 10  # of a class; with fewer its own figures say little
WIDE_FROM = 16  # classes: above, the matrix takes the page's width


def classification_report(
    scores: ClassificationScores,
    *,
    pictures: Sequence[UInt8Array | Path | Sample],
    history: Sequence[Mapping[str, Any]] | None = None,
    about: Mapping[str, str] | None = None,
    note: str = "",
    title: str = "How well this classifier answers",
) -> str:
    """Return one self-contained HTML page.

    ``pictures``: those judged, in the same order, as (H, W, 3) uint8, files or samples; only those
    shown are read. ``history``: training records, see ``history_charts``. ``note``: what the
    reader must know of these pictures. ``about``: rows for the last table.
    """
    require_those_judged(pictures, scores.pictures)
    sections = [
        Section("The result", _summary(scores, note)),
        Section("When it is unsure", _abstention(scores)),
        Section("What is taken for what", _confusion(scores)),
        *([] if scores.tree is None else [Section("How far off", tree_part(scores.tree))]),
        Section("Class by class", (_per_class(scores),)),
        Section("The surest mistakes", _mistakes(scores, pictures)),
    ]
    subtitle = f"Judged on {scores.pictures:,} pictures of {scores.shown_classes:,} classes."
    return framed(
        title,
        sections,
        method=_method(scores),
        history=history,
        about=about,
        subtitle=subtitle,
    )


def _summary(scores: ClassificationScores, note: str) -> tuple[Part, ...]:
    found = scores.accuracy
    commonest = max(scores.per_class, key=lambda one: one.pictures)
    parts: list[Part] = [
        Tiles(
            (
                tile("Answered right (accuracy)", found),
                tile("Mean over the classes (balanced accuracy)", scores.balanced_accuracy),
                tile("Macro F1", scores.macro_f1, decimal),
            )
        ),
        Text(
            f"Of 100 pictures, {share_of_100(found.value)} are given their right class; the true "
            f"share lies between {percent(found.low)} and {percent(found.high)}, with "
            f"{percent(found.level, 0)} confidence. Always answering “{commonest.label}” would be "
            f"right for {percent(scores.chance)}."
        ),
    ]
    if note:
        parts.append(Text(note, tone="note"))
    if found.low <= scores.chance:
        parts.append(
            Text(
                "This classifier was not shown to be better than always giving the commonest "
                "class.",
                tone="warning",
            )
        )
    absent = [one.label for one in scores.per_class if not one.pictures]
    if absent:
        names = ", ".join(absent[:10]) + (", …" if len(absent) > 10 else "")
        parts.append(Text(f"No picture shows {names}: nothing is known of these classes.", "note"))
    few = [one.label for one in scores.per_class if 0 < one.pictures < FEW_PICTURES]
    if few:
        parts.append(
            Text(
                f"{len(few)} of {scores.shown_classes} classes have fewer than {FEW_PICTURES} "
                "pictures here: look at their intervals before their values.",
                tone="warning",
            )
        )
    return tuple(parts)


def _abstention(scores: ClassificationScores) -> tuple[Part, ...]:
    rows = []
    for one in scores.abstention:
        found = one.accuracy
        rows.append(
            (
                "all answers" if one.at_least == 0 else f"{100 * one.at_least:g} % or more",
                percent(one.answered),
                NONE if found is None else percent(found.value),
                NONE if found is None else limits(found, percent),
                "0" if found is None else f"{found.n:,}",
            )
        )
    level = percent(scores.accuracy.level, 0)
    head = ("Probability", "Answered", "Right among them", f"{level} interval", "Pictures")
    return (
        Text(
            "Each answer comes with a probability. Withholding answers below a limit leaves fewer "
            "answers, and more of them right: choose the limit whose price you can pay, and give "
            "it to saccade predict as --at-least."
        ),
        Table(head, tuple(rows)),
    )


def _confusion(scores: ClassificationScores) -> tuple[Part, ...]:
    order = range(len(scores.classes)) if scores.tree is None else scores.tree.order
    counts = np.array(scores.confusion)[np.ix_(list(order), list(order))]
    totals, names = counts.sum(axis=1), [scores.classes[place] for place in order]
    beside = "" if scores.tree is None else " Classes of one kind stand side by side."
    chart = Chart(
        "Rows: the true class. Columns: the answer.",
        confusion_chart(
            counts,
            names,
            title="Confusion matrix",
            description=f"Accuracy {scores.accuracy}; {scores.wrong} of {scores.pictures} wrong.",
        ),
        "Right answers lie on the diagonal, mistakes beside it. The stronger the colour, the "
        f"larger a cell's share of its row.{beside}",
        wide=len(scores.classes) >= WIDE_FROM,
    )
    np.fill_diagonal(counts, 0)
    if not counts.any():
        return (Charts((chart,)),)
    largest = np.argsort(-counts, axis=None, kind="stable")[
        : min(MOST_CONFUSIONS, (counts > 0).sum())
    ]
    rows = [
        (
            names[row],
            names[column],
            f"{counts[row, column]:,}",
            f"{percent(counts[row, column] / totals[row])} of {totals[row]:,}",
        )
        for row, column in zip(*np.unravel_index(largest, counts.shape), strict=True)
    ]
    head = ("True class", "Answered", "Pictures", "Share of the class")
    return Charts((chart,)), Table(head, tuple(rows), caption="The commonest mistakes.")


def _per_class(scores: ClassificationScores) -> Table:
    rows = [
        (
            one.label,
            f"{one.pictures:,}",
            _with_limits(one.recall),
            f"{one.answered:,}",
            _with_limits(one.precision),
            NONE if one.f1 is None else decimal(one.f1),
        )
        for one in sorted(scores.per_class, key=lambda one: 2.0 if one.f1 is None else one.f1)
    ]
    head = ("Class", "Pictures", "Found (recall)", "Answered", "Right (precision)", "F1")
    caption = (
        "Lowest F1 first. Recall: of the pictures of this class, the share answered right. "
        "Precision: of the pictures given its name, the share that is right. In brackets: the "
        f"{percent(scores.accuracy.level, 0)} interval."
    )
    return Table(head, tuple(rows), caption=caption)


def _with_limits(found: Interval | None) -> str:
    return NONE if found is None else f"{percent(found.value)} ({limits(found, percent)})"


def _mistakes(
    scores: ClassificationScores, pictures: Sequence[UInt8Array | Path | Sample]
) -> tuple[Part, ...]:
    if not scores.mistakes:
        return (Text(f"None: all {scores.pictures:,} pictures were given their right class."),)
    place = {name: number for number, name in enumerate(scores.classes)}

    def group(one: WrongAnswer) -> tuple[Picture, ...]:
        source = pictures[one.picture]
        details = (percent(one.probability), file_name(source, one.picture))
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


def _beside(one: WrongAnswer) -> tuple[tuple[str, str, Literal["plain", "good"]], ...]:
    return ("True class", one.truth, "good"), ("Answered class", one.answer, "plain")


def _method(scores: ClassificationScores) -> tuple[Part, ...]:
    return (
        Text(
            "Every picture is answered with the class of highest probability. Accuracy is the "
            "share answered right; balanced accuracy is the mean, over the classes shown, of the "
            "share of their pictures answered right, so that small classes count as much as large "
            "ones; macro F1 is the mean over the classes shown or answered of F1, the harmonic "
            "mean of precision and recall."
        ),
        Text(
            "Intervals: for shares of pictures the exact binomial interval (Clopper and Pearson); "
            "for balanced accuracy and macro F1 the pictures are drawn again with replacement "
            f"{scores.resamples:,} times (seed {scores.seed}). Both take pictures for independent. "
            "Several pictures of one object or one scene err together: then the true intervals are "
            "wider."
        ),
        Text(
            "These figures hold for pictures like these, with classes as common as here. They "
            "flatter the classifier if it was trained on any of these pictures. A picture that "
            "shows none of the classes is still given one of them.",
            tone="note",
        ),
    )
