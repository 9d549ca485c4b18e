"""Where the object of a picture is: a box in columns of the data's table, or a mask beside it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saccade.data.pictures import BROKEN, GREY_MODES, MAX_PIXELS, TOO_LARGE, refusal
from saccade.data.readers import column
from saccade.data.targets import read_number
from saccade.errors import InputError, PictureError, SettingError
from saccade.files import existing_folder
from saccade.values import Sample

BoolArray = NDArray[np.bool_]
BOX = "x,y,width,height"


def box_columns(text: str) -> tuple[str, ...]:
    """Return the four names in "x,y,width,height"; SettingError for fewer, more or empty ones."""
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 4 or not all(names):
        raise SettingError(
            f"boxes must name four columns of the table, in this order: {BOX}. Got '{text}' instead"
        )
    return names


def read_boxes(samples: Sequence[Sample], names: Sequence[str]) -> list[tuple[float, ...]]:
    """Return each sample's box: x, y, width, height in pixels of the upright picture.

    x and y are of its upper left corner, from 0. Raises InputError, naming the picture, for what is
    no number, and for a box without width or height.
    """
    rows = zip(*(column(samples, name) for name in names), strict=True)
    boxes = []
    for sample, row in zip(samples, rows, strict=True):
        box = tuple(
            read_number(cell, f"{sample.path}: {name}")
            for name, cell in zip(names, row, strict=True)
        )
        if min(box[2:]) <= 0:
            raise InputError(
                f"{sample.path}: a box needs a width and a height above 0. Got {box[2]:g} and "
                f"{box[3]:g} instead"
            )
        boxes.append(box)
    return boxes


def box_mask(box: Sequence[float], size_hw: tuple[int, int], where: Path) -> BoolArray:
    """Return (H, W) bool: every pixel that the box touches; InputError when it touches none."""
    x, y, width, height = box
    rows, columns = (np.arange(side) for side in size_hw)
    down = (rows + 1 > y) & (rows < y + height)
    across = (columns + 1 > x) & (columns < x + width)
    if not (down.any() and across.any()):
        raise InputError(
            f"{where}: the box {x:g},{y:g},{width:g},{height:g} lies outside of the picture, which "
            f"is {size_hw[1]}x{size_hw[0]}; boxes are in its pixels"
        )
    return down[:, None] & across[None, :]


def find_masks(samples: Sequence[Sample], folder: Path | str) -> list[Path]:
    """Return the mask of each sample: FOLDER/LABEL/NAME.png, else FOLDER/NAME.png.

    NAME is the picture's without its ending. Raises InputError, naming the picture, for one that
    is missing, or that two pictures would share.
    """
    root = existing_folder(folder, "folder of masks")
    found: dict[Path, Sample] = {}
    for sample in samples:
        name = f"{sample.path.stem}.png"
        inner = root / sample.path.parent.name / name
        place = inner if inner.is_file() else root / name
        if not place.is_file():
            raise InputError(f"{sample.path} has no mask {place}; add it, a PNG, object above 0")
        if place in found:
            raise InputError(
                f"{place} would be the mask of {found[place].path} and of {sample.path}; put masks "
                "into a sub-folder a class"
            )
        found[place] = sample
    return list(found)


def read_mask(place: Path, size_hw: tuple[int, int]) -> BoolArray:
    """Return (H, W) bool, True where a value is above 0.

    Raises InputError for a mask of another size than its picture's, or one without an object,
    PictureError for one that cannot be read.
    """
    mask = _marked(place)
    if mask.shape != size_hw:
        raise InputError(
            f"{place} is {mask.shape[1]}x{mask.shape[0]}, its picture {size_hw[1]}x{size_hw[0]}; "
            "a mask must have its picture's size"
        )
    if not mask.any():
        raise InputError(f"{place} marks no object: no value is above 0; leave its picture out")
    return mask


def _marked(place: Path) -> BoolArray:
    """Values above 0; of a palette, its numbers: in colours or high bytes small ones are lost."""
    try:
        with Image.open(place, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PictureError(f"{place} {TOO_LARGE}")
            plain = image.mode in (*GREY_MODES, "P")
            values = np.atleast_3d(np.asarray(image if plain else image.convert("RGB")))
    except PictureError:
        raise
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise PictureError(refusal(place, error)) from error
    found: BoolArray = values.max(axis=2) > 0
    return found


def around(mask: BoolArray) -> BoolArray:
    """Return the smallest rectangle that holds the object: (H, W) bool → (H, W) bool."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    found = np.zeros_like(mask)
    found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return found


def resize_mask(mask: BoolArray, size_hw: tuple[int, int]) -> BoolArray:
    """(H, W) bool → (h, w) bool: every pixel that ``resize`` gives something of the object."""
    height, width = size_hw
    image = Image.fromarray(mask.astype(np.float32))
    found: BoolArray = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)) > 0
    return found
