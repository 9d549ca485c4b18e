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

from saccade.boxes import BoolArray, FoundBoxes, TrueBoxes
from saccade.data.coco_names import with_numbers
from saccade.errors import InputError
from saccade.values import IntArray, Sample

MOST_PIXELS, MOST_AREA = 1e15, 1e10  # of a side; COCO's evaluation passes over larger areas


@dataclass(frozen=True, slots=True, eq=False)
class CocoTruth:
    """An annotation file: pictures and categories in the order of their ids, and the true boxes.

    ``pictures`` are the entries under "images", ``numbers`` and ``category_numbers`` find their
    place, and that of a category, by id. ``difficult``, ``ignored``: (n,) bool, what the keys
    "difficult" and "ignore" say of the boxes, which COCO's own tools pass over. ``repeated``:
    places of the annotations whose id an earlier one has. ``segmentations``: what that key says of
    each, unchecked.
    """

    path: Path
    pictures: tuple[Mapping[str, Any], ...]
    numbers: Mapping[int, int]
    categories: tuple[str, ...]
    category_numbers: Mapping[int, int]
    boxes: TrueBoxes
    difficult: BoolArray
    ignored: BoolArray
    repeated: tuple[int, ...] = ()
    segmentations: tuple[Any, ...] = ()

    def samples(self) -> list[Sample]:
        """Return the pictures without a label; texts and numbers of their entries are metadata."""
        return [
            Sample(self.path.parent / file_name(one), "", metadata=columns_of(one))
            for one in self.pictures
        ]


def read_truth(path: Path | str) -> CocoTruth:
    """Read an annotation file that a detector is to be judged by.

    Raises InputError, naming the file and the entry, for what is missing, damaged or out of range,
    and for a file without a box that must be found.
    """
    truth = read_annotations(path)
    for n, box in enumerate(truth.boxes.xywh.tolist()):
        _refuse_negative(truth.path, "annotation", n, box)
    if truth.boxes.crowd.all():
        raise InputError(
            f"{truth.path} holds no box that must be found, so nothing can be said of a detector; "
            "give pictures with annotations"
        )
    return truth


def read_annotations(path: Path | str) -> CocoTruth:
    """Read an annotation file; it may hold no box, and boxes of negative width or height.

    Raises InputError, naming the file and the entry, for what is missing, damaged or out of range.
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
    in_order = sorted(categories, key=lambda one: category_numbers[one["id"]])
    return CocoTruth(
        path=place,
        pictures=tuple(sorted(images, key=lambda one: numbers[one["id"]])),
        numbers=numbers,
        categories=tuple(str(one.get("name", one["id"])) for one in in_order),
        category_numbers=category_numbers,
        boxes=boxes,
        difficult=_flags(place, annotations, "difficult"),
        ignored=_flags(place, annotations, "ignore"),
        repeated=_repeated(annotations),
        segmentations=tuple(one.get("segmentation") for one in annotations),
    )


def read_results(path: Path | str, truth: CocoTruth) -> FoundBoxes:
    """Read a list of results, {"image_id", "category_id", "bbox", "score"} each; it may be empty.

    Where all results have "file_name" and "category", these count in place of the ids.
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
    images = {file_name(one): one["id"] for one in truth.pictures}
    classes = dict(zip(truth.categories, sorted(truth.category_numbers), strict=True))
    rows = with_numbers(place, rows, images, classes)
    columns = _common(place, "result", rows, truth.numbers, truth.category_numbers)
    for n, box in enumerate(columns[2].tolist()):
        _refuse_negative(place, "result", n, box)
    scores = [_number(place, "result", n, row, "score") for n, row in enumerate(rows)]
    for n, score in enumerate(scores):
        if not 0.0 <= score <= 1.0:
            raise InputError(f"{place} result {n}: score must lie in [0, 1]; got {score:g}")
    return FoundBoxes(*columns, np.array(scores, np.float64))


def file_name(picture: Mapping[str, Any]) -> str:
    """Return what an entry under "images" calls its file; its id where it does not say."""
    name = picture.get("file_name")
    return name if isinstance(name, str) and name else f"image {picture['id']}"


def columns_of(picture: Mapping[str, Any]) -> dict[str, str]:
    """Return what an entry says in text, numbers, true or false; other values are left out."""
    columns = {}
    for name, value in picture.items():
        if isinstance(value, bool):
            columns[name] = str(value).lower()
        elif isinstance(value, str | int):
            columns[name] = str(value)
        elif isinstance(value, float) and math.isfinite(value):
            columns[name] = f"{value:.15g}"
    return columns


def _true_boxes(
    place: Path,
    rows: Sequence[Mapping[str, Any]],
    numbers: Mapping[int, int],
    category_numbers: Mapping[int, int],
) -> TrueBoxes:
    picture, category, xywh = _common(place, "annotation", rows, numbers, category_numbers)
    area, crowd = np.empty(len(rows)), _flags(place, rows, "iscrowd")
    for n, row in enumerate(rows):
        own = abs(xywh[n, 2] * xywh[n, 3])
        area[n] = _number(place, "annotation", n, row, "area") if "area" in row else own
        if not 0 <= area[n] <= MOST_AREA:
            raise InputError(
                f"{place} annotation {n}: area must lie from 0 to {MOST_AREA:g}; got {area[n]:g}"
            )
    return TrueBoxes(picture, category, xywh, area, crowd)


def _flags(place: Path, rows: Sequence[Mapping[str, Any]], key: str) -> BoolArray:
    flags = np.empty(len(rows), bool)
    for n, row in enumerate(rows):
        if row.get(key, 0) not in (0, 1):
            raise InputError(f"{place} annotation {n}: {key} must be 0 or 1")
        flags[n] = bool(row.get(key, 0))
    return flags


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
    return box


def _refuse_negative(place: Path, what: str, n: int, box: Sequence[float]) -> None:
    if box[2] < 0 or box[3] < 0:
        raise InputError(
            f"{place} {what} {n}: bbox has a negative width or height; got {box}, which must be "
            "[x, y, width, height]"
        )


def _number(place: Path, what: str, n: int, row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    if not _is_finite(value):
        raise InputError(f"{place} {what} {n}: {key} must be a finite number; got {_shown(value)}")
    return float(value)  # type: ignore[arg-type]


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < MOST_PIXELS and math.isfinite(value)


def _numbered(place: Path, what: str, rows: Sequence[Any]) -> dict[int, int]:
    ids = []
    for n, row in enumerate(rows):
        if not isinstance(row, dict) or type(row.get("id")) is not int:
            raise InputError(f"{place} {what} {n} has no whole number as id")
        ids.append(row["id"])
    numbers = {one: place for place, one in enumerate(sorted(set(ids)))}
    if len(numbers) < len(ids):
        twice = next(one for one, many in Counter(ids).items() if many > 1)
        raise InputError(f"{place}: two entries have the {what} id {twice}; ids must differ")
    return numbers


def _repeated(rows: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Ids of annotations serve nothing here, but two of one id may be one box twice."""
    seen: set[int] = set()
    found = []
    for n, one in enumerate(row.get("id") for row in rows):
        if type(one) is int:
            if one in seen:
                found.append(n)
            seen.add(one)
    return tuple(found)


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
