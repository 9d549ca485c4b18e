"""Class folders: one sub-folder a class, its name the label, pictures at any depth below it."""

from pathlib import Path

from saccade.data.pictures import is_picture, pictures_below
from saccade.errors import InputError
from saccade.files import existing_folder
from saccade.values import Sample

PARTS = ("train", "val", "test")


def read_class_folders(root: Path | str) -> list[Sample]:
    """Return the samples below ``root``, sorted by label, then by path.

    Raises InputError when ``root`` is missing, is a file, holds no sub-folder, or holds no picture.
    A sub-folder without a picture is passed over; so is all that is hidden.
    """
    folder = existing_folder(root, "data folder")
    classes = sorted(
        child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")
    )
    if not classes:
        raise InputError(_no_classes(folder))
    samples = [Sample(path, child.name) for child in classes for path in pictures_below(child)]
    if not samples:
        raise InputError(
            f"the sub-folders of {folder} hold no picture; "
            "put PNG, JPEG, PGM, BMP or WebP files in them"
        )
    return samples


def folder_parts(folder: Path) -> dict[str, Path]:
    """Return the sub-folders train, val and test that hold class folders; none for other folders.

    A class may be called "train": with other classes beside it, it is one of them. Raises
    InputError when two parts or more stand beside another sub-folder with pictures.
    """
    children = [item for item in folder.iterdir() if item.is_dir() and item.name[:1] != "."]
    parts = {name: folder / name for name in PARTS if _has_folders(folder / name)}
    others = sorted(item.name for item in children if item.name not in parts and _holds(item))
    if len(parts) > 1 and others:
        raise InputError(
            f"{folder} holds the parts {', '.join(parts)} and beside them '{others[0]}'; move that "
            "away, or name one part"
        )
    return {} if others else parts


def _has_folders(folder: Path) -> bool:
    return folder.is_dir() and any(
        item.is_dir() and item.name[:1] != "." for item in folder.iterdir()
    )


def _holds(folder: Path) -> bool:
    return bool(pictures_below(folder))


def _no_classes(folder: Path) -> str:
    loose = any(is_picture(item) for item in folder.iterdir())
    what = "holds pictures but no sub-folders" if loose else "is empty"
    return f"data folder {folder} {what}; make one sub-folder a class and put its pictures there"
