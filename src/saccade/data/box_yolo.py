"""Boxes as YOLO's tools have them: a .txt of the same name for each picture.

J. Redmon and others, "You Only Look Once", 2016; the layout of the Ultralytics tools: ``images``
and ``labels``, with the names of the classes in ``data.yaml`` or ``classes.txt``. A line is the
class, then the centre, width and height as shares of the picture's; a longer line is an outline,
of which the box is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from saccade.data.box_collector import Collector
from saccade.data.box_sets import BoxSet, Losses
from saccade.data.part_names import part_folders
from saccade.data.pictures import pictures_below
from saccade.data.targets import read_number
from saccade.data.yolo_names import NAMES, classes, lines, names_file, read_yaml, told_folders
from saccade.errors import InputError
from saccade.files import safe_join, write_atomic

IMAGES, LABELS = "images", "labels"
OUTLINES = "outlines read as the boxes around them"
NO_PICTURE = "label files left out: no picture of that name"
CROWDS = "crowds and ignored boxes, for which YOLO has no place"
AS_PLAIN = "difficult boxes written as plain ones"


@dataclass(frozen=True, slots=True)
class YoloPart:
    """The folders of a part's pictures and labels, and the classes by their numbers."""

    images: Path
    labels: Path
    classes: Mapping[int, str]
    named_in: Path


def find(place: Path) -> dict[str, YoloPart]:
    """Return the parts of a folder, or of its data.yaml; {} where there are no names of classes."""
    names = names_file(place)
    if names is None:
        return {}
    root = names.parent if place.is_file() else place
    if names.suffix == ".txt" or names.name == "obj.names":
        known = dict(enumerate(filter(None, lines(names))))
        folders = _usual(root)
    else:
        whole = read_yaml(names)
        known = classes(names, whole)
        folders = told_folders(names, whole) or {
            "": root / IMAGES if (root / IMAGES).is_dir() else root
        }
    return {
        part: YoloPart(folder, _labels(root, folder), known, names)
        for part, folder in folders.items()
    }


def read(parts: Mapping[str, YoloPart], collector: Collector) -> dict[str, BoxSet]:
    """Read the labels of each picture; one without a .txt shows nothing."""
    numbers: dict[int, int] = {}
    for part, one in parts.items():
        for number, name in one.classes.items():
            if number not in numbers:
                numbers[number] = collector.new_category(name, str(one.named_in))
        collector.part(part, one.images)
        labels = {
            f.relative_to(one.labels).as_posix(): f for f in sorted(one.labels.rglob("*.txt"))
        }
        for path in pictures_below(one.images):
            own = path.relative_to(one.images)
            picture = collector.picture(part, own.as_posix(), str(path))
            file = labels.pop(own.with_suffix(".txt").as_posix(), None)
            if file is not None and picture is not None:
                _take(file, part, picture, numbers, collector)
        for name, file in labels.items():
            if name != "classes.txt" and one.labels != one.images:
                collector.leave_out(part, NO_PICTURE, str(file))
    return collector.sets()


def write(sets: Mapping[str, BoxSet], folder: Path, names: Mapping[str, list[str]]) -> Losses:
    """Write the labels of each picture, and data.yaml.

    Crowds and ignored boxes are left out, difficult ones become plain. Raises InputError for two
    pictures whose names differ by their ending alone.
    """
    losses = Losses()
    for part, one in sets.items():
        one.tell_areas(losses)
        places = one.boxes.picture.searchsorted(range(len(one.pictures) + 1))
        for n, name in enumerate(names[part]):
            inner = Path(picture_place(part, name)).relative_to(IMAGES).with_suffix(".txt")
            file = safe_join(folder, f"{LABELS}/{inner}")
            if file.exists():
                raise InputError(f"two pictures would share the labels {inner}; rename {name!r}")
            file.parent.mkdir(parents=True, exist_ok=True)
            text = _labels_of(one, range(places[n], places[n + 1]), n, losses)
            file.write_text(text, encoding="utf-8")
        for kind in (IMAGES, LABELS):
            (folder / kind / part).mkdir(parents=True, exist_ok=True)
    first = next(iter(sets.values()))
    document: dict[str, Any] = {part: f"{IMAGES}/{part}" for part in sets if part}
    document["names"] = dict(enumerate(first.categories))
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1 << 30)
    write_atomic(folder / NAMES[0], text)
    return losses


