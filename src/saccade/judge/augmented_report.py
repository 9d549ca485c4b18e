"""The sheet of changed training pictures: each as it is, then several times as it is learned."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saccade.judge.report_frame import framed
from saccade.judge.segmentation_report import colour_key
from saccade.judge.wording import percent
from saccade.report import (
    DrawnBox,
    Picture,
    PictureSheet,
    Section,
    Table,
    Text,
    data_uri,
    with_boxes,
)
from saccade.report.mask_colours import covered, shown_classes
from saccade.values import VOID, Float32Array, UInt8Array

SHOWN_SIDE = 320  # pixels that the longer side of a picture is shown with at least
METHOD = (
    "The first of each row is the picture as it is read, at the size that the network sees. The "
    "others are drawn at random, as in training, where every epoch draws anew."
)
OF_BOXES = (
    "Solid boxes are to be found. Of a dashed one too little is left, or it is marked as "
    "difficult, or as a crowd: it is neither to be found nor background. An object of which less "
    "than 15 % is left has no box."
)
OF_MASKS = (
    "Each class but the first has its colour over the picture. Grey is void: it is learned as no "
    "class. So is what is covered, and what lies beyond the edge of the picture, which is mirrored."
)


@dataclass(frozen=True, slots=True)
class Changed:
    """A picture and what becomes of it, the first unchanged: ``pictures`` (H, W, 3) uint8.

    Of each, ``boxes``: (m, 6) rows of a detector, or ``masks``: (H, W) uint8 numbers of classes, or
    VOID, or ``mixtures``: what it is made of, where pictures are mixed; () where there are none.
    """

    path: Path
    label: str
    pictures: Sequence[UInt8Array]
    boxes: Sequence[Float32Array] = ()
    masks: Sequence[UInt8Array] = ()
    mixtures: Sequence[str] = ()


def augmented_report(
    shown: Sequence[Changed], *, classes: Sequence[str], settings: Mapping[str, str], data: str
) -> str:
    """Return one self-contained HTML page; ``settings``: the names and values of ``augment``."""
    sheet = PictureSheet(tuple(_group(one, classes) for one in shown), large=True)
    height, width = shown[0].pictures[0].shape[:2]
    told = Text(
        "Look whether a person could still tell what each picture shows. Where not, lower the "
        "setting that does it; where all look the same, raise one."
    )
    masks = [mask for one in shown for mask in one.masks]
    # The first class is left bare.
    painted = [number for number in shown_classes(masks, len(classes)) if number]
    key = colour_key(classes, painted) if painted else ()
    boxes = any(one.boxes for one in shown)
    texts = [METHOD, *([OF_MASKS] if masks else []), *([OF_BOXES] if boxes else [])]
    return framed(
        "What training would see",
        [
            Section("Pictures", (told, *key, sheet)),
            Section("Settings", (Table(("Setting", "Value"), tuple(settings.items())),)),
        ],
        method=tuple(Text(text) for text in texts),
        history=None,
        about={"data": data, "height x width": f"{height} x {width}"},
        subtitle=f"{len(shown):,} pictures, each {len(shown[0].pictures) - 1} times.",
    )


def _group(one: Changed, classes: Sequence[str]) -> tuple[Picture, ...]:
    found = []
    for number, picture in enumerate(one.pictures):
        role = f"Draw {number}" if number else "As it is"
        detail: tuple[str, ...] = ()
        if number and one.mixtures:
            detail = (one.mixtures[number],)
        # Small pictures are made larger by whole numbers, then drawn on.
        factor = max(1, round(SHOWN_SIDE / max(picture.shape[:2])))
        view = picture
        if one.masks:
            view = covered(picture, one.masks[number], VOID)
            detail = (_shares(one.masks[number], classes),)
        view = view.repeat(factor, axis=0).repeat(factor, axis=1)
        if one.boxes:
            view = _boxed(view, one.boxes[number], factor)
            detail = (_counted(one.boxes[number], classes),)
        uri = data_uri(view, longest_side=2 * SHOWN_SIDE)
        found.append(Picture(uri, role, one.label or one.path.name, detail))
    return tuple(found)


def _boxed(view: UInt8Array, targets: Float32Array, factor: int) -> UInt8Array:
    """Draw the boxes of a picture on it, made larger."""
    boxes = []
    scale = np.array([factor] * 4 + [1, 1], np.float32)
    for x1, y1, x2, y2, label, ignored in (targets * scale).tolist():
        if label >= 0:
            kind = "ignored" if ignored else "true"
            boxes.append(DrawnBox((x1, y1, x2 - x1, y2 - y1), kind))
    return with_boxes(view, boxes)


def _shares(mask: UInt8Array, classes: Sequence[str]) -> str:
    """Which share of the pixels is of each class but the first, the largest first, and is void."""
    counts = np.bincount(mask.ravel(), minlength=VOID + 1) / mask.size
    order = [n for n in np.argsort(-counts[: len(classes)], kind="stable") if n and counts[n]]
    told = [f"{percent(counts[n])} {classes[n]}" for n in order[:4]]
    void = [f"{percent(counts[VOID])} void"] if counts[VOID] else []
    return ", ".join([*told, *void]) or f"only {classes[0]}"


def _counted(targets: Float32Array, classes: Sequence[str]) -> str:
    """How many objects of each class are to be found, the commonest first, and are not."""
    real = targets[targets[:, 4] >= 0]
    counts = Counter(classes[int(row[4])] for row in real if not row[5])
    told = [f"{many:,} {name}" for name, many in counts.most_common(4)]
    passed = int((real[:, 5] != 0).sum())
    return ", ".join([*told, *([f"{passed:,} ignored"] if passed else [])]) or "no box"
