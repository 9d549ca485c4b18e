"""Masks as pictures: a colour a class, the first one dark, what counts nowhere grey."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.report.canvas import COLOURS
from saccade.values import IntArray, UInt8Array

GROUND, NO_CLASS = (30, 30, 30), (128, 128, 128)
COVER = 0.55  # how much of a class's colour lies over its pixels
MIXED = 67  # added to the colours of the palette each time that it begins anew


def class_colours(numbers: NDArray[np.integer]) -> UInt8Array:
    """Return (…, 3) uint8: the colour of each class by its number ≥ 0; beyond the palette mixed."""
    base = [GROUND, *(tuple(bytes.fromhex(colour[1:])) for colour in COLOURS)]
    turns, place = np.divmod(numbers, len(base))
    colours: IntArray = (np.array(base, np.int64)[place] + MIXED * turns[..., None]) % 256
    return colours.astype(np.uint8)


def coloured(mask: NDArray[np.integer], ignore: int | None = None) -> UInt8Array:
    """(H, W) class numbers → (H, W, 3) uint8; ``ignore``: the number of what counts nowhere."""
    view = class_colours(mask)
    if ignore is not None:
        view[mask == ignore] = NO_CLASS
    return view


def covered(
    picture: UInt8Array, mask: NDArray[np.integer], ignore: int | None = None
) -> UInt8Array:
    """(H, W, 3) uint8 and its mask (H, W) → the picture with the colours of its classes over it.

    The first class, which is most often the ground, is left bare.
    """
    over = COVER * (mask != 0)[..., None]
    mixed = (1 - over) * picture + over * coloured(mask, ignore)
    return np.asarray(mixed.round(), np.uint8)


def palette(classes: int, *, ignore: int) -> bytes:
    """Return the 256 colours of an indexed PNG, red, green and blue of each in turn."""
    colours = np.zeros((256, 3), np.uint8)
    colours[:classes] = class_colours(np.arange(classes))
    colours[ignore] = NO_CLASS
    return colours.tobytes()


def shown_classes(masks: Sequence[NDArray[np.integer]], classes: int) -> list[int]:
    """Return the numbers of the classes that any of the masks shows, in order."""
    found = {int(one) for mask in masks for one in np.unique(mask)}
    return sorted(one for one in found if one < classes)
