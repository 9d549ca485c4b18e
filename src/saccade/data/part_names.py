"""What the folders of the parts train, val and test of data with boxes are called."""

from pathlib import Path

FOLDERS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


def part_folders(place: Path) -> dict[str, Path]:
    """Return the folders of the parts in ``place``, by part; {} for undivided data."""
    found = {part: _first(place, names) for part, names in FOLDERS.items()}
    return {part: folder for part, folder in found.items() if folder is not None}


def _first(place: Path, names: tuple[str, ...]) -> Path | None:
    return next((place / name for name in names if (place / name).is_dir()), None)
