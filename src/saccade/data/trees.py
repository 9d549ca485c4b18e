"""Trees of classes on disk: nested folders, TOML with names in names, or CSV of names and parents.

In nested folders the folder that holds a picture is its class, and those above are its wider kinds.
A kind is named by its way from the top, with a slash at the end, so that two may be called alike.
"""

import csv
import tomllib
from collections.abc import Sequence
from pathlib import Path

from saccade.class_tree import ROOT, ClassTree
from saccade.data.pictures import pictures_below
from saccade.errors import InputError
from saccade.files import existing_folder
from saccade.values import Sample

KIND = "kind/"  # of a sample's metadata: the kind right above its class
HEAD = ["name", "parent"]
MAX_BYTES = 64 << 20


def read_nested_folders(root: Path) -> list[Sample]:
    """Return the samples below ``root``, sorted by class, then by path, each with its KIND.

    Raises InputError when there is no picture, when a folder of a class holds other classes, or
    when two folders of classes have one name.
    """
    folder = existing_folder(root, "data folder")
    places = sorted({path.parent for path in pictures_below(folder)})
    if not places:
        raise InputError(f"{folder} holds no picture; put PNG, JPEG, PGM, BMP or WebP files in it")
    _require_leaves(places, folder)
    samples = [
        Sample(path, path.parent.name, metadata={KIND: _kind(path.parent, folder)})
        for path in pictures_below(folder)
    ]
    return sorted(samples, key=lambda sample: (sample.label, sample.path))


def nested_tree(samples: Sequence[Sample]) -> ClassTree:
    """Return the tree of the classes and kinds of ``read_nested_folders``.

    Raises InputError for samples that do not come from there.
    """
    parents: dict[str, str] = {}
    for sample in samples:
        if KIND not in sample.metadata:
            raise InputError(
                f"data.tree folders needs nested class folders, which {sample.path} does not come "
                "from; name a .toml or .csv file with data.tree"
            )
        name, kind = sample.label, sample.metadata[KIND]
        while name != ROOT:
            parents[name] = kind
            name, kind = kind, _above(kind)
    return ClassTree(parents)


def read_tree(file: Path) -> ClassTree:
    """Return the tree in a .toml or .csv file.

    TOML: ``animal = ["cat", "dog"]``, or tables in tables. CSV: the columns name and parent, an
    empty parent for the widest kinds. Raises InputError, naming the file and the line where it has
    one, for another ending, a loop, a name that stands twice, and what cannot be read.
    """
    readers = {".toml": _read_toml, ".csv": _read_csv}
    if file.suffix.lower() not in readers:
        raise InputError(
            f"class tree {file} must be a .toml or .csv file, or the word folders for nested class "
            "folders"
        )
    if not file.is_file():
        raise InputError(f"class tree {file} does not exist, or is no file; check the path")
    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"class tree {file} is larger than {MAX_BYTES >> 20} MiB")
    try:
        return readers[file.suffix.lower()](file)
    except UnicodeDecodeError as error:
        raise InputError(f"class tree {file} is not UTF-8 text; save it in UTF-8") from error


def _read_toml(file: Path) -> ClassTree:
    try:
        return ClassTree.nested(tomllib.loads(file.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"class tree {file} is not valid TOML: {error}") from error
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _read_csv(file: Path) -> ClassTree:
    parents: dict[str, str] = {}
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        try:
            head = [cell.strip() for cell in next(rows, [])]
            if head != HEAD:
                raise InputError(f"{file} line 1 must be name,parent. Got {','.join(head)} instead")
            for row in filter(None, rows):
                _add(parents, [cell.strip() for cell in row], f"{file} line {rows.line_num}")
        except csv.Error as error:
            raise InputError(f"{file} line {rows.line_num}: {error}; check the quotes") from error
    try:
        return ClassTree(parents)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _add(parents: dict[str, str], row: list[str], where: str) -> None:
    """Take in a row of the table."""
    if len(row) != len(HEAD) or not row[0]:
        raise InputError(f"{where} must be a name and its parent, which may be empty")
    if row[0] in parents:
        raise InputError(f"{where}: '{row[0]}' stands twice; give each kind its own name")
    parents[row[0]] = row[1]


def _require_leaves(places: Sequence[Path], root: Path) -> None:
    """Raise InputError unless each of these folders is a class of its own name."""
    if root in places:
        raise InputError(f"{root} holds pictures beside its folders; put them into a class folder")
    first: dict[str, Path] = {}
    holding = {above: place for place in places for above in place.parents}
    for place in places:
        if place in holding:
            raise InputError(
                f"{place} holds pictures and the class {holding[place].name}; put its pictures "
                "into a folder of their own below it"
            )
        twin = first.setdefault(place.name, place)
        if twin != place:
            raise InputError(
                f"two classes are called '{place.name}': {twin} and {place}; rename one"
            )


def _kind(place: Path, root: Path) -> str:
    return "".join(f"{part}/" for part in place.relative_to(root).parts[:-1])


def _above(kind: str) -> str:
    return "".join(f"{part}/" for part in kind.split("/")[:-2])
