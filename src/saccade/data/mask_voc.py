"""Masks as Pascal VOC has them: SegmentationClass beside JPEGImages, and lists of the parts.

Everingham and others, "The PASCAL Visual Object Classes Challenge", 2010: a PNG with a palette,
whose places are the classes; 255 is void.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from saccade.data.folders import PARTS
from saccade.data.mask_classes import MaskClasses
from saccade.data.mask_files import open_mask
from saccade.data.mask_folders import Folders, named_files, pair_folders
from saccade.data.mask_sets import NO_MASK, UNREADABLE, FoundMasks, Pair
from saccade.data.voc_parts import PICTURES, read_list
from saccade.values import Broken

MASKS, LISTS = "SegmentationClass", "ImageSets/Segmentation"


@dataclass(frozen=True, slots=True)
class VocMasks:
    """The folders of pictures and masks, and the list of a part, None for undivided data."""

    folders: Folders
    names: Path | None


def find(place: Path, masks: str = "") -> dict[str, VocMasks]:
    """Return the parts by the lists in ImageSets/Segmentation; undivided without; {} if none."""
    folders = Folders(place / PICTURES, place / MASKS)
    if masks not in ("", MASKS) or not all(folder.is_dir() for folder in folders):
        return {}
    lists = {part: place / LISTS / f"{part}.txt" for part in PARTS}
    parts = {part: VocMasks(folders, file) for part, file in lists.items() if file.is_file()}
    return parts or {"": VocMasks(folders, None)}


def read(parts: Mapping[str, VocMasks], classes: MaskClasses) -> dict[str, FoundMasks]:
    """Return the pairs of each part, in the order of its list; raises InputError."""
    return {
        part: pair_folders(one.folders, classes) if one.names is None else _listed(one, classes)
        for part, one in parts.items()
    }


def _listed(part: VocMasks, classes: MaskClasses) -> FoundMasks:
    assert part.names is not None
    pictures, masks = (named_files(folder) for folder in part.folders)
    found = FoundMasks(part.folders.pictures)
    for name in dict.fromkeys(read_list(part.names, pictures)):
        if name not in pictures:
            reason = f"{part.names} names {name}, which has no picture in {part.folders.pictures}"
            found.left_out.add(UNREADABLE, reason)
            found.broken.append(Broken(name, reason))
        elif name not in masks:
            found.left_out.add(NO_MASK, str(pictures[name]))
        else:
            make = partial(open_mask, masks[name], classes)
            found.pairs.append(Pair(pictures[name], make))
    return found
