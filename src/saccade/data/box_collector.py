"""What every reader of boxes fills: it judges pictures and boxes of all formats by one measure."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from saccade.data.box_sets import CONTROL, DECIMALS, BoxColumns, BoxPicture, BoxSet, Tally
from saccade.data.pictures import is_picture, usual_size
from saccade.errors import InputError, PictureError
from saccade.files import safe_join
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


@dataclass
class _Part:
    root: Path
    pictures: list[BoxPicture] = field(default_factory=list)
    rows: list[tuple[int, int, float, bool, bool, bool]] = field(default_factory=list)
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    left_out: Tally = field(default_factory=Tally)
    changed: Tally = field(default_factory=Tally)
    broken: list[Broken] = field(default_factory=list)


class Collector:
    """Takes pictures and boxes as a reader finds them, and gives the set of each part.

    ``files_needed``: pictures without a file are left out; otherwise they may be missing where
    their size is stated. ``first_pixel`` is what ``from_corners`` takes.
    """

    def __init__(self, source: Path, *, first_pixel: int = 0, files_needed: bool = True) -> None:
        self.first_pixel = first_pixel
        self._source, self._files_needed = source, files_needed
        self._parts: dict[str, _Part] = {}
        self._categories: dict[str, int] = {}
        self._home: dict[Path, str] = {}  # the part of each picture

    def part(self, name: str, root: Path) -> None:
        """Begin a part, whose pictures lie below the folder ``root``; "" for undivided data."""
        self._parts[name] = _Part(_plain(root))

    def category(self, name: str, where: str) -> int:
        """Return the number of a category, a new one for a new name.

        A name is one line: line breaks and several spaces become one space, those around it none.
        """
        plain = one_line(name)
        if not plain:
            raise InputError(f"{where}: the category has no name; give it one")
        if CONTROL.search(plain):
            raise InputError(f"{where}: the category {plain!r:.80} is no text; rename it")
        return self._categories.setdefault(plain, len(self._categories))

    def new_category(self, name: str, where: str) -> int:
        """Return the number of a category that must have a name of its own."""
        if one_line(name) in self._categories:
            raise InputError(
                f"{where}: two categories are called '{one_line(name):.80}'; rename one"
            )
        return self.category(name, where)

    def picture(
        self,
        part: str,
        name: str,
        where: str,
        size_hw: tuple[int, int] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> int | None:
        """Return the number of a new picture in its part, or None, counted, for one left out.

        ``name`` is below the part's folder; ``size_hw`` what the data say of its size,
        ``metadata`` what else. Raises InputError for a name that leaves the folder, and for a
        picture that stands there twice.
        """
        of = self._parts[part]
        path = inside(of.root, name, where)
        if path in self._home:
            before = self._home[path]
            twice = f"in {before} and in {part}" if before != part else "twice"
            raise InputError(f"{where}: the picture {name!r:.80} stands {twice}; keep it once")
        self._home[path] = part
        found = self._size(of, path, size_hw)
        if found is None:
            return None
        of.pictures.append(BoxPicture(path, found, metadata or {}))
        return len(of.pictures) - 1

    def size(self, part: str, picture: int) -> tuple[int, int]:
        """Return the height and width of a picture."""
        return self._parts[part].pictures[picture].size_hw

    def box(
        self,
        part: str,
        picture: int | None,
        category: int,
        xywh: Sequence[float],
        where: str,
        *,
        area: float | None = None,
        crowd: bool = False,
        difficult: bool = False,
        ignored: bool = False,
    ) -> None:
        """Take a box of a picture; none of a picture that was left out.

        One that stands out of its picture is cut off, one without area left out, both counted.
        Raises InputError for what is no finite number.
        """
        if picture is None:
            return
        of = self._parts[part]
        if not all(map(math.isfinite, xywh)):
            raise InputError(f"{where}: a box must be finite numbers; correct it, or remove it")
        x, y, width, height = (round(float(value), DECIMALS) for value in xywh)
        if width <= 0 or height <= 0:
            of.left_out.add(INVERTED if min(width, height) < 0 else FLAT, where)
            return
        kept, over = _cut((x, y, width, height), of.pictures[picture].size_hw)
        if min(kept[2:]) <= 0:
            of.left_out.add(OUTSIDE, where)
            return
        if over > SLACK:
            of.changed.add(CLIPPED, where)
        if over > 0 and area is not None:
            area = min(area, kept[2] * kept[3])
        own = kept[2] * kept[3] if area is None else area
        of.boxes.append(kept)
        of.rows.append((picture, category, own, crowd, difficult, ignored))

    def leave_out(self, part: str, what: str, where: str) -> None:
        """Count something else that cannot be used."""
        self._parts[part].left_out.add(what, where)

    def changed(self, part: str, what: str, where: str) -> None:
        """Count something that is read otherwise than it stands there."""
        self._parts[part].changed.add(what, where)

    def sets(self, *, by_name: bool = False) -> dict[str, BoxSet]:
        """Return the set of each part; ``by_name``: categories are put in the order of their names.

        Raises InputError when no picture is left.
        """
        if not any(of.pictures for of in self._parts.values()):
            told = [one for of in self._parts.values() for one in of.left_out.counted()]
            why = f": {told[0].what}, the first {told[0].first}" if told else "; put some there"
            raise InputError(f"{self._source} holds no picture that can be used{why}")
        names = tuple(sorted(self._categories) if by_name else self._categories)
        place = {name: number for number, name in enumerate(names)}
        numbers = np.array([place[name] for name in self._categories], np.int64)
        return {part: _set(of, names, numbers) for part, of in self._parts.items()}

    def _size(
        self, of: _Part, path: Path, stated: tuple[int, int] | None
    ) -> tuple[int, int] | None:
        """The picture's size by its file's head, of the upright picture; None if left out."""
        if any(name.startswith(".") for name in path.relative_to(of.root).parts):
            of.left_out.add(HIDDEN, str(path))
            return None
        if not is_picture(path):
            _leave_out(of, path, UNREADABLE, f"{path} has not the ending of a picture")
            return None
        if not _is_file(path):
            if stated is not None and not self._files_needed:
                return stated
            _leave_out(of, path, MISSING, f"{path} does not exist")
            return None
        try:
            (height, width), _ = usual_size([path])
        except PictureError as error:
            _leave_out(of, path, UNREADABLE, str(error))
            return None
        found = (int(height), int(width))
        if stated not in (None, found):
            said = f"{stated[1]}x{stated[0]}" if stated else ""
            _leave_out(of, path, OTHER_SIZE, f"{path}, {found[1]}x{found[0]}, not {said}")
            return None
        return found


def _leave_out(of: _Part, path: Path, what: str, reason: str) -> None:
    """Leave out a picture that should be there."""
    of.left_out.add(what, reason)
    of.broken.append(Broken(str(path), reason))


def one_line(name: str) -> str:
    """Return the name of a category as it is kept: no line breaks, single spaces."""
    return " ".join(name.split())


def inside(root: Path, name: str, where: str) -> Path:
    """Return ``root / name`` without detours; InputError, naming ``where``, when it leaves."""
    plain = os.path.normpath(name)
    try:
        joined = safe_join(root, plain)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    path = root / (joined.relative_to(root.resolve()) if Path(plain).is_absolute() else plain)
    if path == root:
        raise InputError(f"{where}: {name!r} is no name of a picture; write it again")
    return path


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


def _plain(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A name too long for a file, for one.
        return False


def _set(of: _Part, names: tuple[str, ...], numbers: IntArray) -> BoxSet:
    columns = list(zip(*of.rows, strict=True)) or [()] * 6
    picture, category = (np.array(one, np.int64) for one in columns[:2])
    xywh = np.array(of.boxes, np.float64).reshape(-1, 4)
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
        root=of.root,
        pictures=tuple(of.pictures),
        categories=names,
        boxes=boxes,
        left_out=of.left_out.counted(),
        changed=of.changed.counted(),
        broken=tuple(of.broken),
    )
