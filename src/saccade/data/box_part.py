"""One part of pictures with boxes as it is read: what is kept, left out, cut off, and counted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from saccade.data.box_sets import DECIMALS, BoxColumns, BoxPicture, BoxSet, Tally
from saccade.data.pictures import is_picture, usual_size
from saccade.errors import InputError, PictureError
from saccade.values import Broken, IntArray

SLACK = 0.01  # pixels: a box that stands out by less is not told, for files are rounded
MISSING = "pictures left out: there is no such file"
UNREADABLE = "pictures left out: unreadable"
OTHER_SIZE = "pictures left out: the file is of another size than its annotations say"
FLAT = "boxes left out: no width or no height"
INVERTED = "boxes left out: the right or lower edge comes first"
OUTSIDE = "boxes left out: wholly outside of their picture"
CLIPPED = "boxes cut off at the edge of their picture"
HIDDEN = "pictures left out: hidden, for their names begin with a dot"
NAMED = (MISSING, UNREADABLE, OTHER_SIZE)  # each is told by itself, in ``broken``


@dataclass
class Part:
    """What a ``BoxSet`` is made of; ``rows``: picture, category, area, crowd, difficult, ignored.

    ``boxes``: [x, y, width, height] of each row.
    """

    root: Path
    pictures: list[BoxPicture] = field(default_factory=list)
    rows: list[tuple[int, int, float, bool, bool, bool]] = field(default_factory=list)
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    left_out: Tally = field(default_factory=Tally)
    changed: Tally = field(default_factory=Tally)
    broken: list[Broken] = field(default_factory=list)

    def size_of(
        self, path: Path, stated: tuple[int, int] | None, *, file_needed: bool
    ) -> tuple[int, int] | None:
        """Return height and width of the upright picture by its file's head; None if left out.

        ``stated``: what the data say, which serves where no file is there or needed.
        """
        if any(name.startswith(".") for name in path.relative_to(self.root).parts):
            self.left_out.add(HIDDEN, str(path))
            return None
        if not is_picture(path):
            self._leave_out(path, UNREADABLE, f"{path} has not the ending of a picture")
            return None
        if not _is_file(path):
            if stated is not None and not file_needed:
                return stated
            self._leave_out(path, MISSING, f"{path} does not exist")
            return None
        try:
            (height, width), _ = usual_size([path])
        except PictureError as error:
            self._leave_out(path, UNREADABLE, str(error))
            return None
        if stated not in (None, (int(height), int(width))):
            said = f"{stated[1]}x{stated[0]}" if stated else ""
            reason = f"{path} is {width:.0f}x{height:.0f}, its annotations say {said}"
            self._leave_out(path, OTHER_SIZE, reason)
            return None
        return int(height), int(width)

    def take_box(
        self,
        picture: int,
        category: int,
        xywh: Sequence[float],
        where: str,
        *,
        area: float | None,
        crowd: bool,
        difficult: bool,
        ignored: bool,
    ) -> None:
        """Keep a box, cut off at its picture's edge, or leave it out and count it."""
        if not all(map(math.isfinite, xywh)):
            raise InputError(f"{where}: a box must be finite numbers; correct it, or remove it")
        x, y, width, height = (round(float(value), DECIMALS) for value in xywh)
        if width <= 0 or height <= 0:
            self.left_out.add(INVERTED if min(width, height) < 0 else FLAT, where)
            return
        kept, over = _cut((x, y, width, height), self.pictures[picture].size_hw)
        if min(kept[2:]) <= 0:
            self.left_out.add(OUTSIDE, where)
            return
        if over > SLACK:
            self.changed.add(CLIPPED, where)
        if over > 0 and area is not None:
            area = min(area, kept[2] * kept[3])
        own = kept[2] * kept[3] if area is None else area
        self.boxes.append(kept)
        self.rows.append((picture, category, own, crowd, difficult, ignored))

    def to_set(self, names: tuple[str, ...], numbers: IntArray) -> BoxSet:
        """Return the set; ``numbers``: the place in ``names`` of each category of ``rows``."""
        columns = list(zip(*self.rows, strict=True)) or [()] * 6
        picture, category = (np.array(one, np.int64) for one in columns[:2])
        xywh = np.array(self.boxes, np.float64).reshape(-1, 4)
        crowd, difficult, ignored = (np.array(one, bool) for one in columns[3:])
        order = np.argsort(picture, kind="stable")
        boxes = BoxColumns(
            picture=picture[order],
            category=numbers[category][order],
            xywh=xywh[order],
            area=np.array(columns[2], np.float64)[order],
            crowd=crowd[order],
            difficult=difficult[order],
            ignored=ignored[order],
        )
        return BoxSet(
            root=self.root,
            pictures=tuple(self.pictures),
            categories=names,
            boxes=boxes,
            left_out=self.left_out.counted(),
            changed=self.changed.counted(),
            broken=tuple(self.broken),
        )

    def _leave_out(self, path: Path, what: str, reason: str) -> None:
        """Leave out a picture that should be there."""
        self.left_out.add(what, reason)
        self.broken.append(Broken(str(path), reason))


def _cut(xywh: Sequence[float], size_hw: tuple[int, int]) -> tuple[tuple[float, ...], float]:
    """Return what of a box lies in the picture, and by how many pixels it stands out at most."""
    x, y, width, height = xywh
    high, wide = size_hw
    over = max(-x, -y, x + width - wide, y + height - high)
    if over <= 0:
        return (x, y, width, height), 0.0
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, wide), min(y + height, high)
    return tuple(round(one, DECIMALS) for one in (left, top, right - left, bottom - top)), over


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A name too long for a file, for one.
        return False
