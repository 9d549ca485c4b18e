"""The report of found boxes: their scores as one page that a non-expert can read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.data.pictures import read_picture
from saccade.errors import PictureError
from saccade.judge.detection_scores import (
    FEW_BOXES,
    FEW_MISTAKES,
    BoxClass,
    BoxFigure,
    BoxMistake,
    DetectionScores,
)
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.wording import UNDEFINED, figure_of_class, limits, none_last, percent, tile
from saccade.metrics.box_errors import KINDS, BoxErrors, box_errors
from saccade.metrics.coco import CLASS_FIGURES
from saccade.metrics.detection import COCO_RECALLS
from saccade.report import (
    Chart,
    Charts,
    DrawnBox,
    Part,
    Picture,
    PictureSheet,
    Section,
    Series,
    Table,
    Text,
    Tiles,
    data_uri,
    interval_chart,
    line_chart,
    with_boxes,
)

SHOWN_SIDE = 560  # pixels of a picture in the page
MOST_ROWS = 200
MEANINGS = {
    "location": "right class, but the box overlaps the true one by less than half",
    "class": "right place, wrong class",
    "duplicate": "a second box for something already found",
    "background": "nothing is there",
    "both": "wrong class, and the box overlaps by less than half",
    "missed": "nothing was found, nor nearly",
    "false positives": "all found boxes that are wrong",
    "false negatives": "all true boxes that no found one hits",
}


def detection_report(
    scores: DetectionScores,
    true: TrueBoxes,
    found: FoundBoxes,
    *,
    pictures: Sequence[Path | None],
    note: str = "",
    extra: Sequence[Section] = (),
    history: Sequence[Mapping[str, Any]] | None = None,
    about: Mapping[str, str] | None = None,
    title: str = "How well boxes are found",
) -> str:
    """Return one self-contained HTML page.

    ``true`` and ``found``: the boxes judged; ``pictures``: their files, None for one that is not
    at hand. ``note``: what the reader must know of the pictures. ``extra``: further sections.
    ``history``: training records. ``about``: rows for the last table.
    """
    require_those_judged(pictures, scores.pictures)
    errors = box_errors(true, found, categories=len(scores.per_class))
    sections = [
        Section("The result", (*_summary(scores), *([Text(note, "note")] if note else []))),
        Section("Sure or complete", (_curves(scores),)),
        Section("Why boxes are wrong", _mistakes(scores)),
        Section("Class by class", (_per_class(scores),)),
        *extra,
        Section("Small and large", (_figures(scores),)),
        Section("Pictures with most mistakes", _worst(scores, errors, pictures)),
    ]
    return framed(
        title,
        sections,
        method=_method(scores),
        history=history,
        about=about,
        subtitle=f"Judged on {scores.basis}.",
    )


def _summary(scores: DetectionScores) -> tuple[Part, ...]:
    labels = {
        "AP": "Average precision (AP, overlap .50 to .95)",
        "AP50": "AP at an overlap of one half (AP50)",
        "AP75": "AP at a close overlap (AP75)",
        "AR@100": "Found, of 100 boxes a picture and class (AR@100)",
    }
    parts: list[Part] = [Tiles(tuple(tile(labels[name], one) for name, one in scores.headline))]
    crowd = f" {scores.crowd:,} crowds need not be found." if scores.crowd else ""
    parts.append(
        Text(
            f"{scores.found:,} boxes were found, {scores.true:,} are true.{crowd} A found box is "
            "right when its class is, and it overlaps a true box enough that no surer box has "
            "taken. Average precision is 100 % when all true boxes are found and come before "
            "every wrong one."
        )
    )
    if scores.warning:
        parts.append(Text(f"{scores.warning[0].upper()}{scores.warning[1:]}.", tone="warning"))
    return tuple(parts)


def _curves(scores: DetectionScores) -> Charts:
    series = [
        Series(f"overlap {name}", COCO_RECALLS, np.array(one))
        for name, one in scores.curves.items()
    ]
    chart = line_chart(
        series,
        title="Precision at each recall",
        x_label="True boxes found (recall)",
        y_label="Found boxes that are right",
        percent="xy",
        y_limits=(0.0, 1.02),
        description="Mean over the classes; the area below is the average precision.",
    )
    caption = (
        "Mean over the classes. Fewer, surer boxes lie to the left. The area below a curve "
        "is the average precision at that overlap."
    )
    return Charts((Chart("Precision at each recall", chart, caption),))


def _mistakes(scores: DetectionScores) -> tuple[Part, ...]:
    known = [(one.kind, one.interval) for one in scores.mistakes if one.interval]
    rows = [_mistake_row(one) for one in scores.mistakes]
    head = ("Mistake", "What it is", "Boxes", "Costs AP50", "Interval")
    caption = (
        "The cost of a kind is the rise of AP50 were there no such mistake; costs do not add up. "
        f"A kind with fewer than {FEW_MISTAKES} boxes is too rare for an interval."
    )
    parts: list[Part] = []
    if known:
        chart = interval_chart(
            [(kind, 100 * one.value, 100 * one.low, 100 * one.high) for kind, one in known],
            title="What each kind of mistake costs",
            x_label="Points of AP50",
        )
        parts.append(Charts((Chart("What each kind of mistake costs", chart),)))
    return (*parts, Table(head, tuple(rows), caption=caption))


def _mistake_row(one: BoxMistake) -> tuple[str, ...]:
    bounds = "too few" if one.interval is None else limits(one.interval, percent)
    return one.kind, MEANINGS[one.kind], f"{one.count:,}", percent(one.cost), bounds


def _per_class(scores: DetectionScores) -> Table:
    rows = sorted(scores.per_class, key=lambda one: none_last(one.values["AP"]))
    head = ("Class", "True boxes", "Found boxes", *CLASS_FIGURES)
    cut = f" The first {MOST_ROWS} of {len(rows):,} classes." if len(rows) > MOST_ROWS else ""
    caption = (
        f"Lowest AP first.{cut} In brackets: the interval; “too few”: fewer than {FEW_BOXES} true "
        "boxes, so that the figure says little."
    )
    return Table(head, tuple(_class_row(one) for one in rows[:MOST_ROWS]), caption=caption)


def _class_row(one: BoxClass) -> tuple[str, ...]:
    figures = [figure_of_class(one.values[name], one.intervals[name]) for name in CLASS_FIGURES]
    return one.label, f"{one.true:,}", f"{one.found:,}", *figures


def _figures(scores: DetectionScores) -> Table:
    rows = [_figure_row(one) for one in scores.figures]
    caption = (
        "COCO's figures, then VOC's at an overlap of one half. Small: areas below 32 x 32 pixels; "
        "large: above 96 x 96. AR@n: the share of the true boxes that the n surest of each picture "
        "and class find."
    )
    return Table(("Figure", "True boxes", "Value", "Interval"), tuple(rows), caption=caption)


def _figure_row(one: BoxFigure) -> tuple[str, ...]:
    if one.value is None:
        return one.name, "0", UNDEFINED, "not defined: no true box"
    bounds = "too few" if one.interval is None else limits(one.interval, percent)
    return one.name, f"{one.true:,}", percent(one.value), bounds


def _worst(
    scores: DetectionScores, errors: BoxErrors, pictures: Sequence[Path | None]
) -> tuple[Part, ...]:
    if not scores.worst:
        return (Text("None: every true box was found, and nothing else."),)
    groups = []
    for number in scores.worst:
        file = pictures[number]
        drawn = None if file is None else _drawn(file, errors, number)
        if file is not None and drawn is not None:
            counts = _counts(errors, number)
            groups.append((Picture(drawn, counts, file.name, (), "bad"),))
    if not groups:
        return (Text("The pictures are not at hand; name their folder to see their boxes drawn."),)
    legend = (
        "Solid blue: true and found. Solid, thick, ochre: true and missed. Dashed green: found and "
        "right. Dotted red: found and wrong; of these only as many as there are true boxes, and "
        "ten more, the surest."
    )
    return Text(legend), PictureSheet(tuple(groups), filled=True)


def _drawn(file: Path, errors: BoxErrors, number: int) -> str | None:
    """The picture with its boxes as a data URI; None where it cannot be read."""
    try:
        picture = read_picture(file)
    except PictureError:
        return None
    true = np.flatnonzero(errors.true.picture == number)
    hit = set(errors.hit[errors.boxes.picture == number].tolist())
    boxes = [
        DrawnBox(tuple(errors.true.xywh[n].tolist()), "true" if n in hit else "missed")
        for n in true.tolist()
        if not errors.true.crowd[n]
    ]
    own = np.flatnonzero(errors.boxes.picture == number)
    surest = own[np.argsort(-errors.boxes.score[own], kind="stable")]
    wrong = surest[errors.kind[surest] >= 0][: len(true) + 10]
    for kind, places in (("right", surest[errors.hit[surest] >= 0]), ("wrong", wrong)):
        boxes += [DrawnBox(tuple(errors.boxes.xywh[n].tolist()), kind) for n in places.tolist()]
    return data_uri(with_boxes(picture, boxes), longest_side=SHOWN_SIDE)


def _counts(errors: BoxErrors, number: int) -> str:
    kinds = errors.kind[errors.boxes.picture == number]
    counts = [(name, int((kinds == n).sum())) for n, name in enumerate(KINDS)]
    missed = int(errors.missed[errors.true.picture == number].sum())
    return ", ".join(f"{many} {name}" for name, many in [*counts, ("missed", missed)] if many)


def _method(scores: DetectionScores) -> tuple[Part, ...]:
    return (
        Text(
            "Matching and figures are COCO's: at each overlap (intersection over union) from "
            "0.50 to 0.95 the found boxes of a picture and class choose in the order of their "
            "scores; AP is the mean of the precision at 101 recalls, over the overlaps and the "
            "classes with a true box. Kinds of mistakes are those of TIDE, at an overlap of 0.50; "
            "a box that overlaps less than 0.10 lies on the background."
        ),
        Text(
            f"Intervals: {scores.units} are drawn with replacement {scores.resamples:,} times "
            f"(seed {scores.seed}), each with its boxes, and left out in turn. Average precision "
            "is a little too high in few pictures, so its interval reaches further down than up."
        ),
        Text(
            "These figures hold for pictures like these. They flatter a detector that was trained "
            "on any of them.",
            tone="note",
        ),
    )
