"""Files that name the classes of masks, with their colours where masks hold colours.

CSV: a header ``name`` or ``name,r,g,b``, and a row a class, in the order of their numbers. TOML:
``names = ["ground", "person"]``, and ``colours = [[0, 0, 0], [192, 128, 128]]`` if any.
"""

import csv
import io
import tomllib
from pathlib import Path
from typing import Any

from saccade.errors import InputError

Colour = tuple[int, int, int]
NAME, COLUMNS = "name", ("r", "g", "b")


def read_class_file(file: Path) -> list[tuple[str, Colour | None]]:
    """Return name and colour of each class; raises InputError, naming the file and the row."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"file of classes {file} does not exist; check segment.classes") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"file of classes {file} cannot be read as UTF-8 text") from error
    rows = _of_toml(file, text) if file.suffix.lower() == ".toml" else _of_csv(file, text)
    with_colour = sum(colour is not None for _, colour in rows)
    if not rows or with_colour not in (0, len(rows)):
        raise InputError(
            f"file of classes {file} must hold a row a class, all with a colour or all without"
        )
    return rows


def _of_csv(file: Path, text: str) -> list[tuple[str, Colour | None]]:
    """A header with name, and r, g, b if masks hold colours; a row a class."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise InputError(f"file of classes {file}: {error}; save it as CSV again") from error
    header = [one.strip().lower() for one in rows[0]] if rows else []
    if "name" not in header or (set(COLUMNS) & set(header) and not set(COLUMNS) <= set(header)):
        raise InputError(
            f"file of classes {file} line 1 must be name, or name,r,g,b. Got "
            f"'{','.join(header):.80}' instead"
        )
    found = []
    for n, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise InputError(f"file of classes {file} row {n}: {len(header)} cells are needed")
        cells = dict(zip(header, (one.strip() for one in row), strict=True))
        numbers = [cells[one] for one in COLUMNS] if "r" in header else None
        if numbers is not None:
            numbers = [int(one) if one.isdecimal() else one for one in numbers]  # type: ignore[misc]
        found.append((cells["name"], _colour(numbers, f"file of classes {file} row {n}")))
    return found


def _of_toml(file: Path, text: str) -> list[tuple[str, Colour | None]]:
    """``names = ["ground", "person"]``, and ``colours = [[0, 0, 0], [192, 128, 128]]`` if any."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"file of classes {file} is not valid TOML: {error}") from error
    names, colours = table.get("names"), table.get("colours")
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise InputError(f'file of classes {file} must say names = ["ground", "person"]')
    if colours is not None and (not isinstance(colours, list) or len(colours) != len(names)):
        raise InputError(f"file of classes {file}: colours must be a list, one for each name")
    return [
        (name.strip(), _colour(None if colours is None else colours[n], f"{file} class '{name}'"))
        for n, name in enumerate(names)
    ]


def _colour(given: Any, where: str) -> Colour | None:
    if given is None:
        return None
    if (
        not isinstance(given, list)
        or len(given) != 3
        or not all(type(one) is int and 0 <= one <= 255 for one in given)
    ):
        raise InputError(f"{where}: a colour is red, green, blue, each 0 to 255. Got {given!r:.60}")
    return given[0], given[1], given[2]
