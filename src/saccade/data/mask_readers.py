"""The one door to masks on disk: what stands at a place decides how they are read.

A part of divided data is named as a path below them, ``DATA/val``, also where no such folder is.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saccade.data import mask_coco, mask_folders, mask_voc
from saccade.data.mask_classes import MaskClasses, mask_classes
from saccade.data.mask_sets import FoundMasks, MaskSet, mask_sets
from saccade.data.part_names import FOLDERS
from saccade.errors import InputError


@dataclass(frozen=True, slots=True)
class MaskFormat:
    """A way that masks lie on disk.

    ``find`` says where the parts are, {} where this format is not; it is told the folder of masks,
    "" where none is named. ``read`` gives the pairs of each part, in an order that never changes.
    """

    find: Callable[[Path, str], Mapping[str, Any]]
    read: Callable[[Any, MaskClasses], dict[str, FoundMasks]]


def read_masks(
    place: Path | str,
    *,
    masks: str = "",
    classes: str | MaskClasses = "",
    ignore: str = "auto",
    values: str = "classes",
    parts: Collection[str] = (),
) -> dict[str, MaskSet]:
    """Return the pictures and masks at ``place`` by part: train, val, test, or "" if undivided.

    All parts have the same classes. ``place`` is the data, or one part of them, as ``DATA/val``,
    which is then all there is. ``masks``, ``classes``, ``ignore`` and ``values``: as the settings
    of the section ``segment``; ``classes`` may be what they mean, and the next two say nothing
    then. ``parts``: those to read, all of them if empty. Every mask is read once. Raises
    InputError, in one line, for what is missing, damaged or ambiguous; what is merely of no use is
    left out and counted in the sets.
    """
    meaning = (
        classes
        if isinstance(classes, MaskClasses)
        else mask_classes(classes, ignore=ignore, values=values)
    )
    divided, part = mask_part_at(place, masks) or (Path(place), "")
    form, found = _parts(divided, masks)
    if part:
        found = {"": found[part]}
    elif parts:
        found = {name: one for name, one in found.items() if name in parts or not name}
    return mask_sets(form.read(found, meaning), meaning) if found else {}


def masked_pictures(place: Path | str) -> dict[str, list[Path]]:
    """Return the pictures that have a mask, by part; what the masks mean is not looked at."""
    divided, part = mask_part_at(place) or (Path(place), "")
    form, found = _parts(divided, "")
    if part:
        found = {"": found[part]}
    read = form.read(found, MaskClasses())
    return {name: [pair.picture for pair in one.pairs] for name, one in read.items()}


def find_mask_parts(place: Path | str, masks: str = "") -> dict[str, Path]:
    """Return what the parts of the masks at ``place`` are named by; {} for undivided data."""
    if mask_part_at(place, masks) is not None:
        return {}
    return {part: Path(place) / part for part in _parts(Path(place), masks)[1] if part}


def mask_part_at(place: Path | str, masks: str = "") -> tuple[Path, str] | None:
    """Return the divided data, and which of their parts ``place`` is; None where it is no part.

    It is named ``DATA/val``, whatever is there, or by the annotation file of that part.
    """
    path = Path(place).absolute()
    called = next((part for part, names in FOLDERS.items() if path.name in names), "")
    above = [path.parent] if called else []
    if path.suffix.lower() == ".json" and path.is_file():
        above = [path.parent, path.parent.parent]
    for root in above:
        try:
            parts = _parts(root, masks)[1]
        except InputError:  # Other data than masks, or none.
            continue
        for part, one in parts.items():
            if part and (part == called or one == path):
                return root, part
    return None


def holds_masks(place: Path) -> bool:
    """True where pictures with masks are found without being named; a class may be called masks."""
    try:
        return any(masked_pictures(place).values())
    except InputError:
        return False


def _parts(place: Path, masks: str) -> tuple[MaskFormat, Mapping[str, Any]]:
    """The format of what stands at a place, and where its parts are."""
    if not place.exists():
        raise InputError(f"data {place} does not exist; check the path")
    for form in MASK_FORMATS.values():
        if parts := form.find(place, masks):
            return form, parts
    raise InputError(
        f"{place} holds no masks that are known: a folder masks beside the pictures, another that "
        "segment.masks names, SegmentationClass as Pascal VOC, or a .json with segmentations as "
        "COCO"
    )


# The first that fits is taken.
MASK_FORMATS: dict[str, MaskFormat] = {
    "voc": MaskFormat(find=mask_voc.find, read=mask_voc.read),
    "folders": MaskFormat(find=mask_folders.find, read=mask_folders.read),
    "coco": MaskFormat(find=mask_coco.find, read=mask_coco.read),
}
