"""Pictures with their masks as samples of a segmenter."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from saccade.api.parts import Parts
from saccade.config import SegmentSettings
from saccade.data.box_sets import Counted, together
from saccade.data.mask_classes import MaskClasses, mask_classes
from saccade.data.mask_readers import find_mask_parts, read_masks
from saccade.data.mask_sets import NO_PICTURE, UNREADABLE, MaskSet
from saccade.data.readers import choose_part
from saccade.errors import InputError

NAMED = (NO_PICTURE, UNREADABLE)  # each is told by itself, in ``broken``
NOT_SHOWN = "classes that no mask shows"


def mask_parts(
    source: Path, settings: SegmentSettings, *, validation: bool
) -> tuple[Parts, MaskClasses]:
    """Return the part train, or the undivided data, and the part val; and what their masks mean.

    The names of the classes are among it, also where the settings name none. Without ``validation``
    the part val is left alone. Raises InputError, and where all pixels are of one class.
    """
    meaning = mask_classes(settings.classes, ignore=settings.ignore, values=settings.values)
    place = choose_part(source, ("train",), find_mask_parts(source, settings.masks))
    wanted = ("train", "val") if validation else ("train",)
    sets = read_masks(source, masks=settings.masks, classes=meaning, parts=wanted)
    learned = sets["train" if "train" in sets else ""]
    _require_two(learned, place)
    told = _told(place, learned, sets.get("val"))
    absent = [name for name, n in zip(learned.classes, learned.pixels, strict=True) if not n]
    if absent:
        one = Counted(NOT_SHOWN, len(absent), absent[0])
        told = told._replace(changed=(*told.changed, one))
    return told, replace(meaning, names=learned.classes)


def part_of_masks(part: Path, meaning: MaskClasses, *, masks: str = "") -> Parts:
    """Return undivided data, or one part of others, whose masks mean that; raises InputError."""
    (found,) = read_masks(part, masks=masks, classes=meaning).values()
    return _told(part, found, None)


def _require_two(learned: MaskSet, place: Path) -> None:
    shown = np.flatnonzero(learned.pixels)
    if len(shown) > 1:
        return
    only = f"'{learned.classes[shown[0]]}'" if len(shown) else "none"
    advice = (
        "if 255 shows an object and is not void, set segment.values objects"
        if learned.void
        else "training needs at least two"
    )
    raise InputError(f"the masks of {place} show one class, {only}; {advice}")


def _told(place: Path, learned: MaskSet, held: MaskSet | None) -> Parts:
    """The parts with what was left out of them, each picture that is named once."""
    used: Sequence[MaskSet] = [learned] if held is None else [learned, held]
    counted = [count for one in used for count in one.left_out if count.what not in NAMED]
    return Parts(
        place,
        list(learned.samples),
        [] if held is None else list(held.samples),
        left_out=together(counted),
        changed=together(count for one in used for count in one.changed),
        broken=tuple(broken for one in used for broken in one.broken),
    )
