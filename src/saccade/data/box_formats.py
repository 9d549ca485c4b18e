"""The formats of boxes on disk, by name: how each is found, read and written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saccade.data import box_coco, box_csv, box_voc, box_yolo, voc_parts
from saccade.data.box_collector import Collector
from saccade.data.box_sets import BoxSet, Losses


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFormat:
    """A way that pictures with boxes lie on disk.

    ``find`` says where the parts are, {} where this format is not; ``read`` gives the set of each.
    ``write`` takes the sets, a new folder and the pictures' names by part, and says what it could
    not hold; ``picture_place`` where a picture then lies. ``first_pixel``: what corners count from,
    None where there are none; ``one_folder``: the pictures of all parts lie in one.
    """

    find: Callable[[Path], Mapping[str, Any]]
    read: Callable[[Any, Collector], dict[str, BoxSet]]
    write: Callable[[Mapping[str, BoxSet], Path, Mapping[str, list[str]]], Losses]
    picture_place: Callable[[str, str], str]
    first_pixel: int | None = None
    one_folder: bool = False


BOX_FORMATS: dict[str, BoxFormat] = {
    "coco": BoxFormat(
        find=box_coco.find,
        read=box_coco.read,
        write=box_coco.write,
        picture_place=box_coco.picture_place,
    ),
    "voc": BoxFormat(
        find=voc_parts.find,
        read=box_voc.read,
        write=box_voc.write,
        picture_place=box_voc.picture_place,
        first_pixel=1,
        one_folder=True,
    ),
    "yolo": BoxFormat(
        find=box_yolo.find,
        read=box_yolo.read,
        write=box_yolo.write,
        picture_place=box_yolo.picture_place,
    ),
    # The last: tables of another kind lie beside data of all formats.
    "csv": BoxFormat(
        find=box_csv.find,
        read=box_csv.read,
        write=box_csv.write,
        picture_place=box_csv.picture_place,
        first_pixel=0,
        one_folder=True,
    ),
}
