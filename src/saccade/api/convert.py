"""``convert``: pictures with boxes from one format on disk to another."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from saccade.data.box_readers import read_boxes
from saccade.data.box_sets import Counted, together
from saccade.data.box_writers import require_writable, write_boxes


@dataclass(frozen=True, slots=True)
class PartCounts:
    """How many pictures and boxes a part has; ``empty`` pictures show none."""

    pictures: int
    boxes: int
    empty: int


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written to ``out``, by part, and what was left out or changed on the way.

    The boxes of ``parts`` are those that were read; ``left_out`` may name some that the new format
    cannot hold.
    """

    out: Path
    to: str
    categories: tuple[str, ...]
    parts: dict[str, PartCounts]
    left_out: tuple[Counted, ...]
    changed: tuple[Counted, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"out": str(self.out)}


def convert(
    source: Path | str,
    out: Path | str,
    *,
    to: str,
    pictures: str = "copy",
    layout: str | None = None,
    first_pixel: int | None = None,
) -> Converted:
    """Read the boxes at ``source`` and write them into the new folder ``out``, whole or not at all.

    ``to``: "coco", "voc", "yolo" or "csv"; ``pictures``: "copy", "link" (hard links) or "none",
    only the annotations. ``layout`` and ``first_pixel`` are of ``source``, as in ``read_boxes``.
    Raises InputError for data that cannot be read, an ``out`` that exists, and names that the new
    format cannot hold.
    """
    require_writable(out, to=to, pictures=pictures)
    sets = read_boxes(
        source, layout=layout, first_pixel=first_pixel, files_needed=pictures != "none"
    )
    losses = write_boxes(sets, out, to=to, pictures=pictures)
    lost, changed = losses.left_out.counted(), losses.changed.counted()
    return Converted(
        out=Path(out),
        to=to,
        categories=next(iter(sets.values())).categories,
        parts={
            part: PartCounts(
                len(one.pictures),
                len(one.boxes.picture),
                len(one.pictures) - len(set(one.boxes.picture.tolist())),
            )
            for part, one in sets.items()
        },
        left_out=together([*(c for one in sets.values() for c in one.left_out), *lost]),
        changed=together([*(c for one in sets.values() for c in one.changed), *changed]),
    )
