"""Boxes in a CSV table, a box a row; a row whose box is empty names a picture without boxes.

Names of columns differ from tool to tool: those of ``COLUMNS`` are known, in any case. Corners are
edges counted from 0 (see ``box_sets.from_corners``). Beside xmax and ymax, ``width`` and ``height``
are the picture's; beside x and y, without them, the box's.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from saccade.data.box_collector import Collector
from saccade.data.box_sets import BoxSet, Losses, from_corners, number_text, to_corners
from saccade.data.folders import PARTS
from saccade.data.tables import MAX_TABLE_BYTES, write_table
from saccade.data.targets import read_number
from saccade.errors import InputError
from saccade.names import suggest

FILE, PICTURES = "boxes.csv", "images"
COLUMNS = {
    "filename": ("filename", "file", "file_name", "path", "image", "image_path", "image_id", "img"),
    "label": ("label", "class", "category", "class_name", "name", "object"),
    "xmin": ("xmin", "x_min", "x1", "left", "x"),
    "ymin": ("ymin", "y_min", "y1", "top", "y"),
    "xmax": ("xmax", "x_max", "x2", "right"),
    "ymax": ("ymax", "y_max", "y2", "bottom"),
    "width": ("width", "w", "image_width", "img_width"),
    "height": ("height", "h", "image_height", "img_height"),
    "area": ("area",),
    "crowd": ("crowd", "iscrowd"),
    "difficult": ("difficult",),
    "ignored": ("ignored", "ignore"),
    "part": ("part", "split", "set", "subset"),
}
PARTS_CALLED = {"train": "train", "training": "train", "val": "val", "valid": "val"} | {
    "validation": "val",
    "test": "test",
    "testing": "test",
}
FLAGS = ("crowd", "difficult", "ignored")


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of a row by our names of the columns, those that are there, and its line."""

    where: str
    cells: Mapping[str, str]

    def numbers(self, *names: str) -> list[float]:
        return [read_number(self.cells[name], f"{self.where}: {name}") for name in names]


def find(place: Path) -> dict[str, Path]:
    """Return the table, which may be the only .csv of a folder, for each part; {} if none."""
    if place.is_file():
        return _parts(place) if place.suffix.lower() == ".csv" else {}
    files = sorted(item for item in place.glob("*.csv") if item.is_file())
    if len(files) > 1:
        names = f"{files[0].name} and {files[1].name}"
        raise InputError(f"{place} holds {len(files)} tables, {names} among them; name one")
    return _parts(files[0]) if files else {}


def _parts(table: Path) -> dict[str, Path]:
    """The table again for each part that its column names; it is read through for them."""
    return dict.fromkeys(sorted({_part(row) for row in _rows(table)}) or [""], table)


def read(tables: Mapping[str, Path], collector: Collector) -> dict[str, BoxSet]:
    """Read the table, divided by its column part if it has one; categories in order of names."""
    table = next(iter(tables.values()))
    pictures: dict[tuple[str, str], int | None] = {}
    parts: set[str] = set()
    for row in _rows(table):
        part, name = _part(row), row.cells["filename"]
        if part not in parts:
            parts.add(part)
            collector.part(part, table.parent)
        if (part, name) not in pictures:
            pictures[part, name] = collector.picture(part, name, row.where, _size(row))
        given = [row.cells.get(key, "").strip() for key in ("xmin", "ymin", "xmax", "ymax")]
        if any(given) or row.cells["label"].strip():
            _take(row, part, pictures[part, name], collector)
    return collector.sets(by_name=True)


def write(sets: Mapping[str, BoxSet], folder: Path, names: Mapping[str, list[str]]) -> Losses:
    """Write one table for all parts; it can hold everything."""
    columns = [name for name in COLUMNS if name != "part" or "" not in sets]
    rows = [row for part, one in sets.items() for row in _written(one, part, names[part])]
    write_table(folder / FILE, columns, (row[: len(columns)] for row in rows))
    return Losses()


def picture_place(part: str, name: str) -> str:
    """Return where a picture lies in the folder that is written."""
    return f"{PICTURES}/{name}"


