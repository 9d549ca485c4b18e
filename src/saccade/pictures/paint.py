"""Boxes and names painted on a photo, to be read on any ground, and the files of painted photos.

Letters are those of DejaVu Sans, which comes with matplotlib: Latin, Greek, Cyrillic, Hebrew,
Arabic; others, such as Chinese, are shown as frames.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from saccade.errors import InputError
from saccade.files import replacing
from saccade.pictures.photo import Named, Names
from saccade.report.canvas import COLOURS
from saccade.report.text import short
from saccade.values import Detection, UInt8Array

LEAST_SIDE = 480  # pixels: a smaller photo is painted larger
LONGEST_NAME = 40  # letters
LETTER_SHARE = 40  # the photo's longer side over the height of a letter
SMALLEST_LETTER = 13  # pixels
# A name, unknown, not searched: the colour of the box and of the ground below the letters.
KNOWN, STRANGER, UNSEARCHED = COLOURS[2], COLOURS[1], "#555555"

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A box [x, y, width, height] in the photo's pixels, its words, and the colour of both."""

    box: Sequence[float]
    words: str
    colour: str


def painted(photo: UInt8Array, names: Names) -> UInt8Array:
    """Return a photo with its boxes and the names of those whom they show, as ``with_marks``."""
    return with_marks(photo, [Mark(box.box, _words(box), _colour(box)) for box in names.boxes])


def painted_objects(photo: UInt8Array, found: Detection, classes: Sequence[str]) -> UInt8Array:
    """Return a photo with what was found in it, as ``with_marks``: a colour a class, its score."""
    colour = {label: COLOURS[n % len(COLOURS)] for n, label in enumerate(classes)}
    each = zip(found.xywh.tolist(), found.labels, found.scores.tolist(), strict=True)
    return with_marks(
        photo,
        [
            Mark(box, f"{short(label, LONGEST_NAME)} {score:.2f}", colour[label])
            for box, label, score in each
        ],
    )


def painted_places(
    photos: Sequence[Path], folder: Path, *, option: str = "--painted"
) -> list[Path]:
    """Return where each painted photo is to stand in ``folder``, none of which is there yet.

    The folder is made by the first that is written. Raises InputError where one is there, as where
    the photos themselves are, or where ``folder``, which ``option`` names, is a file.
    """
    if folder.is_file():
        raise InputError(f"{folder} is a file; name a folder with {option}")
    places: list[Path] = []
    taken: set[Path] = set()
    for photo in photos:
        names = (f"{photo.stem}{'' if n == 1 else f'-{n}'}.png" for n in range(1, 1 + len(photos)))
        places.append(next(folder / name for name in names if folder / name not in taken))
        taken.add(places[-1])
    for place in places:
        if place.exists():
            raise InputError(f"{place} exists already; name another folder for {option}")
    return places


def write_painted(picture: UInt8Array, place: Path) -> None:
    """Write a painted photo as PNG, whole or not at all, in a folder that is made if need be."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def with_marks(photo: UInt8Array, marks: Sequence[Mark]) -> UInt8Array:
    """Return (H, W, 3) uint8: the photo, or a multiple of it, with boxes and words, surest first.

    The surest box lies on top. A name longer than LONGEST_NAME letters, or than the photo is wide,
    is cut; it stands above its box, or below or inside where there is no room.
    """
    image, factor = large_enough(photo)
    pen = ImageDraw.Draw(image)
    letters = max(SMALLEST_LETTER, max(image.size) // LETTER_SHARE)
    line = max(2, letters // 6)
    for mark in reversed(marks):
        _frame(pen, _corners(mark, factor), mark.colour, line)
    taken: list[Rectangle] = []
    for mark in marks:
        taken.append(_label(pen, mark, _corners(mark, factor), taken, letters, image.size))
    return np.asarray(image)


def large_enough(photo: UInt8Array) -> tuple[Image.Image, int]:
    """Return (H, W, 3) uint8 as an image, a small one a multiple as large, and that factor."""
    image = Image.fromarray(photo)
    factor = -(-LEAST_SIDE // max(image.size))
    size = (image.width * factor, image.height * factor)
    return (image.resize(size, Image.Resampling.BICUBIC) if factor > 1 else image), factor


def _corners(mark: Mark, factor: int) -> Rectangle:
    x, y, width, height = (factor * side for side in mark.box)
    return x, y, x + width, y + height


def _colour(box: Named) -> str:
    if not box.searched:
        return UNSEARCHED
    return STRANGER if box.match is None else KNOWN


def _frame(pen: ImageDraw.ImageDraw, corners: Rectangle, colour: str, line: int) -> None:
    """A coloured line between two white ones, which show on a dark ground."""
    for grown, fill, width in ((line, "white", line + 2), (line - 1, colour, line)):
        left, top, right, bottom = corners
        outer = (left - grown, top - grown, right + grown, bottom + grown)
        pen.rectangle(outer, outline=fill, width=width)


def _label(
    pen: ImageDraw.ImageDraw,
    mark: Mark,
    corners: Rectangle,
    taken: list[Rectangle],
    letters: int,
    size: tuple[int, int],
) -> Rectangle:
    """Write the name where it covers no other; return the place it took."""
    font = font_of(letters)
    text = _fitting(pen, mark.words, font, size[0] - letters)
    width, height = pen.textlength(text, font) + letters * 0.6, letters * 1.45
    places = list(_places(corners, width, height, size))
    place = next((one for one in places if not any(_meet(one, other) for other in taken)), None)
    place = place or places[0]
    pen.rectangle(place, fill=mark.colour, outline="white")
    middle = (place[1] + place[3]) / 2
    pen.text((place[0] + letters * 0.3, middle), text, "white", font, anchor="lm")
    return place


def _words(box: Named) -> str:
    if box.match is None:
        return short(box.identity.partition(":")[0])
    return f"{short(box.match.identity, LONGEST_NAME)} {box.match.similarity:.2f}"


def _fitting(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: float
) -> str:
    while len(text) > 1 and pen.textlength(text, font) > width:
        text = f"{text[:-2]}…"
    return text


def _places(
    corners: Rectangle, width: float, height: float, size: tuple[int, int]
) -> Iterator[Rectangle]:
    """Above the box, below it, inside at its top and at its bottom, each moved into the picture."""
    left, top, _, bottom = corners
    x = min(max(left, 0), size[0] - width)
    for y in (top - height, bottom, top, bottom - height):
        inside = min(max(y, 0), size[1] - height)
        yield x, inside, x + width, inside + height


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@functools.cache
def font_of(letters: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans of that height in pixels."""
    import matplotlib

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), letters)
