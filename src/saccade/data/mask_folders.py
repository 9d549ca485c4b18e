"""Masks in a folder of their own, each called as its picture, or that with an ending.

``DATA/train`` beside ``DATA/masks/train``; ``DATA/images/train`` beside ``DATA/masks/train``;
``DATA/train/images`` beside ``DATA/train/masks``; undivided, ``DATA/images`` beside ``DATA/masks``,
or the pictures in ``DATA`` itself. Any other folder of masks is named.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from saccade.data.mask_classes import MaskClasses
from saccade.data.mask_files import open_mask
from saccade.data.mask_sets import NO_MASK, NO_PICTURE, FoundMasks, Pair
from saccade.data.part_names import FOLDERS, part_folders
from saccade.data.pictures import is_picture, pictures_below
from saccade.errors import InputError
from saccade.values import Broken

MASKS, PICTURES = "masks", ("images", "JPEGImages", "PNGImages", "pictures")
JOINTS = "_-. "  # what the ending of a mask's name begins with


class Folders(NamedTuple):
    """Where the pictures of a part are, and their masks."""

    pictures: Path
    masks: Path


def find(place: Path, masks: str = "") -> dict[str, Folders]:
    """Return the folders of each part below ``place``, "" for undivided data; {} if none.

    ``masks``: the folder of masks, in ``place``, in its parts, or as it stands. Raises InputError
    where it is none of these, or where the pictures may be in several folders.
    """
    if not place.is_dir():
        return {}
    called = masks or MASKS
    folder = place / called
    if masks and not folder.is_dir():
        folder = Path(masks)
    if not folder.is_dir():
        own = {part: _undivided(one, one / called) for part, one in part_folders(place).items()}
        found = {part: one for part, one in own.items() if one is not None}
        if masks and not found:
            raise InputError(f"segment.masks: there is no folder {place / masks}; check the name")
        return found
    divided = part_folders(folder)
    if not divided:
        whole = _undivided(place, folder)
        return {} if whole is None else {"": whole}
    homes = (place, *(place / name for name in PICTURES))
    return {
        part: Folders(home, one)
        for part, one in divided.items()
        if (home := _first(root / name for root in homes for name in FOLDERS[part]))
    }


def read(parts: Mapping[str, Folders], classes: MaskClasses) -> dict[str, FoundMasks]:
    """Return the pairs of each part."""
    return {part: pair_folders(one, classes) for part, one in parts.items()}


def pair_folders(folders: Folders, classes: MaskClasses) -> FoundMasks:
    """Return each picture with its mask, and count those without another.

    Raises InputError for two pictures of one name, for masks that are no PNG, and where no picture
    has a mask.
    """
    pictures = named_files(folders.pictures, without=folders.masks)
    files = {name: file for name, file in named_files(folders.masks).items() if _is_png(file)}
    _require(folders, pictures, files)
    ending = _ending(pictures, files)
    masks = {
        name.removesuffix(ending): file for name, file in files.items() if name.endswith(ending)
    }
    found = FoundMasks(folders.pictures)
    for name, picture in pictures.items():
        if name in masks:
            found.pairs.append(Pair(picture, partial(open_mask, masks[name], classes)))
        else:
            found.left_out.add(NO_MASK, str(picture))
    for name, file in files.items():
        if name.removesuffix(ending) not in pictures or not name.endswith(ending):
            found.left_out.add(NO_PICTURE, str(file))
            found.broken.append(Broken(str(file), f"mask {file} has no picture of its name"))
    if not found.pairs:
        raise InputError(
            f"no picture of {folders.pictures} has a mask in {folders.masks}: a mask of "
            f"{next(iter(pictures))}.jpg is called {next(iter(pictures))}.png, or that with one "
            "ending for all, as _mask"
        )
    return found


def _undivided(place: Path, folder: Path) -> Folders | None:
    """The pictures of the masks in ``folder``: of a known name, in ``place`` itself, or alone."""
    if not folder.is_dir():
        return None
    for name in PICTURES:
        if (place / name).is_dir() and (place / name) != folder:
            return Folders(place / name, folder)
    if any(is_picture(item) for item in place.iterdir()):
        return Folders(place, folder)
    beside = [
        item
        for item in sorted(place.iterdir())
        if item.is_dir() and item.name[:1] != "." and item.resolve() != folder.resolve()
    ]
    homes = [item for item in beside if pictures_below(item)]
    if len(homes) > 1:
        raise InputError(
            f"{place} has pictures in {homes[0].name} and in {homes[1].name}; call the folder of "
            "those that have masks images"
        )
    return Folders(homes[0], folder) if homes else None


def _first(places: Iterable[Path]) -> Path | None:
    return next((place for place in places if place.is_dir()), None)


def named_files(folder: Path, without: Path | None = None) -> dict[str, Path]:
    """Return the pictures below a folder by their path in it, without the ending.

    ``without``: where that lies in the folder, only the pictures in the folder itself.
    """
    files = pictures_below(folder)
    if without is not None and folder in without.parents:
        files = [file for file in files if file.parent == folder]
    found: dict[str, Path] = {}
    for file in files:
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise InputError(f"{found[name]} and {file} have one name, and so one mask; rename one")
        found[name] = file
    return found


def _require(folders: Folders, pictures: Mapping[str, Path], files: Mapping[str, Path]) -> None:
    if not pictures:
        raise InputError(f"{folders.pictures} holds no picture; put some there")
    if not files:
        raise InputError(
            f"{folders.masks} holds no PNG; a mask is a PNG file, since JPEG changes its numbers"
        )


def _ending(pictures: Mapping[str, Path], masks: Mapping[str, Path]) -> str:
    """What stands behind the picture's name in the names of most masks; often nothing."""
    counts = Counter[str]()
    for name in masks:
        counts[""] += name in pictures
        for place in range(1, len(name)):
            if name[place] in JOINTS and name[:place] in pictures:
                counts[name[place:]] += 1
    return max(counts, key=lambda ending: (counts[ending], -len(ending)), default="")


def _is_png(file: Path) -> bool:
    return file.suffix.lower() == ".png"
