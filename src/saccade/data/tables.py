"""CSV tables: a picture a row, with the columns ``path`` and ``label`` and any others.

Where columns of numbers are asked for, they stand in the place of ``label``.

UTF-8, commas, a header; RFC 4180 quoting, so that a name may hold commas, quotes and line breaks.
Paths are relative to the table's folder. They may be absolute or leave that folder: who reads a
foreign table lets it name any picture that this computer can read. A column ``part`` that says
train, val or test in every row divides the table; its parts are named as if it were a folder:
``pictures.csv/train``.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from saccade.data.folders import PARTS
from saccade.data.targets import LABEL, read_number
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.names import suggest
from saccade.values import Sample

MAX_TABLE_BYTES = 1 << 30
PATH, PART = "path", "part"


def is_table(source: Path) -> bool:
    """True for a file that ends in .csv, and for a part of one, as pictures.csv/train."""
    table = source.parent if source.name in PARTS else source
    return table.suffix.lower() == ".csv" and table.is_file()


def table_parts(source: Path) -> dict[str, Path]:
    """Return the parts of a table whose column ``part`` divides it; none for other tables."""
    if source.name in PARTS:
        return {}
    with source.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
        names = stream.readline().replace('"', "").split(",")
    if PART not in map(str.strip, names):
        return {}
    named = {sample.metadata[PART] for sample in _read(source, needed=(PATH,), targets=())}
    return {} if named - set(PARTS) else {part: source / part for part in PARTS if part in named}


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
    with too few or too many cells, without a path or a label, or a target that is no number. Of a
    part, as pictures.csv/train, only its rows.
    """
    part = table.name if table.name in PARTS else ""
    if not part:
        return _read(table, needed=(PATH, *(targets or (LABEL,))), targets=targets)
    rows = _read(table.parent, needed=(PATH, PART, *(targets or (LABEL,))), targets=targets)
    found = [one for one in rows if one.metadata[PART] == part]
    if not found:
        raise InputError(f"{table.parent} has no row whose part is {part}; name another part")
    return [replace(one, metadata=_without_part(one)) for one in found]


def read_columns(table: Path) -> list[Sample]:
    """Return a sample for each row of a table that needs no more than a path; else as above."""
    if table.suffix.lower() != ".csv" or not table.is_file():
        raise InputError(f"{table} is no .csv file that exists; check the path")
    return _read(table, needed=(PATH,), targets=())


def write_table(table: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table that ``read_table`` reads, all of it or nothing.

    Raises InputError for a file whose name is no text in UTF-8, which a table cannot hold.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([columns, *rows])
    try:
        content = stream.getvalue().encode()
    except UnicodeEncodeError as error:
        bad = repr(stream.getvalue()[max(0, error.start - 40) : error.end + 10])
        raise InputError(
            f"{table} cannot be written: a name in it is no UTF-8 text, at {bad}; rename that file"
        ) from error
    write_atomic(table, content)


def _without_part(sample: Sample) -> dict[str, str]:
    return {name: value for name, value in sample.metadata.items() if name != PART}


def _read(table: Path, *, needed: Sequence[str], targets: Sequence[str]) -> list[Sample]:
    if table.stat().st_size > MAX_TABLE_BYTES:
        raise InputError(f"{table} is larger than {MAX_TABLE_BYTES >> 30} GiB; divide it")
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        try:
            columns = _columns(table, next(rows, []), needed=needed)
            samples = [
                _sample(f"{table} line {line}", table.parent, columns, row, targets, needed)
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
    where: str,
    folder: Path,
    columns: list[str],
    row: list[str],
    targets: Sequence[str],
    needed: Sequence[str],
) -> Sample:
    if len(row) != len(columns):
        raise InputError(
            f"{where}: {len(columns)} cells are needed, as in the header. Got {len(row)} instead"
        )
    cells = dict(zip(columns, row, strict=True))
    for name in (PATH, LABEL):
        if name in needed and not cells[name].strip():
            raise InputError(f"{where}: the {name} is empty; fill it in, or remove the row")
    if "\0" in cells[PATH]:
        raise InputError(f"{where}: the path holds a zero byte; write it again")
    numbers = tuple(read_number(cells[name], f"{where}: {name}") for name in targets)
    path, label = cells.pop(PATH), cells.pop(LABEL, "")
    return Sample(folder / path, label, metadata=cells, numbers=numbers)
