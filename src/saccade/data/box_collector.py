"""What every reader of boxes fills: it judges pictures and boxes of all formats by one measure."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from saccade.data.box_part import Part
from saccade.data.box_sets import CONTROL, BoxPicture, BoxSet
from saccade.errors import InputError
from saccade.files import safe_join


class Collector:
    """Takes pictures and boxes as a reader finds them, and gives the set of each part.

    ``files_needed``: pictures without a file are left out; otherwise they may be missing where
    their size is stated. ``first_pixel`` is what ``from_corners`` takes.
    """

    def __init__(self, source: Path, *, first_pixel: int = 0, files_needed: bool = True) -> None:
        self.first_pixel = first_pixel
        self._source, self._files_needed = source, files_needed
        self._parts: dict[str, Part] = {}
        self._categories: dict[str, int] = {}
        self._home: dict[Path, str] = {}  # the part of each picture

    def part(self, name: str, root: Path) -> None:
        """Begin a part, whose pictures lie below the folder ``root``; "" for undivided data."""
        self._parts[name] = Part(_plain(root))

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
        found = of.size_of(path, size_hw, file_needed=self._files_needed)
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
        self._parts[part].take_box(
            picture,
            category,
            xywh,
            where,
            area=area,
            crowd=crowd,
            difficult=difficult,
            ignored=ignored,
        )

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
        return {part: of.to_set(names, numbers) for part, of in self._parts.items()}


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


def _plain(path: Path) -> Path:
    return Path(os.path.normpath(path))
