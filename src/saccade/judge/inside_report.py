"""The page of what a model has learned: its first filters, or a template a class."""

import numpy as np

from saccade.judge.weight_pictures import Inside, WeightPicture
from saccade.report import Picture, PictureSheet, Section, Text, data_uri, page
from saccade.values import UInt8Array

SIDE = 96  # pixels, about, that the longer side is drawn with
TEXTS = {
    "templates": (
        "The answer for a class, or the number of a target, is the sum over all pixels of their "
        "value times this weight. Bright: a bright pixel here speaks for it. Dark: a bright pixel "
        "speaks against it. Middle grey: the pixel does not count. Of a picture in colour, each of "
        "red, green and blue has weights of its own."
    ),
    "first filters": (
        "What the first layer looks for, at every place, or of fully connected layers over the "
        "whole picture. Bright: positive weights, dark: negative ones, middle grey: 0. Edges, bars "
        "and colours are the rule after a training that went well; filters that look like noise "
        "have learned little."
    ),
}


def inside_report(inside: Inside, *, about: str) -> str:
    """Return one self-contained HTML page."""
    shown = len(inside.pictures)
    parts = (Text(TEXTS[inside.kind]), PictureSheet(tuple(_groups(inside))))
    few = f", the first {shown:,} of {inside.total:,}" if shown < inside.total else f", {shown:,}"
    heading = f"{inside.kind.capitalize()}{few}"
    return page("What the model has learned", [Section(heading, parts)], subtitle=f"Of {about}")


def _groups(inside: Inside) -> list[tuple[Picture, ...]]:
    pictures = [_picture(one, inside.kind.removesuffix("s")) for one in inside.pictures]
    return [tuple(pictures[start : start + 3]) for start in range(0, len(pictures), 3)]


def _picture(one: WeightPicture, role: str) -> Picture:
    largest = f"largest weight {one.largest:.3g}"
    return Picture(data_uri(_enlarged(one.pixels), kind="png"), role, one.name, (largest,))


def _enlarged(pixels: UInt8Array) -> UInt8Array:
    """Every weight as a square of whole pixels, so that none is blurred."""
    factor = max(1, SIDE // max(pixels.shape[:2]))
    return np.asarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1), np.uint8)
