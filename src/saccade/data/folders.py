"""Class folders: one sub-folder a class, its name the label, pictures at any depth below it."""

from pathlib import Path

from saccade.data.pictures import is_picture, pictures_below
from saccade.errors import InputError
from saccade.files import existing_folder
from saccade.values import Sample


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


def _no_classes(folder: Path) -> str:
    loose = any(is_picture(item) for item in folder.iterdir())
    what = "holds pictures but no sub-folders" if loose else "is empty"
    return f"data folder {folder} {what}; make one sub-folder a class and put its pictures there"
