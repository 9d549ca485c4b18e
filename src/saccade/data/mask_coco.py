"""Masks from COCO's annotation files: polygons and run lengths, a class each category.

What no annotation covers is ground, class 0. What objects of two classes cover has no one class and
is void, and so are crowds, what is to be ignored, and the boxes of objects without an outline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saccade.data import box_coco
from saccade.data.box_collector import inside, one_line
from saccade.data.coco import CocoTruth, columns_of, file_name, read_annotations
from saccade.data.mask_classes import OBJECTS, MaskClasses
from saccade.data.mask_sets import UNREADABLE, FoundMasks, Pair
from saccade.data.outlines import Box, Outline, read_outline
from saccade.data.pictures import MAX_PIXELS, TOO_LARGE, usual_size
from saccade.errors import InputError, PictureError
from saccade.values import VOID, Broken, UInt8Array

NO_OUTLINE = "objects without an outline, whose box is void"
OTHER_CLASS = "objects of a category that segment.classes does not name, read as ground"
NOTHING = "nothing"  # what class 0 is called where a category is called ground


class Shape(NamedTuple):
    """An object of a picture: the number of its class, or VOID, and where it is."""

    number: int
    outline: Outline


@dataclass(frozen=True, slots=True)
class CocoMask:
    """The mask of one picture of an annotation file."""

    path: Path
    picture: str
    size_hw: tuple[int, int]
    shapes: tuple[Shape, ...]

    def read(self) -> UInt8Array:
        """Return (H, W) uint8: numbers of classes, or VOID; PictureError when it is too large."""
        if self.size_hw[0] * self.size_hw[1] > MAX_PIXELS:
            raise PictureError(f"{self} {TOO_LARGE}")
        found, void = np.zeros(self.size_hw, np.uint8), np.zeros(self.size_hw, bool)
        for number, outline in self.shapes:
            if number == 0:
                continue
            own = outline.pixels(self.size_hw)
            if number == VOID:
                void |= own
                continue
            two = own & (found != 0) & (found != number)
            found[own] = number
            found[two] = VOID
        found[void & (found == 0)] = VOID
        return found

    def __str__(self) -> str:
        return f"{self.path} says of {self.picture}"


def find(place: Path, masks: str = "") -> Mapping[str, Path]:
    """Return the annotation file of each part below ``place``, which may be a .json; {} if none."""
    return {} if masks else box_coco.find(place)


def read(parts: Mapping[str, Path], classes: MaskClasses) -> dict[str, FoundMasks]:
    """Return the pairs of each part.

    Raises InputError, naming the file and the annotation, for an outline that is damaged, and where
    a file has none at all.
    """
    truths = {part: read_annotations(file) for part, file in parts.items()}
    names = _names(truths, classes)
    found = {}
    for part, truth in truths.items():
        if len(truth.boxes.picture) and not any(truth.segmentations):
            raise InputError(f"{truth.path} holds boxes without segmentations; masks need those")
        found[part] = _found(truth, part, names, classes)
    return found


def _names(truths: Mapping[str, CocoTruth], classes: MaskClasses) -> tuple[str, ...]:
    """Ground, then every category in the order of the files; or what is named."""
    known = tuple(dict.fromkeys(one_line(n) for one in truths.values() for n in one.categories))
    first = next(iter(truths.values())).path
    if classes.colours:
        raise InputError(f"{first} holds no colours; name the classes alone with segment.classes")
    if classes.objects:
        return classes.names
    if not classes.names:
        ground = OBJECTS[0] if OBJECTS[0] not in known else NOTHING
        return (ground, *known)
    if classes.names[0] in known or not set(classes.names) & set(known):
        raise InputError(
            f"segment.classes must name the ground, then categories of {first}, which are "
            f"{', '.join(known[:12])}. Got {','.join(classes.names):.80}"
        )
    return classes.names


def _found(truth: CocoTruth, part: str, names: tuple[str, ...], classes: MaskClasses) -> FoundMasks:
    root = box_coco.pictures_of(truth, part)
    found = FoundMasks(root, names=names)
    number = {name: place for place, name in enumerate(names)}
    number |= dict.fromkeys(classes.void_names, VOID)
    numbers = [1 if classes.objects else number.get(one_line(name), 0) for name in truth.categories]
    own: list[list[int]] = [[] for _ in truth.pictures]
    for n, picture in enumerate(truth.boxes.picture.tolist()):
        own[picture].append(n)
    for one, rows in zip(truth.pictures, own, strict=True):
        path = inside(root, file_name(one), f"{truth.path} image {one['id']}")
        size_hw = box_coco.stated_size(one) or _size(path, found)
        if size_hw is not None:
            shapes = [_shape(truth, n, numbers, size_hw, found) for n in rows]
            mask = CocoMask(truth.path, file_name(one), size_hw, tuple(shapes))
            found.pairs.append(Pair(path, partial(_itself, mask), columns_of(one)))
    return found


def _shape(
    truth: CocoTruth,
    n: int,
    numbers: Sequence[int],
    size_hw: tuple[int, int],
    found: FoundMasks,
) -> Shape:
    """One annotation; one of a class that is not named is ground, whatever its outline."""
    where = f"{truth.path} annotation {n}"
    boxes = truth.boxes
    number = numbers[boxes.category[n]]
    outline = read_outline(truth.segmentations[n], size_hw, where)
    if number == 0:
        found.changed.add(OTHER_CLASS, where)
    elif boxes.crowd[n] or truth.ignored[n]:
        number = VOID
    elif outline is None:
        found.changed.add(NO_OUTLINE, where)
        number = VOID
    x, y, width, height = boxes.xywh[n].tolist()
    return Shape(number, outline or Box((x, y, width, height)))


def _size(path: Path, found: FoundMasks) -> tuple[int, int] | None:
    """Height and width by the head of a picture; None, told, where it cannot be read."""
    try:
        (height, width), _ = usual_size([path])
    except PictureError as error:
        found.left_out.add(UNREADABLE, str(error))
        found.broken.append(Broken(str(path), str(error)))
        return None
    return int(height), int(width)


def _itself(mask: CocoMask) -> CocoMask:
    return mask