def _take(row: _Row, part: str, picture: int | None, collector: Collector) -> None:
    cells = row.cells
    category = collector.category(cells["label"], row.where)
    if "xmax" in cells:
        xywh = from_corners(row.numbers("xmin", "ymin", "xmax", "ymax"), collector.first_pixel)
    else:
        x, y, width, height = row.numbers("xmin", "ymin", "width", "height")
        xywh = (x - collector.first_pixel, y - collector.first_pixel, width, height)
    area = row.numbers("area")[0] if cells.get("area", "").strip() else None
    flags = {name: _flag(row, name) for name in FLAGS}
    collector.box(part, picture, category, xywh, row.where, area=area, **flags)


def _rows(table: Path) -> Iterator[_Row]:
    """Yield the rows that are not blank; InputError, naming the line, for what cannot be read."""
    line = 1
    try:
        if table.stat().st_size > MAX_TABLE_BYTES:
            raise InputError(f"{table} is larger than {MAX_TABLE_BYTES >> 30} GiB; divide it")
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = _columns(table, next(reader, []))
            line = reader.line_num + 1
            for cells in reader:
                where, line = f"{table} line {line}", reader.line_num + 1
                if not cells:
                    continue
                last = max(columns.values())
                if len(cells) <= last:
                    raise InputError(f"{where}: only {len(cells)} cells; the header has more")
                yield _Row(where, {name: cells[place] for name, place in columns.items()})
    except UnicodeDecodeError as error:
        raise InputError(f"{table} is not UTF-8 text; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise InputError(
            f"{table} line {line}: {error}; check the quotes, save it again"
        ) from error


def _columns(table: Path, header: list[str]) -> dict[str, int]:
    """The places of the known columns."""
    given = [name.strip().lower() for name in header]
    found: dict[str, int] = {}
    for name, called in COLUMNS.items():
        places = [place for place, one in enumerate(given) if one in called]
        if len(places) > 1:
            both = f"'{header[places[0]]}' and '{header[places[1]]}'"
            raise InputError(f"{table} line 1: {both} are one column, {name}; rename one")
        if places:
            found[name] = places[0]
    ends = ("xmax", "ymax") if found.keys() & {"xmax", "ymax"} else ("width", "height")
    for name in ("filename", "xmin", "ymin", *ends, "label"):
        if name not in found:
            raise InputError(
                f"{table} line 1: there is no column '{name}'; {suggest(name, given)} (line 1 must "
                "name filename, xmin, ymin, xmax, ymax and label)"
            )
    return found


def _part(row: _Row) -> str:
    if "part" not in row.cells:
        return ""
    said = row.cells["part"].strip().lower()
    if said not in PARTS_CALLED:
        raise InputError(
            f"{row.where}: the part must be {', '.join(PARTS)}. Got {said!r:.50} instead"
        )
    return PARTS_CALLED[said]


def _size(row: _Row) -> tuple[int, int] | None:
    """The picture's height and width, where they are said."""
    cells = row.cells
    if "xmax" not in cells or not (cells.get("width", "") and cells.get("height", "")):
        return None
    height, width = row.numbers("height", "width")
    return (int(height), int(width)) if height > 0 and width > 0 else None


def _flag(row: _Row, name: str) -> bool:
    said = row.cells.get(name, "").strip().lower()
    if said not in ("", "0", "1", "false", "true"):
        raise InputError(f"{row.where}: {name} must be 0 or 1. Got {said!r:.50} instead")
    return said in ("1", "true")


def _written(one: BoxSet, part: str, names: list[str]) -> Iterator[list[str]]:
    """Yield the cells of each box, in the order of COLUMNS."""
    boxes = one.boxes
    places = boxes.picture.searchsorted(range(len(names) + 1))
    for n, (name, picture) in enumerate(zip(names, one.pictures, strict=True)):
        if "\r" in name:
            raise InputError(f"picture {name!r:.80} has a line break that a table cannot hold")
        place, (height, width) = picture_place(part, name), map(str, picture.size_hw)
        for row in range(places[n], places[n + 1]):
            corners = map(number_text, to_corners(boxes.xywh[row].tolist(), 0))
            flags = (str(int(flag[row])) for flag in (boxes.crowd, boxes.difficult, boxes.ignored))
            label, area = one.categories[boxes.category[row]], number_text(float(boxes.area[row]))
            yield [place, label, *corners, width, height, area, *flags, part]
        if places[n] == places[n + 1]:
            yield [place, *[""] * 5, width, height, *[""] * 4, part]
