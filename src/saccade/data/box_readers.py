"""The one door to boxes on disk: what stands at a place decides how it is read.

A part of divided data is named as a path below them, ``DATA/val``, also where no such folder is:
VOC has lists, YOLO folders of pictures and of labels, a table a column.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saccade.data.box_collector import Collector
from saccade.data.box_formats import BOX_FORMATS
from saccade.data.box_sets import BoxSet
from saccade.data.part_names import FOLDERS
from saccade.errors import InputError, SettingError
from saccade.names import look_up


def read_boxes(
    place: Path | str,
    *,
    layout: str | None = None,
    first_pixel: int | None = None,
    files_needed: bool = True,
) -> dict[str, BoxSet]:
    """Return the pictures and boxes at ``place`` by part: train, val, test, or "" if undivided.

    All parts have the same categories. ``place`` is a folder as COCO, Pascal VOC, YOLO or CSV have
    it, or the .json, .yaml or .csv file, or one part of them, as ``DATA/val``, which is then all
    there is; ``layout`` names the format where several fit.
    ``first_pixel``: what the corners of VOC or CSV count from (see ``box_sets.from_corners``), if
    otherwise than usual. ``files_needed``: else the files of pictures may be missing where their
    size is stated. Raises InputError, in one line, for what is missing, damaged or ambiguous; what
    is merely of no use is left out and counted in the sets.
    """
    divided, part = part_at(place, layout) or (Path(place), "")
    name, found = _parts(divided, layout)
    path = Path(place)
    usual = BOX_FORMATS[name].first_pixel
    if first_pixel is not None and usual is None:
        raise SettingError(f"the first pixel is a matter of VOC and CSV; {path} is {name}")
    if first_pixel not in (None, 0, 1):
        raise SettingError(f"the first pixel must be 0 or 1. Got {first_pixel} instead")
    first = (usual or 0) if first_pixel is None else first_pixel
    collector = Collector(path, first_pixel=first, files_needed=files_needed)
    if not part:
        return BOX_FORMATS[name].read(found, collector)
    return {"": BOX_FORMATS[name].read({part: found[part]}, collector)[part]}


def find_box_parts(place: Path | str) -> dict[str, Path]:
    """Return what the parts of the boxes at ``place`` are named by; {} for undivided data."""
    if part_at(place) is not None:
        return {}
    return {part: Path(place) / part for part in _parts(Path(place), None)[1] if part}


def part_at(place: Path | str, layout: str | None = None) -> tuple[Path, str] | None:
    """Return the divided data, and which of their parts ``place`` is; None where it is no part.

    It is named ``DATA/val``, whatever is there, or by the annotation file of that part.
    """
    path = Path(place).absolute()
    called = next((part for part, names in FOLDERS.items() if path.name in names), "")
    above = [path.parent] if called else []
    if path.is_file() and path.suffix.lower() == ".json":
        above = [path.parent, path.parent.parent]
    for root in above:
        try:
            parts = _parts(root, layout)[1]
        except InputError:  # Other data than boxes, or none.
            continue
        for part, one in parts.items():
            if part and (part == called or one == path):
                return root, part
    return None


def _parts(place: Path, layout: str | None) -> tuple[str, Mapping[str, Any]]:
    """Return the format of what stands at a place, and where its parts are."""
    if not place.exists():
        raise InputError(f"data {place} does not exist; check the path")
    return _found(place) if layout is None else _named(place, layout)


def _found(place: Path) -> tuple[str, Mapping[str, Any]]:
    """The only format that fits; a table counts where nothing else is there."""
    fitting: dict[str, Mapping[str, Any]] = {}
    for name, one in BOX_FORMATS.items():
        if not (name == "csv" and fitting) and (parts := one.find(place)):
            fitting[name] = parts
    if len(fitting) > 1:
        raise InputError(f"{place} fits {' and '.join(fitting)}; say which of them it is")
    if not fitting:
        raise InputError(
            f"{place} holds no boxes that are known: COCO is a .json beside the pictures, VOC has "
            "Annotations/*.xml, YOLO labels/*.txt and data.yaml or classes.txt, CSV a table"
        )
    return next(iter(fitting.items()))


def _named(place: Path, layout: str) -> tuple[str, Mapping[str, Any]]:
    parts = look_up(BOX_FORMATS, layout, "format of boxes").find(place)
    if not parts:
        raise InputError(f"{place} holds no boxes as {layout} has them; name another place")
    return layout, parts
