"""The report of masks: their scores as one page that a non-expert can read."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from saccade.data.masks import read_mask
from saccade.judge.mask_counts import CLASS_FIGURES
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.segmentation import FEW_PICTURES, MaskClass, SegmentationScores
from saccade.judge.wording import figure_of_class, none_last, percent, tile
from saccade.report import (
    Chart,
    Charts,
    Legend,
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
from saccade.report.mask_colours import class_colours, coloured, covered, shown_classes
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
MOST_KEYS = 24  # colours that are explained


class Shown(NamedTuple):
    """A picture that was judged: its ``name``, ``masks()`` (answered, true), ``picture()`` if any.

    Masks are (H, W) class numbers, the picture is (H, W, 3) uint8 of the same size.
    """

    name: str
    masks: Callable[[], tuple[IntArray, IntArray]]
    picture: Callable[[], UInt8Array] | None = None

    @classmethod
    def of_files(cls, answered: Path, true: Path) -> Self:
        """Return what two PNG files show."""
        return cls(true.name, partial(_read_both, answered, true))


def _read_both(answered: Path, true: Path) -> tuple[IntArray, IntArray]:
    return read_mask(answered), read_mask(true)


def segmentation_report(
    scores: SegmentationScores,
    *,
    shown: Sequence[Shown],
    ignore: int | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    note: str = "",
    extra: Sequence[Section] = (),
    about: Mapping[str, str] | None = None,
    title: str = "How well these masks fit",
) -> str:
    """Return one self-contained HTML page.

    ``shown``: the pictures judged, of which the worst are painted; ``ignore``: the number of pixels
    that do not count. ``history``: training records; ``note``: what the reader must know first;
    ``extra``: further sections; ``about``: rows for the last table.
    """
    require_those_judged(shown, scores.pictures)
    sections = [
        Section("The result", _summary(scores, note)),
        Section("Class by class", _per_class(scores)),
        Section("What is taken for what", _confusion(scores)),
        *extra,
        Section("The worst pictures", _worst(scores, shown, ignore)),
    ]
    return framed(
        title,
        sections,
        method=_method(scores),
        history=history,
        about=about,
        subtitle=f"Judged on {scores.basis}.",
    )


def _summary(scores: SegmentationScores, note: str) -> tuple[Part, ...]:
    parts: list[Part] = [Tiles(tuple(tile(LABELS[name], one) for name, one in scores.headline))]
    left = f" {scores.ignored:,} pixels do not count." if scores.ignored else ""
    parts.append(
        Text(
            "A class's overlap is the share of the pixels that both masks give it, among those "
            f"that either does.{left}"
        )
    )
    for said in filter(None, (scores.warning, note)):
        parts.append(Text(f"{said[0].upper()}{said[1:].rstrip('.')}.", tone="warning"))
    return tuple(parts)


def _per_class(scores: SegmentationScores) -> tuple[Part, ...]:
    rows = sorted(scores.per_class, key=lambda one: none_last(one.values["IoU"]))
    bars = [(one.label, found) for one in rows if (found := one.intervals["IoU"]) is not None]
    parts: list[Part] = []
    if len(bars) > 1:
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
    scores: SegmentationScores, shown: Sequence[Shown], ignore: int | None
) -> tuple[Part, ...]:
    if not scores.worst:
        return (Text("None: every pixel was given its class."),)
    groups, seen = [], []
    for number in scores.worst:
        one = shown[number]
        answered, true = one.masks()
        seen += [answered, true]
        groups.append(_views(one, answered, true, ignore))
    text = "The pictures with the largest share of wrong pixels; these are white in the last view."
    names = [one.label for one in scores.per_class]
    keys = shown_classes(seen, len(names))
    if all(one.picture for one in shown):
        keys = [number for number in keys if number]  # Over pictures the first class is left bare.
    return (
        Text(text),
        *(colour_key(names, keys) if keys else ()),
        PictureSheet(tuple(groups)),
    )


def _views(
    one: Shown, answered: IntArray, true: IntArray, ignore: int | None
) -> tuple[Picture, ...]:
    """What is true, what was answered, over the picture if there is one, and what is wrong."""
    known = np.ones(true.shape, bool) if ignore is None else true != ignore
    wrong = known & (answered != true)
    share = percent(float(wrong.sum() / known.sum()))
    painted = partial(coloured) if one.picture is None else partial(covered, one.picture())
    errors = np.where(wrong, np.uint8(230), np.uint8(30))
    return (
        Picture(data_uri(painted(true, ignore), kind="png"), "True", one.name, (), "good"),
        Picture(data_uri(painted(answered, ignore), kind="png"), "Answered", "", (), "plain"),
        Picture(data_uri(errors, kind="png"), "Wrong", "", (f"{share} wrong",), "bad"),
    )


def colour_key(names: Sequence[str], numbers: Sequence[int]) -> tuple[Part, ...]:
    """Return which colour is which class, for the classes of these ``numbers``."""
    colours = class_colours(np.array(numbers[:MOST_KEYS], np.int64)).tolist()
    entries = tuple(
        (f"#{red:02x}{green:02x}{blue:02x}", names[number])
        for number, (red, green, blue) in zip(numbers, colours, strict=False)
    )
    cut = len(numbers) - len(entries)
    more = (Text(f"{cut} more classes have colours of their own, mixed."),) if cut else ()
    return Legend(entries), *more


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
