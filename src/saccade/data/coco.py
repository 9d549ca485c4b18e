"""Boxes in COCO's files: true ones in an annotation file, found ones in a list of results.

T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014. A box is [x, y, width,
height] in pixels. We differ: scores lie in [0, 1]; a missing area is the box's own.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.errors import InputError
from saccade.values import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CocoTruth:
    """An annotation file: pictures and categories in the order of their ids, and the true boxes.

    ``pictures`` are the entries under "images", ``numbers`` and ``category_numbers`` find their
    place, and that of a category, by id.
    """

    path: Path
    pictures: tuple[Mapping[str, Any], ...]
    numbers: Mapping[int, int]
    categories: tuple[str, ...]
    category_numbers: Mapping[int, int]
    boxes: TrueBoxes

    def groups(self, name: str) -> list[str]:
        """Return what the pictures' entries say under ``name``; InputError where one does not."""
        for one in self.pictures:
            if not isinstance(one.get(name), str | int):
                keys = ", ".join(sorted(map(str, one)))
                raise InputError(
                    f"{self.path}: image {one['id']} has no text or number '{name}' to group by; "
                    f"it has {keys}"
                )
        return [str(one[name]) for one in self.pictures]


def read_truth(path: Path | str) -> CocoTruth:
    """Read an annotation file.

    Raises InputError, naming the file and the entry, for what is missing, damaged or out of range,
    and for a file without a box that must be found.
    """
    place = Path(path)
    whole = _read(place)
    if not isinstance(whole, dict):
        raise InputError(
            f"{place} must be an object with images, annotations and categories, as in COCO; "
            "results of a detector are predictions, not the truth"
        )
    images, annotations, categories = (
        _rows(place, whole, name) for name in ("images", "annotations", "categories")
    )
    numbers = _numbered(place, "image", images)
    category_numbers = _numbered(place, "category", categories)
    boxes = _true_boxes(place, annotations, numbers, category_numbers)
    if boxes.crowd.all():
        raise InputError(
            f"{place} holds no box that must be found, so nothing can be said of a detector; "
            "give pictures with annotations"
        )
    in_order = sorted(categories, key=lambda one: category_numbers[one["id"]])
    return CocoTruth(
        path=place,
        pictures=tuple(sorted(images, key=lambda one: numbers[one["id"]])),
        numbers=numbers,
        categories=tuple(str(one.get("name", one["id"])) for one in in_order),
        category_numbers=category_numbers,
        boxes=boxes,
    )


def read_results(path: Path | str, truth: CocoTruth) -> FoundBoxes:
    """Read a list of results, {"image_id", "category_id", "bbox", "score"} each; it may be empty.

    Raises InputError, naming the file and the entry, for an id that ``truth`` does not have, a box
    or a score that is no number or out of range.
    """
    place = Path(path)
    rows = _read(place)
    if not isinstance(rows, list):
        raise InputError(
            f"{place} must be a list of results with image_id, category_id, bbox and score, as in "
            "COCO; an annotation file is the truth, not predictions"
        )
    columns = _common(place, "result", rows, truth.numbers, truth.category_numbers)
    scores = [_number(place, "result", n, row, "score") for n, row in enumerate(rows)]
    for n, score in enumerate(scores):
        if not 0.0 <= score <= 1.0:
            raise InputError(f"{place} result {n}: score must lie in [0, 1]; got {score:g}")
    return FoundBoxes(*columns, np.array(scores, np.float64))


def _true_boxes(
    place: Path,
    rows: Sequence[Mapping[str, Any]],
    numbers: Mapping[int, int],
    category_numbers: Mapping[int, int],
) -> TrueBoxes:
    picture, category, xywh = _common(place, "annotation", rows, numbers, category_numbers)
    area, crowd = np.empty(len(rows)), np.empty(len(rows), bool)
    for n, row in enumerate(rows):
        own = xywh[n, 2] * xywh[n, 3]
        area[n] = _number(place, "annotation", n, row, "area") if "area" in row else own
        if area[n] < 0:
            raise InputError(f"{place} annotation {n}: area must not be negative; got {area[n]:g}")
        if row.get("iscrowd", 0) not in (0, 1):
            raise InputError(f"{place} annotation {n}: iscrowd must be 0 or 1")
        crowd[n] = bool(row.get("iscrowd", 0))
    return TrueBoxes(picture, category, xywh, area, crowd)


def _common(
    place: Path,
    what: str,
    rows: Sequence[Mapping[str, Any]],
    numbers: Mapping[int, int],
    category_numbers: Mapping[int, int],
) -> tuple[IntArray, IntArray, Any]:
    """Picture, category and box of each row."""
    known = (("image_id", "image", numbers), ("category_id", "category", category_numbers))
    ids = np.empty((2, len(rows)), np.int64)
    xywh = np.empty((len(rows), 4))
    for n, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InputError(f'{place} {what} {n} must be an object, such as {{"image_id": 1, …}}')
        for column, (key, kind, table) in enumerate(known):
            given = row.get(key)
            number = table.get(given) if type(given) is int else None
            if number is None:
                shown = _shown(given)
                raise InputError(
                    f"{place} {what} {n}: {key} {shown} is no {kind} of the truth, whose ids are "
                    f"{_some(table)}"
                )
            ids[column, n] = number
        xywh[n] = _box(place, what, n, row)
    return ids[0], ids[1], xywh


def _box(place: Path, what: str, n: int, row: Mapping[str, Any]) -> list[float]:
    box = row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
        raise InputError(
            f"{place} {what} {n}: bbox must be four finite numbers [x, y, width, height]; got "
            f"{_shown(box)}"
        )
    if box[2] < 0 or box[3] < 0:
        raise InputError(
            f"{place} {what} {n}: bbox has a negative width or height; got {box}, which must be "
            "[x, y, width, height]"
        )
    return box


def _number(place: Path, what: str, n: int, row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    if not _is_finite(value):
        raise InputError(f"{place} {what} {n}: {key} must be a finite number; got {_shown(value)}")
    return float(value)  # type: ignore[arg-type]


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e15 and math.isfinite(value)


def _numbered(place: Path, what: str, rows: Sequence[Any]) -> dict[int, int]:
    ids = []
    for n, row in enumerate(rows):
        if not isinstance(row, dict) or type(row.get("id")) is not int:
            raise InputError(f"{place} {what} {n} has no whole number as id")
        ids.append(row["id"])
    numbers = {one: place for place, one in enumerate(sorted(set(ids)))}
    if len(numbers) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise InputError(f"{place}: two entries have the {what} id {twice}; ids must differ")
    return numbers


def _rows(place: Path, whole: Mapping[str, Any], name: str) -> list[Any]:
    rows = whole.get(name)
    if not isinstance(rows, list):
        raise InputError(f"{place} has no list '{name}'; COCO's annotation files have one")
    return rows


def _read(place: Path) -> Any:
    try:
        return json.loads(place.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{place} does not exist; check the path") from None
    except OSError as error:
        raise InputError(f"{place} cannot be read: {error.strerror}; name a JSON file") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{place} is no JSON: line {error.lineno} column {error.colno}: {error.msg}; write it "
            "again"
        ) from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{place} is no JSON that can be read; write it again") from error


def _some(table: Iterable[Any]) -> str:
    ids = list(table)
    shown = ", ".join(map(str, ids[:6]))
    return f"{shown}, …" if len(ids) > 6 else shown or "none"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
