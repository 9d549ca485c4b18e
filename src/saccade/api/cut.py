"""``cut``: photos in class folders become class folders of crops, for an embedder to learn from."""

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from saccade.api.pictures import open_detector
from saccade.data.pictures import read_picture
from saccade.data.readers import read_data
from saccade.errors import InputError
from saccade.files import existing_folder, safe_join
from saccade.pictures.crop import SIDE
from saccade.pictures.photo import cut_from
from saccade.values import Detector, UInt8Array

LEAST_SIDE, MOST_SIDE = 8, 1024  # pixels


@dataclass(frozen=True, slots=True)
class CutPhoto:
    """What became of a photo: the file of its crop, or the ``reason`` why there is none."""

    photo: str
    label: str
    crop: Path | None
    reason: str = ""


def cut(
    photos: Path | str,
    out: Path | str,
    *,
    detector: Detector | Path | str,
    size: int = SIDE,
    largest: bool = False,
    any_quality: bool = False,
) -> Iterator[CutPhoto]:
    """Cut what each photo shows into the new folder ``out``; yields what became of each, in order.

    ``photos`` are data with one label a photo, as ``read_data`` takes them; the crops are those
    that ``enrol_photos`` makes, ``out/LABEL/NAME.png`` of ``size`` pixels a side. A photo is left
    out for the same reasons, as there. ``out`` stands there, whole, when the last photo is told;
    where all were left out it is not made. Raises InputError when it exists, or a label cannot be
    the name of a folder.
    """
    if not LEAST_SIDE <= size <= MOST_SIDE:
        raise InputError(f"size must be {LEAST_SIDE} to {MOST_SIDE} pixels. Got {size} instead")
    place = Path(out)
    _refuse(place)
    existing_folder(place.absolute().parent, "folder")
    samples, finder = read_data(photos), open_detector(detector)
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        for sample in samples:
            folder = _class_folder(draft, sample.label)
            try:
                found = cut_from(
                    sample, detector=finder, side=size, largest=largest, any_quality=any_quality
                )
            except InputError as error:
                yield CutPhoto(f"{sample.path}", sample.label, None, str(error))
                continue
            file = _written(folder, sample.path.stem, read_picture(found))
            yield CutPhoto(f"{sample.path}", sample.label, place / folder.name / file.name)
        if any(draft.iterdir()):
            _refuse(place)
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _refuse(place: Path) -> None:
    if place.exists():
        raise InputError(f"{place} exists already; name a new folder for the crops")


def _class_folder(draft: Path, label: str) -> Path:
    """Return the folder of a label, which no reader passes over and which lies in no other."""
    folder = safe_join(draft, label)
    if label.startswith(".") or folder.parent != draft.resolve():
        raise InputError(f"label {label!r:.50} cannot be the name of a folder; call it otherwise")
    return folder


def _written(folder: Path, stem: str, crop: UInt8Array) -> Path:
    """Write a crop, bit for bit, under a name that no other in its folder has."""
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    try:
        folder.mkdir(exist_ok=True)
        file = next(file for name in names if not (file := folder / f"{name}.png").exists())
        Image.fromarray(crop).save(file, format="PNG")
    except OSError as error:
        raise InputError(
            f"crop of '{folder.name:.50}' cannot be written: {error.strerror}"
        ) from error
    return file
