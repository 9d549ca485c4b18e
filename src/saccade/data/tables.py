"""CSV tables: a picture a row, with the columns ``path`` and ``label`` and any others.

UTF-8, commas, a header; RFC 4180 quoting, so that a name may hold commas, quotes and line breaks.
Paths are relative to the table's folder. They may be absolute or leave that folder: who reads a
foreign table lets it name any picture that this computer can read.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from saccade.errors import InputError
from saccade.names import suggest
from saccade.values import Sample

MAX_TABLE_BYTES = 1 << 30
NEEDED = ("path", "label")


def is_table(source: Path) -> bool:
    """True for a file that ends in .csv."""
    return source.suffix.lower() == ".csv" and source.is_file()


def read_table(table: Path) -> list[Sample]:
    """Return a sample for each row, in the order of the table; other columns become metadata.

    Raises InputError, naming the line, for a column that is missing or stands twice, and for a row
    with too few or too many cells, or without a path or a label.
    """
    if table.stat().st_size > MAX_TABLE_BYTES:
        raise InputError(f"{table} is larger than {MAX_TABLE_BYTES >> 30} GiB; divide it")
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        try:
            columns = _columns(table, next(rows, []))
            samples = [_sample(table, columns, line, row) for line, row in _numbered(rows)]
        except UnicodeDecodeError as error:
            raise InputError(f"{table} is not UTF-8 text; save it as CSV in UTF-8") from error
        except csv.Error as error:
            raise InputError(
                f"{table} line {rows.line_num}: {error}; check the quotes, save it as CSV again"
            ) from error
    if not samples:
        raise InputError(f"{table} holds no row below its header; add a row for each picture")
    return samples


def _columns(table: Path, header: list[str]) -> list[str]:
    columns = [name.strip() for name in header]
    for name in NEEDED:
        if name not in columns:
            raise InputError(
                f"{table} line 1: there is no column '{name}'; {suggest(name, columns)}. "
                "The first line must name the columns path and label"
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


def _sample(table: Path, columns: list[str], line: int, row: list[str]) -> Sample:
    where = f"{table} line {line}"
    if len(row) != len(columns):
        raise InputError(
            f"{where}: {len(columns)} cells are needed, as in the header. Got {len(row)} instead"
        )
    cells = dict(zip(columns, row, strict=True))
    for name in NEEDED:
        if not cells[name].strip():
            raise InputError(f"{where}: the {name} is empty; fill it in, or remove the row")
    if "\0" in cells["path"]:
        raise InputError(f"{where}: the path holds a zero byte; write it again")
    path, label = (cells.pop(name) for name in NEEDED)
    return Sample(table.parent / path, label, metadata=cells)
