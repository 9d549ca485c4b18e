"""The report of a classifier: its scores as one page that a non-expert can read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saccade.judge.calibration_report import calibration_part
from saccade.judge.classification_scores import FEW, ClassificationScores
from saccade.judge.confusion_report import confusion_part, mistakes_part
from saccade.judge.curves_report import curves_part, operating_part
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.tree_report import tree_part
from saccade.judge.wording import (
    UNDEFINED,
    decimal,
    limits,
    percent,
    share_of_100,
    tile,
    with_limits,
)
from saccade.report import Part, Section, Table, Text, Tiles
from saccade.values import Sample, UInt8Array


def classification_report(
    scores: ClassificationScores,
    *,
    pictures: Sequence[UInt8Array | Path | Sample],
    history: Sequence[Mapping[str, Any]] | None = None,
    about: Mapping[str, str] | None = None,
    note: str = "",
    extra: Sequence[Section] = (),
    title: str = "How well this classifier answers",
) -> str:
    """Return one self-contained HTML page.

    ``pictures``: those judged, in the same order, as (H, W, 3) uint8, files or samples; only those
    shown are read, and none at all where it is empty. ``history``: training records, see
    ``history_charts``. ``note``: what the reader must know of these pictures. ``about``: rows for
    the last table. ``extra``: sections before the mistakes.
    """
    if pictures:
        require_those_judged(pictures, scores.pictures)
    point, found = scores.operating_point, scores.calibration
    sections = [
        Section("The result", _summary(scores, note)),
        *([] if point is None else [Section("The alarm", operating_part(point))]),
        *([Section("When it is unsure", _abstention(scores))] if scores.abstention else []),
        *(
            []
            if found is None
            else [Section("What its probabilities mean", calibration_part(found))]
        ),
        Section("What is taken for what", confusion_part(scores, pictures)),
        *([] if scores.tree is None else [Section("How far off", tree_part(scores.tree))]),
        Section("Class by class", (_per_class(scores), _averages(scores))),
        *([Section("At every threshold", curves_part(scores))] if scores.curves else []),
        *extra,
        *([Section("The surest mistakes", mistakes_part(scores, pictures))] if pictures else []),
    ]
    return framed(
        title,
        sections,
        method=_method(scores),
        history=history,
        about=about,
        subtitle=f"Judged on {scores.basis}.",
    )


def _summary(scores: ClassificationScores, note: str) -> tuple[Part, ...]:
    found, share = scores.accuracy, scores.matthews
    tiles = [
        tile("Answered right (accuracy)", found),
        tile("Mean over the classes (balanced accuracy)", scores.balanced_accuracy),
        tile("Macro F1", scores.macro_f1, decimal),
    ]
    if share is not None:
        tiles.append(tile("Matthews correlation (MCC)", share, decimal, drawn=share.low >= 0))
    if scores.macro_auc is not None:
        tiles.append(tile("Area under ROC (AUC)", scores.macro_auc, decimal))
    parts: list[Part] = [
        Tiles(tuple(tiles)),
        Text(
            f"Of 100 pictures, {share_of_100(found.value)} are given their right class; the true "
            f"share lies between {percent(found.low)} and {percent(found.high)}, with "
            f"{percent(found.level, 0)} confidence. Always answering “{scores.commonest}” would be "
            f"right for {percent(scores.chance)}."
        ),
    ]
    if note:
        parts.append(Text(note, tone="note"))
    return *parts, *_warnings(scores)


def _warnings(scores: ClassificationScores) -> tuple[Part, ...]:
    parts = [Text(f"{told[0].upper()}{told[1:]}.", "warning") for told in scores.warnings]
    absent = [one.label for one in scores.per_class if not one.pictures]
    if absent:
        parts.append(
            Text(f"No picture shows {_listed(absent)}: nothing is known of these classes.", "note")
        )
    silent = [one.label for one in scores.per_class if one.pictures and not one.answered]
    if silent:
        parts.append(
            Text(
                f"{_listed(silent)}: never answered, so that there is no precision, and means "
                "of precision leave these classes out.",
                "warning",
            )
        )
    few = [one.label for one in scores.per_class if 0 < one.pictures < FEW]
    if few:
        parts.append(
            Text(
                f"{len(few)} of {scores.shown_classes} classes have fewer than {FEW} pictures "
                "here, too few to tell much: look at their intervals before their values.",
                tone="warning",
            )
        )
    return tuple(parts)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names[:10]) + (", …" if len(names) > 10 else "")


def _abstention(scores: ClassificationScores) -> tuple[Part, ...]:
    rows = []
    for one in scores.abstention:
        found = one.accuracy
        rows.append(
            (
                "all answers" if one.at_least == 0 else f"{100 * one.at_least:g} % or more",
                percent(one.answered),
                UNDEFINED if found is None else percent(found.value),
                UNDEFINED if found is None else limits(found, percent),
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


def _per_class(scores: ClassificationScores) -> Table:
    rows = [
        (
            one.label,
            f"{one.pictures:,}{' (too few)' if 0 < one.pictures < FEW else ''}",
            with_limits(one.recall),
            f"{one.answered:,}",
            with_limits(one.precision),
            with_limits(one.f1, decimal),
        )
        for one in sorted(scores.per_class, key=lambda one: one.f1.value if one.f1 else 2.0)
    ]
    head = ("Class", "Pictures", "Found (recall)", "Answered", "Right (precision)", "F1")
    caption = (
        "Lowest F1 first. Recall: of the pictures of this class, the share answered right. "
        "Precision: of the pictures given its name, the share that is right. In brackets: the "
        f"{percent(scores.accuracy.level, 0)} interval."
    )
    return Table(head, tuple(rows), caption=caption)


def _averages(scores: ClassificationScores) -> Table:
    right = with_limits(scores.accuracy, decimal)
    rows = (
        (
            "macro: every class counts alike",
            with_limits(scores.macro_precision, decimal),
            with_limits(scores.balanced_accuracy, decimal),
            with_limits(scores.macro_f1, decimal),
        ),
        (
            "weighted by the pictures",
            with_limits(scores.weighted_precision, decimal),
            right,
            with_limits(scores.weighted_f1, decimal),
        ),
        ("micro: the accuracy", right, right, right),
    )
    return Table(("Mean over the classes", "Precision", "Recall", "F1"), rows)


def _method(scores: ClassificationScores) -> tuple[Part, ...]:
    drawn = "the pictures" if scores.groups is None else f"the {scores.groups:,} groups of pictures"
    single = (
        "for shares of pictures Wilson's score interval; for all other figures "
        if scores.groups is None
        else ""
    )
    return (
        Text(
            "Every picture is answered with one class. Accuracy is the share answered right; "
            "balanced accuracy is the mean, over the classes shown, of the share of their pictures "
            "answered right, so that small classes count as much as large ones; macro F1 is the "
            "mean over the classes shown or answered of F1, the harmonic mean of precision and "
            "recall. MCC is the correlation of truth and answers, 0 for guessing."
        ),
        Text(
            f"Intervals: {single}{drawn} are drawn again with replacement "
            f"{scores.resamples:,} times (seed {scores.seed}), and the spread of the figure makes "
            "its interval. Where several pictures of one object or one scene are judged, they err "
            "together: name the column that says so with --groups, or the true intervals are wider."
        ),
        Text(
            "These figures hold for pictures like these, with classes as common as here. They "
            "flatter the classifier if it was trained on any of these pictures. A picture that "
            "shows none of the classes is still given one of them.",
            tone="note",
        ),
    )
