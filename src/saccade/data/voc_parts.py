"""Where Pascal VOC's annotation files lie: the parts of a folder, by their lists or by folders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from saccade.data.folders import PARTS
from saccade.data.part_names import part_folders
from saccade.errors import InputError

ANNOTATIONS, PICTURES, LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
NO_XML = "pictures of a list left out: no annotation file"
NO_LIST = "annotation files left out: in no list of a part"


@dataclass(frozen=True, slots=True)
class VocPart:
    """Where the annotation files of a part are, by name without ending, and its pictures.

    ``other``: names in the lists without a file, and files in no list.
    """

    pictures: Path
    files: Mapping[str, Path]
    other: tuple[tuple[str, str], ...] = ()


def find(place: Path) -> dict[str, VocPart]:
    """Return the parts of a folder as VOC's, or of pictures with an .xml beside each; else {}."""
    if not place.is_dir():
        return {}
    if (place / ANNOTATIONS).is_dir():
        return _listed(place)
    parts = {part: _beside(folder) for part, folder in part_folders(place).items()}
    found = {part: one for part, one in parts.items() if one.files}
    own = _beside(place)
    return found or ({"": own} if own.files else {})


def _listed(place: Path) -> dict[str, VocPart]:
    """The parts by the lists in ImageSets/Main; undivided without."""
    root = place / ANNOTATIONS
    pictures = next((place / n for n in (PICTURES, "images") if (place / n).is_dir()), place)
    files = {stem(f.relative_to(root).as_posix()): f for f in _xml(root.rglob("*.xml"))}
    lists = {part: place / LISTS / f"{part}.txt" for part in PARTS}
    named = {part: read_list(file, files) for part, file in lists.items() if file.is_file()}
    if not named:
        return {"": VocPart(pictures, files)} if files else {}
    known = {name for names in named.values() for name in names}
    lost = [(NO_LIST, str(file)) for name, file in files.items() if name not in known]
    parts = {}
    for part, names in named.items():
        absent = [(NO_XML, f"{lists[part]}: {name}") for name in names if name not in files]
        chosen = {name: files[name] for name in names if name in files}
        parts[part] = VocPart(pictures, chosen, (*absent, *lost))
        lost = []  # Told once.
    return parts


def read_list(file: Path, known: Mapping[str, Path]) -> list[str]:
    """Return the names in a part's list, a line each; spaces count only in names ``known``."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as UTF-8 text; write it again") from error
    plain = [line if line in known else line.strip() for line in lines]
    return [name for name in plain if name]


def _beside(folder: Path) -> VocPart:
    return VocPart(folder, {stem(file.name): file for file in _xml(folder.glob("*.xml"))})


def _xml(files: Iterable[Path]) -> list[Path]:
    return sorted(file for file in files if not file.name.startswith("."))


def stem(name: str) -> str:
    """Return a name without its ending; it may be below folders."""
    return str(Path(name).with_suffix("")) if Path(name).suffix else name
