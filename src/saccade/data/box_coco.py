"""Boxes in COCO's annotation files: a .json beside its pictures, one for each part.

T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", 2014. Kept: pictures, also those
without boxes, names of categories, boxes, areas, crowds; "ignore" and "difficult" are keys of ours
that other tools pass over. Ids are numbered anew; licences, dates, outlines and keypoints are not
kept.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saccade.data.box_collector import Collector
from saccade.data.box_sets import BoxSet, Losses
from saccade.data.coco import CocoTruth, columns_of, file_name, read_annotations
from saccade.data.folders import PARTS
from saccade.data.part_names import part_folders
from saccade.errors import InputError
from saccade.files import write_atomic

FILE = "_annotations.coco.json"
SAME_ID = "annotations whose id another has, read as boxes of their own"
Places = dict[str, Path]  # the .json of each part; "" for undivided data


def find(place: Path) -> Places:
    """Return the annotation file of each part below ``place``, which may be a .json; {} if none.

    Either one .json in the folder, or one in each of its folders train, val and test, or files with
    those words in their names in its folder ``annotations``, as COCO's own.
    """
    if place.is_file():
        return {"": place} if place.suffix.lower() == ".json" else {}
    if own := _files(place):
        return {"": _only(own)}
    if parts := {part: _files(folder) for part, folder in part_folders(place).items()}:
        return {part: _only(files) for part, files in parts.items() if files}
    named: dict[str, list[Path]] = {}
    for file in _instances(_files(place / "annotations")):
        words = re.split(r"[^a-z]+", file.stem.lower())
        named.setdefault(next((part for part in PARTS if part in words), ""), []).append(file)
    return {part: _only(files) for part, files in named.items()}


def read(places: Places, collector: Collector) -> dict[str, BoxSet]:
    """Read the annotation file of each part."""
    for part, file in places.items():
        truth = read_annotations(file)
        collector.part(part, pictures_of(truth, part))
        if not part or part == next(iter(places)):
            for name in truth.categories:
                collector.new_category(name, str(file))
        _take(truth, part, collector)
    return collector.sets()


def write(sets: Mapping[str, BoxSet], folder: Path, names: Mapping[str, list[str]]) -> Losses:
    """Write the annotation file of each part beside its pictures; it can hold everything."""
    for part, one in sets.items():
        file = folder / part / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(_document(one, names[part])))
    return Losses()


def picture_place(part: str, name: str) -> str:
    """Return where a picture lies in the folder that is written."""
    return f"{part}/{name}" if part else name


def _take(truth: CocoTruth, part: str, collector: Collector) -> None:
    numbers = []
    for one in truth.pictures:
        where = f"{truth.path} image {one['id']}"
        size, columns = stated_size(one), columns_of(one)
        numbers.append(collector.picture(part, file_name(one), where, size, columns))
    names = [collector.category(name, str(truth.path)) for name in truth.categories]
    for n in truth.repeated:
        collector.changed(part, SAME_ID, f"{truth.path} annotation {n}")
    boxes = truth.boxes
    for n, xywh in enumerate(boxes.xywh.tolist()):
        collector.box(
            part,
            numbers[boxes.picture[n]],
            names[boxes.category[n]],
            xywh,
            f"{truth.path} annotation {n}",
            area=float(boxes.area[n]),
            crowd=bool(boxes.crowd[n]),
            difficult=bool(truth.difficult[n]),
            ignored=bool(truth.ignored[n]),
        )


def stated_size(picture: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return height and width that an entry under "images" states, if it does."""
    sides = (picture.get("height"), picture.get("width"))
    if all(type(side) is int and side > 0 for side in sides):
        return sides  # type: ignore[return-value]
    return None


def pictures_of(truth: CocoTruth, part: str) -> Path:
    """Return the folder of a file's pictures: the first that holds one, else the file's own."""
    own = truth.path.parent
    above = own.parent if own.name == "annotations" else own
    year = re.search(r"_((?:train|val|test)\d*)$", truth.path.stem)
    words = dict.fromkeys(word for word in (year[1] if year else "", part) if word)
    folders = [*(above / word for word in words), *(above / "images" / word for word in words)]
    for folder in (own, *folders, above / "images", above):
        for one in truth.pictures[:16]:
            try:
                if (folder / file_name(one)).is_file():
                    return folder
            except (OSError, ValueError):  # A name too long for a file, or with a NUL.
                continue
    return own


def _files(folder: Path) -> list[Path]:
    return sorted(item for item in folder.glob("*.json") if item.is_file())


def _instances(files: list[Path]) -> list[Path]:
    """COCO's own folder holds captions and keypoints beside the boxes."""
    return [file for file in files if file.stem.startswith("instances")] or files


def _only(files: list[Path]) -> Path:
    if len(files) > 1:
        raise InputError(
            f"{files[0].parent} holds {len(files)} .json files, {files[0].name} and "
            f"{files[1].name} among them; name the one with the annotations"
        )
    return files[0]


def _document(one: BoxSet, names: list[str]) -> dict[str, Any]:
    boxes = one.boxes
    images = [
        {"id": n, "file_name": name, "width": picture.size_hw[1], "height": picture.size_hw[0]}
        for n, (name, picture) in enumerate(zip(names, one.pictures, strict=True), 1)
    ]
    annotations = [
        {
            "id": n + 1,
            "image_id": int(boxes.picture[n]) + 1,
            "category_id": int(boxes.category[n]) + 1,
            "bbox": xywh,
            "area": float(boxes.area[n]),
            "iscrowd": int(boxes.crowd[n]),
            **({"difficult": 1} if boxes.difficult[n] else {}),
            **({"ignore": 1} if boxes.ignored[n] else {}),
        }
        for n, xywh in enumerate(boxes.xywh.tolist())
    ]
    categories = [{"id": n, "name": name} for n, name in enumerate(one.categories, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}
