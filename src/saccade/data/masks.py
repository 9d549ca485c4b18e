"""Masks of classes: PNG files whose pixels are class numbers, true and answered of one name."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from saccade.data.pictures import BROKEN, MAX_PIXELS
from saccade.errors import InputError
from saccade.files import existing_folder
from saccade.values import IntArray

NUMBERS = ("1", "L", "P", "I;16", "I;16B", "I")  # modes whose pixels are numbers


def pair_masks(predictions: Path | str, truth: Path | str) -> list[tuple[Path, Path]]:
    """Return (prediction, truth) for each PNG in the folder ``truth``, by name.

    Raises InputError for a folder that is missing or empty, and names the first mask that only one
    of them holds.
    """
    folders = existing_folder(predictions, "predictions"), existing_folder(truth, "truth")
    found, true = (_names(folder) for folder in folders)
    if not true:
        raise InputError(f"truth {folders[1]} holds no PNG; put one mask a picture in it")
    for own, other, folder in ((true, found, folders[0]), (found, true, folders[1])):
        lacking = sorted(own - other)
        if lacking:
            raise InputError(
                f"{folder} has no mask '{lacking[0]}' ({len(lacking)} of {len(own)} are missing); "
                "both folders need the same names"
            )
    return [(folders[0] / name, folders[1] / name) for name in sorted(true)]


def read_mask(path: Path) -> IntArray:
    """Return a PNG as (H, W) int64 class numbers; of a palette the places, not the colours.

    Raises InputError, naming the file, when it is broken, too large, or its pixels are colours.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(f"{path} is over the limit of {MAX_PIXELS:,} pixels")
            if image.mode not in NUMBERS:
                raise InputError(
                    f"{path} holds colours ({image.mode}); a mask's pixels must be class numbers, "
                    "in one channel or a palette"
                )
            return np.asarray(image).astype(np.int64)
    except (UnidentifiedImageError, Image.DecompressionBombError, *BROKEN) as error:
        raise InputError(f"{path} cannot be read as a PNG; write it again") from error


def _names(folder: Path) -> set[str]:
    return {
        item.name
        for item in folder.iterdir()
        if item.suffix.lower() == ".png" and not item.name.startswith(".")
    }
