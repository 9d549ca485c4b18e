"""CSV tables: a picture a row, with the columns ``path`` and ``label`` and any others.

Where columns of numbers are asked for, they stand in the place of ``label``.

UTF-8, commas, a header; RFC 4180 quoting, so that a name may hold commas, quotes and line breaks.
Paths are relative to the table's folder. They may be absolute or leave that folder: who reads a
foreign table lets it name any picture that this computer can read.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from saccade.data.targets import LABEL, read_number
from saccade.errors import InputError
from saccade.names import suggest
from saccade.values import Sample

MAX_TABLE_BYTES = 1 << 30
PATH = "path"


def is_table(source: Path) -> bool:
    """True for a file that ends in .csv."""
    return source.suffix.lower() == ".csv" and source.is_file()


def read_header(table: Path) -> list[str]:
    """Return the names of the columns; InputError without ``path``, or where one stands twice."""
    with table.open(encoding="utf-8-sig", newline="") as stream:
        try:
            return _columns(table, next(csv.reader(stream, strict=True), []), needed=(PATH,))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{table} line 1 cannot be read: {error}; write it again") from error


def read_table(table: Path, *, targets: Sequence[str] = ()) -> list[Sample]:
    """Return a sample for each row, in the order of the table; other columns become metadata.

    ``targets`` are columns that become the samples' ``numbers``; the label may then be missing.
    Raises InputError, naming the line, for a column that is missing or stands twice, and for a row
    with too few or too many cells, without a path or a label, or a target that is no number.
    """
    if table.stat().st_size > MAX_TABLE_BYTES:
        raise InputError(f"{table} is larger than {MAX_TABLE_BYTES >> 30} GiB; divide it")
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        try:
            columns = _columns(table, next(rows, []), needed=(PATH, *(targets or (LABEL,))))
            samples = [
                _sample(f"{table} line {line}", table.parent, columns, row, targets)
                for line, row in _numbered(rows)
            ]
        except UnicodeDecodeError as error:
            raise InputError(f"{table} is not UTF-8 text; save it as CSV in UTF-8") from error
        except csv.Error as error:
            raise InputError(
                f"{table} line {rows.line_num}: {error}; check the quotes, save it as CSV again"
            ) from error
    if not samples:
        raise InputError(f"{table} holds no row below its header; add a row for each picture")
    return samples


def _columns(table: Path, header: list[str], *, needed: Sequence[str]) -> list[str]:
    columns = [name.strip() for name in header]
    for name in needed:
        if name not in columns:
            raise InputError(
                f"{table} line 1: there is no column '{name}'; {suggest(name, columns)} "
                f"(line 1 must name {' and '.join(needed)})"
            )
    for name in columns:
        if columns.count(name) > 1:
            raise InputError(f"{table} line 1: the column '{name}' stands twice; rename one")
    return columns


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the line it begins at; a quoted cell may hold lines."""
    line = rows.line_num + 1  # type: ignore[attr-defined]  # a csv.reader counts its lines
    for row in rows:
        if row:
            yield line, row
        line = rows.line_num + 1  # type: ignore[attr-defined]


def _sample(
    where: str, folder: Path, columns: list[str], row: list[str], targets: Sequence[str]
) -> Sample:
    if len(row) != len(columns):
        raise InputError(
            f"{where}: {len(columns)} cells are needed, as in the header. Got {len(row)} instead"
        )
    cells = dict(zip(columns, row, strict=True))
    for name in (PATH,) if targets else (PATH, LABEL):
        if not cells[name].strip():
            raise InputError(f"{where}: the {name} is empty; fill it in, or remove the row")
    if "\0" in cells[PATH]:
        raise InputError(f"{where}: the path holds a zero byte; write it again")
    numbers = tuple(read_number(cells[name], f"{where}: {name}") for name in targets)
    path, label = cells.pop(PATH), cells.pop(LABEL, "")
    return Sample(folder / path, label, metadata=cells, numbers=numbers)
