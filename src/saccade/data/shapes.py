"""Drawn pictures of circles, squares and triangles, with their boxes and masks.

They stand on textured ground and cover each other in part. All is drawn from a seed, so the same
data can be made anywhere; what is drawn is ours. The boxes lie in COCO's form beside the pictures,
the masks in a folder of their own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from saccade.boxes import BoolArray
from saccade.data import box_coco
from saccade.data.box_sets import BoxColumns, BoxPicture, BoxSet
from saccade.values import Float64Array, IntArray, UInt8Array

SHAPES = ("circle", "square", "triangle")
PARTS = {"train": 360, "val": 40, "test": 60}  # pictures of each
SIZE_HW = (48, 72)
SIDES = (14, 30)  # pixels of a shape: the least and the most
MOST = 3  # shapes of a picture; at least one
SEEN = 0.6  # least share of a shape that others leave to be seen
MASKS = "masks"
COLOURS = np.array(
    [(214, 60, 50), (40, 120, 210), (240, 180, 40), (70, 160, 80), (150, 80, 170), (230, 230, 225)]
)
TRIES = 50  # at a place for one more shape


class DrawnPicture(NamedTuple):
    """``pixels`` (H, W, 3) uint8; ``mask`` (H, W) uint8: 0 ground, n the class SHAPES[n - 1].

    ``kinds`` (m,) int64 places in SHAPES; ``xywh`` (m, 4) and ``area`` (m,) float64 pixels: of what
    is to be seen of each shape.
    """

    pixels: UInt8Array
    mask: UInt8Array
    kinds: IntArray
    xywh: Float64Array
    area: Float64Array


def draw_shapes(draw: np.random.Generator, size_hw: tuple[int, int] = SIZE_HW) -> DrawnPicture:
    """Draw one picture of one to MOST shapes, the later ones over the earlier."""
    pixels = _ground(draw, size_hw)
    visible: list[BoolArray] = []
    kinds: list[int] = []
    whole: list[int] = []  # pixels that each would show by itself
    wanted = int(draw.integers(1, MOST + 1))
    for _ in range(TRIES):
        if len(kinds) == wanted:
            break
        kind = int(draw.integers(len(SHAPES)))
        inside = _silhouette(draw, kind, size_hw)
        left = [one & ~inside for one in visible]
        if any(one.sum() < SEEN * all_ for one, all_ in zip(left, whole, strict=True)):
            continue
        colour = COLOURS[draw.integers(len(COLOURS))] + draw.normal(0, 8, (*size_hw, 3))
        pixels[inside] = colour[inside]
        visible, kinds, whole = [*left, inside], [*kinds, kind], [*whole, int(inside.sum())]
    mask = np.zeros(size_hw, np.uint8)
    for kind, one in zip(kinds, visible, strict=True):
        mask[one] = kind + 1
    return DrawnPicture(
        pixels.clip(0, 255).astype(np.uint8),
        mask,
        np.array(kinds, np.int64),
        np.array([_box(one) for one in visible], np.float64),
        np.array([one.sum() for one in visible], np.float64),
    )


def write_shapes(root: Path, *, seed: int = 0, parts: Mapping[str, int] = PARTS) -> dict[str, int]:
    """Write so many pictures of each part below ``root``; returns how many shapes they show.

    ``root/PART`` holds PNG files and their boxes as ``read_boxes`` reads them, ``root/masks/PART``
    the label map of each picture under its name.
    """
    draw = np.random.default_rng(seed)
    sets = {part: _written(root, part, count, draw) for part, count in parts.items()}
    box_coco.write(sets, root, {part: one.names() for part, one in sets.items()})
    return {part: len(one.boxes.picture) for part, one in sets.items()}


def _written(root: Path, part: str, count: int, draw: np.random.Generator) -> BoxSet:
    folder, masks = root / part, root / MASKS / part
    for place in (folder, masks):
        place.mkdir(parents=True, exist_ok=True)
    drawn = [draw_shapes(draw) for _ in range(count)]
    for number, one in enumerate(drawn):
        Image.fromarray(one.pixels).save(folder / f"{number:03}.png")
        Image.fromarray(one.mask).save(masks / f"{number:03}.png")
    picture = np.repeat(np.arange(count), [len(one.kinds) for one in drawn])
    none = np.zeros(len(picture), bool)
    boxes = BoxColumns(
        picture=picture,
        category=np.concatenate([one.kinds for one in drawn]),
        xywh=np.concatenate([one.xywh for one in drawn]),
        area=np.concatenate([one.area for one in drawn]),
        crowd=none,
        difficult=none,
        ignored=none,
    )
    pictures = tuple(BoxPicture(folder / f"{n:03}.png", SIZE_HW) for n in range(count))
    return BoxSet(folder, pictures, SHAPES, boxes)


def _ground(draw: np.random.Generator, size_hw: tuple[int, int]) -> Float64Array:
    """A slope of grey with waves and grain, (H, W, 3) float64."""
    row, column = np.mgrid[: size_hw[0], : size_hw[1]]
    angle, length = draw.uniform(0, 2 * np.pi), draw.uniform(6, 24)
    along = row * np.sin(angle) + column * np.cos(angle)
    grey = draw.uniform(70, 150) + 0.3 * along + draw.uniform(5, 18) * np.sin(along / length * 6.28)
    tint = draw.normal(0, 10, 3)
    ground: Float64Array = grey[..., None] + tint + draw.normal(0, 8, (*size_hw, 3))
    return ground


def _silhouette(draw: np.random.Generator, kind: int, size_hw: tuple[int, int]) -> BoolArray:
    """The pixels (H, W) that a new shape somewhere in the picture covers."""
    side = int(draw.integers(SIDES[0], SIDES[1] + 1))
    top, left = (int(draw.integers(0, edge - side)) for edge in size_hw)
    right, bottom = left + side - 1, top + side - 1
    image = Image.new("1", (size_hw[1], size_hw[0]))
    pen = ImageDraw.Draw(image)
    if SHAPES[kind] == "circle":
        pen.ellipse((left, top, right, bottom), fill=1)
    elif SHAPES[kind] == "square":
        pen.rectangle((left, top, right, bottom), fill=1)
    else:
        pen.polygon([(left, bottom), (right, bottom), ((left + right) // 2, top)], fill=1)
    return np.asarray(image)


def _box(seen: BoolArray) -> tuple[int, int, int, int]:
    """The smallest box [x, y, width, height] around pixels (H, W), of which there are some."""
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return int(columns[0]), int(rows[0]), int(width), int(height)
