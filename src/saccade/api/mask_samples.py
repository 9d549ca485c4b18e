"""Pictures with masks as samples of a segmenter, and the masks that judge it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from saccade.data.mask_readers import MaskSet, read_masks
from saccade.data.part_names import FOLDERS
from saccade.errors import InputError
from saccade.values import VOID, Sample, TrueMask, UInt8Array

READING = ("masks", "classes", "ignore")  # settings of the recipe that say how masks are read


def mask_of(sample: Sample) -> TrueMask:
    """Return the true mask of a sample, that must have one."""
    if sample.mask is None:
        raise InputError(f"{sample.path} has no mask, which a segmenter learns and is judged by")
    return sample.mask


def mask_parts(source: Path, told: Mapping[str, Any]) -> dict[str, MaskSet]:
    """Return the sets of pictures with masks by part; ``told``: the settings READING."""
    return read_masks(source, **{key: told[key] for key in READING})


def find_mask_parts(place: Path, told: Mapping[str, Any]) -> dict[str, Path]:
    """Return what the parts of the masks at ``place`` are named by; {} for undivided data."""
    if mask_part_at(place, told) is not None:
        return {}
    return {part: place / part for part in mask_parts(place, told) if part}


def mask_part_at(place: Path, told: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Return the divided data, and which of their parts ``place`` is; None where it is no part."""
    path = place.absolute()
    part = next((part for part, names in FOLDERS.items() if path.name in names), "")
    if not part:
        return None
    try:
        found = mask_parts(path.parent, told)
    except InputError:  # Other data than masks, or none.
        return None
    return (path.parent, part) if part in found else None


def part_of_masks(place: Path, told: Mapping[str, Any]) -> MaskSet:
    """Return undivided data, or one part of others, as ``DATA/val`` names it; raises InputError."""
    divided = mask_part_at(place, told)
    if divided is not None:
        return mask_parts(divided[0], told)[divided[1]]
    sets = mask_parts(place, told)
    if "" not in sets:
        raise InputError(f"data {place} have parts; name one, as {place / next(iter(sets))}")
    return sets[""]


def known_to(classes: Sequence[str], given: MaskSet, place: Path) -> list[Sample]:
    """Return the samples of ``given`` with masks in a model's numbers.

    ``classes``: the model's. Raises InputError for a class that is not among them.
    """
    number = {label: place for place, label in enumerate(classes)}
    table = np.full(VOID + 1, VOID, np.uint8)
    for own, label in enumerate(given.classes):
        if label not in number:
            raise InputError(
                f"data {place} have the class '{label}', which the segmenter has not learned; it "
                f"knows {', '.join(classes)}"
            )
        table[own] = number[label]
    if given.classes == tuple(classes[: len(given.classes)]):
        return list(given.samples)
    return [replace(one, mask=Renumbered(mask_of(one), table)) for one in given.samples]


@dataclass(frozen=True, slots=True, eq=False)
class Renumbered:
    """A mask whose numbers are looked up in ``table`` (256,) uint8."""

    mask: TrueMask
    table: UInt8Array

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.mask.size_hw

    def read(self) -> UInt8Array:
        """(H, W) uint8: numbers of classes, or VOID."""
        found: UInt8Array = self.table[self.mask.read()]
        return found


def pixels_of(samples: Sequence[Sample], classes: int) -> list[int]:
    """Return how many pixels each class has in the masks; what is VOID is left out."""
    total = np.zeros(VOID + 1, np.int64)
    for sample in samples:
        total += np.bincount(mask_of(sample).read().ravel(), minlength=VOID + 1)
    return [int(one) for one in total[:classes]]
