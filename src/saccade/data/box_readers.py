"""The one door to boxes on disk: what stands at a place decides how it is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saccade.data.box_collector import Collector
from saccade.data.box_formats import BOX_FORMATS
from saccade.data.box_sets import BoxSet
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
    it, or the .json, .yaml or .csv file; ``layout`` names the format where several fit.
    ``first_pixel``: what the corners of VOC or CSV count from (see ``box_sets.from_corners``), if
    otherwise than usual. ``files_needed``: else the files of pictures may be missing where their
    size is stated. Raises InputError, in one line, for what is missing, damaged or ambiguous; what
    is merely of no use is left out and counted in the sets.
    """
    path = Path(place)
    if not path.exists():
        raise InputError(f"data {path} does not exist; check the path")
    name, found = _found(path) if layout is None else _named(path, layout)
    usual = BOX_FORMATS[name].first_pixel
    if first_pixel is not None and usual is None:
        raise SettingError(f"the first pixel is a matter of VOC and CSV; {path} is {name}")
    if first_pixel not in (None, 0, 1):
        raise SettingError(f"the first pixel must be 0 or 1. Got {first_pixel} instead")
    first = (usual or 0) if first_pixel is None else first_pixel
    collector = Collector(path, first_pixel=first, files_needed=files_needed)
    return BOX_FORMATS[name].read(found, collector)


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
