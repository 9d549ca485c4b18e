"""Class folders: one sub-folder a class, its name the label, pictures at any depth below it."""

from pathlib import Path

from saccade.data.pictures import is_picture
from saccade.errors import InputError
from saccade.files import existing_folder
from saccade.values import Sample


def read_class_folders(root: Path | str) -> list[Sample]:
    """Return the samples below ``root``, sorted by label, then by path.

    Raises InputError when ``root`` is missing, is a file, holds no sub-folder, or holds no picture.
    A sub-folder without a picture is passed over; hidden ones too.
    """
    folder = existing_folder(root, "data folder")
    classes = sorted(
        child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")
    )
    if not classes:
        raise InputError(_no_classes(folder))
    samples = [
        Sample(path, child.name)
        for child in classes
        for path in sorted(item for item in child.rglob("*") if item.is_file() and is_picture(item))
    ]
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