def picture_place(part: str, name: str) -> str:
    """Return where a picture lies in the folder that is written."""
    return f"{IMAGES}/{part}/{name}" if part else f"{IMAGES}/{name}"


def _take(
    file: Path, part: str, picture: int, numbers: Mapping[int, int], collector: Collector
) -> None:
    height, width = collector.size(part, picture)
    for n, line in enumerate(lines(file), 1):
        cells, where = line.split(), f"{file} line {n}"
        if not cells:
            continue
        if len(cells) != 5 and (len(cells) < 7 or len(cells) % 2 == 0):
            raise InputError(
                f"{where}: a line is a class and four numbers, or an outline of three points or "
                f"more. Got {len(cells)} numbers instead"
            )
        known = int(cells[0]) if cells[0].isdecimal() and len(cells[0]) < 10 else None
        if known is None or known not in numbers:
            raise InputError(
                f"{where}: there is no class {cells[0]!r:.30}; the numbers that have a name are "
                f"{min(numbers)} to {max(numbers)}"
            )
        shares = [read_number(cell, where) for cell in cells[1:]]
        if len(shares) > 4:
            collector.changed(part, OUTLINES, where)
            shares = _around(shares)
        across, down, wide, high = shares
        xywh = [
            (across - wide / 2) * width,
            (down - high / 2) * height,
            wide * width,
            high * height,
        ]
        collector.box(part, picture, numbers[known], xywh, where)


def _around(outline: list[float]) -> list[float]:
    """The centre, width and height of the box around points x, y, x, y …"""
    left, top, right, bottom = (pick(outline[axis::2]) for pick in (min, max) for axis in (0, 1))
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def _labels_of(one: BoxSet, rows: range, picture: int, losses: Losses) -> str:
    """Return the text of a picture's labels, with as many digits as a number has."""
    boxes, (height, width) = one.boxes, one.pictures[picture].size_hw
    text, name = "", str(one.pictures[picture].path)
    for row in rows:
        if boxes.crowd[row] or boxes.ignored[row]:
            losses.left_out.add(CROWDS, name)
            continue
        if boxes.difficult[row]:
            losses.changed.add(AS_PLAIN, name)
        x, y, wide, high = boxes.xywh[row].tolist()
        shares = ((x + wide / 2) / width, (y + high / 2) / height, wide / width, high / height)
        text += f"{boxes.category[row]} {' '.join(map(repr, shares))}\n"
    return text


def _usual(root: Path) -> dict[str, Path]:
    """The folders of pictures where no file tells: images/train, train/images, images, or here."""
    inner = part_folders(root / IMAGES)
    outer = {part: folder / IMAGES for part, folder in part_folders(root).items()}
    outer = {part: folder for part, folder in outer.items() if folder.is_dir()}
    return inner or outer or {"": root / IMAGES if (root / IMAGES).is_dir() else root}


def _labels(root: Path, images: Path) -> Path:
    """The folder of labels: the last "images" of the pictures' folder is "labels"."""
    root, images = root.resolve(), images.resolve()
    if not images.is_relative_to(root):
        raise InputError(f"{images} lies outside of {root}; put the pictures themselves there")
    parts = list(images.relative_to(root).parts)
    if IMAGES not in parts:
        return images
    last = len(parts) - 1 - parts[::-1].index(IMAGES)
    return root.joinpath(*parts[:last], LABELS, *parts[last + 1 :])
