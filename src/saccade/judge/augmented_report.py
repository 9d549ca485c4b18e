"""The sheet of changed training pictures: each as it is, then several times as it is learned."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saccade.judge.report_frame import framed
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
from saccade.values import Float32Array, UInt8Array

SHOWN_SIDE = 320  # pixels that the longer side of a picture is shown with at least
METHOD = (
    "The first of each row is the picture as it is read, at the size that the network sees. The "
    "others are drawn at random, as in training, where every epoch draws anew.",
    "Solid boxes are to be found. Of a dashed one too little is left, or it is marked as "
    "difficult, or as a crowd: it is neither to be found nor background. An object of which less "
    "than 15 % is left has no box.",
)


@dataclass(frozen=True, slots=True)
class Changed:
    """A picture and what becomes of it, the first unchanged: ``pictures`` (H, W, 3) uint8.

    ``targets``: of each (m, 6) rows of a detector, or None. ``mixtures``: what each is made of,
    where pictures are mixed.
    """

    path: Path
    label: str
    pictures: Sequence[UInt8Array]
    targets: Sequence[Float32Array | None]
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
    texts = METHOD if classes else METHOD[:1]
    return framed(
        "What training would see",
        [
            Section("Pictures", (told, sheet)),
            Section("Settings", (Table(("Setting", "Value"), tuple(settings.items())),)),
        ],
        method=tuple(Text(text) for text in texts),
        history=None,
        about={"data": data, "height x width": f"{height} x {width}"},
        subtitle=f"{len(shown):,} pictures, each {len(shown[0].pictures) - 1} times.",
    )


def _group(one: Changed, classes: Sequence[str]) -> tuple[Picture, ...]:
    found = []
    for number, (picture, targets) in enumerate(zip(one.pictures, one.targets, strict=True)):
        role = f"Draw {number}" if number else "As it is"
        detail = [_counted(targets, classes)] if targets is not None else []
        detail += [one.mixtures[number]] if number and one.mixtures else []
        drawn = _drawn(picture, targets)
        uri = data_uri(drawn, longest_side=2 * SHOWN_SIDE)
        found.append(Picture(uri, role, one.label or one.path.name, tuple(detail)))
    return tuple(found)


def _drawn(picture: UInt8Array, targets: Float32Array | None) -> UInt8Array:
    """Make small pictures larger by whole numbers, then draw their boxes."""
    factor = max(1, round(SHOWN_SIDE / max(picture.shape[:2])))
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    if targets is None:
        return large
    boxes = []
    scale = np.array([factor] * 4 + [1, 1], np.float32)
    for x1, y1, x2, y2, label, ignored in (targets * scale).tolist():
        if label >= 0:
            kind = "ignored" if ignored else "true"
            boxes.append(DrawnBox((x1, y1, x2 - x1, y2 - y1), kind))
    return with_boxes(large, boxes)


def _counted(targets: Float32Array, classes: Sequence[str]) -> str:
    """How many objects of each class are to be found, the commonest first, and are not."""
    real = targets[targets[:, 4] >= 0]
    counts = Counter(classes[int(row[4])] for row in real if not row[5])
    told = [f"{many:,} {name}" for name, many in counts.most_common(4)]
    passed = int((real[:, 5] != 0).sum())
    return ", ".join([*told, *([f"{passed:,} ignored"] if passed else [])]) or "no box"
