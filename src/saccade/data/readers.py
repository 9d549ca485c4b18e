"""The one door to data on disk: what stands at a path decides how it is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saccade.data.arrays import is_archive, read_arrays
from saccade.data.folders import folder_parts, read_class_folders
from saccade.data.idx import idx_parts, is_idx, read_idx
from saccade.data.tables import is_table, read_table, table_parts
from saccade.data.targets import label_numbers
from saccade.data.trees import read_nested_folders
from saccade.errors import InputError
from saccade.names import suggest
from saccade.values import Sample

DATA_ENDINGS = (".csv", ".npz")


@dataclass(frozen=True, slots=True)
class Reader:
    """A way that data lie on disk.

    ``fits`` says whether a path is of this kind, ``read`` returns its samples in an order that
    never changes, ``parts`` where its train, val and test are, when it is divided.
    """

    fits: Callable[[Path], bool]
    read: Callable[[Path], list[Sample]]
    parts: Callable[[Path], dict[str, Path]]


def read_data(
    source: Path | str, *, targets: Sequence[str] = (), nested: bool = False
) -> list[Sample]:
    """Return the samples at ``source``, in an order that never changes; pictures are not decoded.

    ``source`` is a folder of class folders, a .csv table with the columns path and label, an idx
    pair (its file of pictures, or the folder), or a .npz archive with pictures and labels.
    ``targets`` are columns of a table that hold numbers, which the samples then carry; label serves
    elsewhere too. ``nested``: folders are read as class folders in those of wider kinds. Raises
    InputError, in one line, when it is none of them, when it is damaged, for a target that is no
    number, and when it is divided into train, val and test: name one of them then, so that nothing
    is mixed unseen.
    """
    path = Path(source)
    reader = _reader_of(path)
    parts = reader.parts(path)
    if parts:
        first = next(iter(parts.values()))
        raise InputError(
            f"data {path} are divided into {', '.join(parts)}; name one of them, as {first}"
        )
    if nested and reader is READERS["folders"]:
        return read_nested_folders(path)
    if targets and is_table(path):
        return read_table(path, targets=targets)
    return label_numbers(reader.read(path), targets) if targets else reader.read(path)


def find_parts(source: Path | str) -> dict[str, Path]:
    """Return where the parts train, val and test of ``source`` are; empty when it is undivided."""
    path = Path(source)
    return _reader_of(path).parts(path)


def choose_part(
    source: Path | str, wanted: Sequence[str], parts: Mapping[str, Path] | None = None
) -> Path:
    """Return the place of the first part in ``wanted`` that exists; ``source`` when undivided.

    ``parts``: where they are, if ``find_parts`` is not to be asked. Raises InputError when
    ``source`` is divided but has none of them.
    """
    parts = find_parts(source) if parts is None else parts
    for name in wanted:
        if name in parts:
            return parts[name]
    if not parts:
        return Path(source)
    only = next(iter(parts.values()))
    raise InputError(
        f"data {source} have no part {' or '.join(wanted)}, only {', '.join(parts)}; name "
        f"{only} itself if you mean it"
    )


def is_data_file(path: Path) -> bool:
    """True for a file that holds pictures with their labels, or names them."""
    return path.is_file() and any(reader.fits(path) for reader in READERS.values())


def column(samples: Sequence[Sample], name: str) -> list[str]:
    """Return a column of metadata, one value a sample; raises InputError where it is missing."""
    for sample in samples:
        if name not in sample.metadata:
            raise InputError(
                f"{sample.path} has no metadata '{name}'; {suggest(name, sample.metadata)}"
            )
    return [sample.metadata[name] for sample in samples]


def _reader_of(path: Path) -> Reader:
    if not path.exists() and not is_table(path):
        raise InputError(f"data {path} does not exist; check the path")
    for reader in READERS.values():
        if reader.fits(path):
            return reader
    raise InputError(
        f"data {path} is a file of another kind; a folder is needed, or a .csv, .npz or "
        "…-images-idx3-ubyte file"
    )


def _read_folder(folder: Path) -> list[Sample]:
    children = sorted(folder.iterdir())
    data = [item for item in children if item.suffix.lower() in DATA_ENDINGS]
    if data and not any(item.is_dir() and item.name[:1] != "." for item in children):
        raise InputError(f"data folder {folder} holds no sub-folders; name the file, as {data[0]}")
    return read_class_folders(folder)


def _undivided(source: Path) -> dict[str, Path]:
    return {}


# The first that fits is taken; the plainest, any folder, stands last.
READERS: dict[str, Reader] = {
    "csv": Reader(is_table, read_table, table_parts),
    "npz": Reader(is_archive, read_arrays, _undivided),
    "idx": Reader(is_idx, read_idx, idx_parts),
    "folders": Reader(Path.is_dir, _read_folder, folder_parts),
}
