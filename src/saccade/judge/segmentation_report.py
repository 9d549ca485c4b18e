"""The report of masks: their scores as one page that a non-expert can read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from saccade.data.masks import read_mask
from saccade.judge.mask_counts import CLASS_FIGURES
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.segmentation import FEW_PICTURES, MaskClass, SegmentationScores
from saccade.judge.wording import figure_of_class, none_last, percent, tile
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
    data_uri,
    interval_chart,
)
from saccade.report.canvas import COLOURS
from saccade.values import IntArray, UInt8Array

LABELS = {
    "mean IoU": "Overlap, mean over the classes (mean IoU)",
    "pixel accuracy": "Pixels given their class",
    "mean class accuracy": "The same, mean over the classes",
    "mean Dice": "Dice, mean over the classes",
    "boundary F": "Edges in place (boundary F)",
    "boundary IoU": "Overlap near the edges (boundary IoU)",
}
MOST_ROWS, MOST_BARS = 200, 40
NO_CLASS = (128, 128, 128)


def segmentation_report(
    scores: SegmentationScores,
    *,
    masks: Sequence[tuple[Path, Path]],
    ignore: int | None = None,
    extra: Sequence[Section] = (),
    about: Mapping[str, str] | None = None,
    title: str = "How well these masks fit",
) -> str:
    """Return one self-contained HTML page.

    ``masks``: (answered, true) files of the pictures judged, of which the worst are shown;
    ``ignore``: the number of pixels that do not count. ``extra``: further sections. ``about``: rows
    for the last table.
    """
    require_those_judged(masks, scores.pictures)
    sections = [
        Section("The result", _summary(scores)),
        Section("Class by class", _per_class(scores)),
        Section("What is taken for what", _confusion(scores)),
        *extra,
        Section("The worst pictures", _worst(scores, masks, ignore)),
    ]
    return framed(
        title,
        sections,
        method=_method(scores),
        history=None,
        about=about,
        subtitle=f"Judged on {scores.basis}.",
    )


def _summary(scores: SegmentationScores) -> tuple[Part, ...]:
    parts: list[Part] = [Tiles(tuple(tile(LABELS[name], one) for name, one in scores.headline))]
    left = f" {scores.ignored:,} pixels do not count." if scores.ignored else ""
    parts.append(
        Text(
            "A class's overlap is the share of the pixels that both masks give it, among those "
            f"that either does.{left}"
        )
    )
    if scores.warning:
        parts.append(Text(f"{scores.warning[0].upper()}{scores.warning[1:]}.", tone="warning"))
    return tuple(parts)


def _per_class(scores: SegmentationScores) -> tuple[Part, ...]:
    rows = sorted(scores.per_class, key=lambda one: none_last(one.values["IoU"]))
    bars = [(one.label, found) for one in rows if (found := one.intervals["IoU"]) is not None]
    parts: list[Part] = []
    if bars:
        chart = interval_chart(
            [(label, 100 * f.value, 100 * f.low, 100 * f.high) for label, f in bars[:MOST_BARS]],
            title="Overlap of each class",
            x_label="IoU, %",
        )
        parts.append(Charts((Chart("Overlap of each class, lowest first", chart),)))
    cut = f" The first {MOST_ROWS} of {len(rows):,} classes." if len(rows) > MOST_ROWS else ""
    caption = (
        f"Lowest IoU first.{cut} In brackets: the interval; “too few”: shown by fewer than "
        f"{FEW_PICTURES} {scores.units}, so that the figure says little."
    )
    for figures, said in ((CLASS_FIGURES[:3], caption), (CLASS_FIGURES[3:], "How the edges fit.")):
        head = ("Class", "Pictures", "Pixels", *figures)
        parts.append(
            Table(head, tuple(_row(one, figures) for one in rows[:MOST_ROWS]), caption=said)
        )
    return tuple(parts)


def _row(one: MaskClass, figures: Sequence[str]) -> tuple[str, ...]:
    cells = [figure_of_class(one.values[name], one.intervals[name]) for name in figures]
    return one.label, f"{one.pictures:,}", f"{one.pixels:,}", *cells


def _confusion(scores: SegmentationScores) -> tuple[Part, ...]:
    names = [one.label for one in scores.per_class]
    counts = np.array(scores.confusion)
    unanswered = int(counts[:, -1].sum())
    shares = 100 * counts[:, :-1] / np.maximum(1, counts.sum(axis=1, keepdims=True))
    chart = confusion_chart(
        np.round(shares).astype(np.int64),
        names,
        title="Confusion of pixels, in percent of the true class",
        description="Rows: the true class. Columns: the answered one.",
    )
    left = f" {unanswered:,} pixels got no class." if unanswered else ""
    caption = f"Percent of the pixels of the true class, rounded.{left}"
    return (Charts((Chart("Rows: the true class. Columns: the answer.", chart, caption),)),)


def _worst(
    scores: SegmentationScores, masks: Sequence[tuple[Path, Path]], ignore: int | None
) -> tuple[Part, ...]:
    if not scores.worst:
        return (Text("None: every pixel was given its class."),)
    groups = []
    for number in scores.worst:
        answered, true = (read_mask(path) for path in masks[number])
        known = np.ones(true.shape, bool) if ignore is None else true != ignore
        wrong = known & (answered != true)
        share = percent(float(wrong.sum() / known.sum()))
        views = (
            ("True", _coloured(true, ignore), "good"),
            ("Answered", _coloured(answered, ignore), "plain"),
            ("Wrong", np.where(wrong, np.uint8(230), np.uint8(30)), "bad"),
        )
        groups.append(
            tuple(
                Picture(
                    data_uri(view, kind="png"),
                    role,
                    masks[number][1].name if role == "True" else "",
                    (f"{share} wrong",) if role == "Wrong" else (),
                    tone,  # type: ignore[arg-type]
                )
                for role, view, tone in views
            )
        )
    text = "The pictures with the largest share of wrong pixels; these are white in the third view."
    return Text(text), PictureSheet(tuple(groups))


def _coloured(mask: IntArray, ignore: int | None) -> UInt8Array:
    """(H, W, 3): a colour a class, the first one dark; those beyond the palette are mixed."""
    base = [tuple(bytes.fromhex(colour[1:])) for colour in COLOURS]
    palette = np.array([(30, 30, 30), *base], np.int64)
    turns, place = np.divmod(mask, len(palette))
    view: IntArray = (palette[place] + 67 * turns[..., None]) % 256
    if ignore is not None:
        view[mask == ignore] = NO_CLASS
    return np.asarray(view, np.uint8)


def _method(scores: SegmentationScores) -> tuple[Part, ...]:
    return (
        Text(
            "Pixels are counted over all pictures. Intersection over union and Dice leave out a "
            "class that neither mask shows. Boundary F: the share of each edge that lies within "
            "0.75 % of the picture's diagonal of the other's, as the harmonic mean of both ways, "
            "averaged over the pictures that show the class. Boundary IoU: overlap of the strips "
            "within 2 % of the diagonal of each edge."
        ),
        Text(
            f"Intervals: {scores.units} are left out in turn, with all their pixels, and the "
            f"spread of the figure makes its interval (jackknife). They take {scores.units} for "
            "independent."
        ),
        Text("These figures hold for pictures like these.", tone="note"),
    )
