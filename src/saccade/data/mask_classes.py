"""What the pixels of a mask mean: the names of the classes, their colours, and what is void."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saccade.data.mask_class_files import Colour, read_class_file
from saccade.errors import InputError, SettingError
from saccade.names import suggest
from saccade.values import VOID, IntArray, UInt8Array

MOST_CLASSES = VOID  # their numbers are 0 to 254
OBJECTS = ("ground", "object")  # what they are called unless they are named
VOID_NAME = "void"  # a class so called is none
MOST_NUMBERS = 1 << 16  # that a mask of objects may hold


@dataclass(frozen=True, slots=True)
class MaskClasses:
    """``names``: of the classes by their numbers; () takes as many as the masks hold.

    ``colours``: that of each class, () where masks hold numbers; ``void_colours``: those of pixels
    that count nowhere, ``void_numbers`` likewise, ``void_names`` the names that those have.
    ``objects``: 0 is the first class, every other number the second.
    """

    names: tuple[str, ...] = ()
    colours: tuple[Colour, ...] = ()
    void_colours: tuple[Colour, ...] = ()
    void_numbers: tuple[int, ...] = (VOID,)
    void_names: tuple[str, ...] = ()
    objects: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what ``from_dict`` makes the same of, as JSON gives it back: lists, no tuples."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "MaskClasses":
        """Return what ``to_dict`` was called on; InputError for what cannot be."""
        try:
            return cls(
                tuple(map(str, given["names"])),
                tuple((int(r), int(g), int(b)) for r, g, b in given["colours"]),
                tuple((int(r), int(g), int(b)) for r, g, b in given["void_colours"]),
                tuple(map(int, given["void_numbers"])),
                tuple(map(str, given["void_names"])),
                bool(given["objects"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the meaning of masks is damaged: {error}; train again") from error

    def of_numbers(self, pixels: IntArray, where: Path) -> UInt8Array:
        """(H, W) numbers of a mask as it stands → numbers of classes, or VOID.

        Raises InputError, naming ``where``, for a number that is none.
        """
        void = np.isin(pixels, self.void_numbers)
        found: UInt8Array
        if self.objects:
            found = (pixels != 0).astype(np.uint8)
        else:
            strange = ((pixels < 0) | (pixels >= (len(self.names) or MOST_CLASSES))) & ~void
            if strange.any():
                raise InputError(self._strange(int(pixels[strange][0]), where))
            found = pixels.astype(np.uint8)
        found[void] = VOID
        return found

    def of_colours(self, pixels: UInt8Array, where: Path) -> UInt8Array:
        """(H, W, 3) colours → numbers of classes, or VOID.

        Raises InputError for a colour that is none, naming ``where``, a place, and the nearest.
        """
        known = np.array([*self.colours, *self.void_colours], np.int64)
        number = np.full(len(known), VOID, np.uint8)
        number[: len(self.colours)] = np.arange(len(self.colours))
        order = np.argsort(_codes(known))
        codes, own = _codes(known)[order], _codes(pixels.astype(np.int64))
        place = np.searchsorted(codes, own).clip(max=len(known) - 1)
        strange = codes[place] != own
        if strange.any():
            row, column = (int(one[0]) for one in np.nonzero(strange))
            raise InputError(self._strange_colour(pixels[row, column], known, (row, column), where))
        found: UInt8Array = number[order][place]
        return found

    def _strange(self, number: int, where: Path) -> str:
        if number == VOID and VOID not in self.void_numbers:
            return (
                f"{where} holds 255, which is no class; take segment.ignore none away to pass over "
                "such pixels, or set segment.values objects if they show an object"
            )
        if not self.names:
            return (
                f"{where} holds {number}; numbers of classes are 0 to {MOST_CLASSES - 1}. Set "
                "segment.values objects if they count objects"
            )
        last = len(self.names) - 1
        return (
            f"{where} holds {number}, and the classes are 0 to {last} ('{self.names[-1]}'); name "
            "more with segment.classes, or set segment.values objects if numbers count objects"
        )

    def _strange_colour(
        self, colour: UInt8Array, known: IntArray, at: tuple[int, int], where: Path
    ) -> str:
        nearest = int(np.abs(known - colour.astype(np.int64)).sum(axis=1).argmin())
        names = [*self.names, *([VOID_NAME] * len(self.void_colours))]
        return (
            f"{where} holds the colour {told_colour(colour.tolist())} (row {at[0]}, column "
            f"{at[1]}), which no class has; the nearest is {told_colour(known[nearest].tolist())}, "
            f"'{names[nearest]}'. Name it in the file of classes, or save the mask without "
            "smoothing"
        )


def mask_classes(
    classes: str = "", *, ignore: str = "auto", values: str = "classes"
) -> MaskClasses:
    """Return what the settings ``segment.classes``, ``ignore`` and ``values`` mean.

    ``classes``: "", names with commas, or a .csv or .toml file. Raises InputError or SettingError.
    """
    from_file = classes.lower().endswith((".csv", ".toml"))
    where = f"file of classes {classes}" if from_file else "segment.classes"
    rows = read_class_file(Path(classes)) if from_file else _listed(classes)
    objects = values == "objects"
    if objects and not rows:
        rows = [(name, None) for name in OBJECTS]
    names = [name for name, _ in rows]
    colours = [colour for _, colour in rows if colour is not None]
    _check(names, colours, where, objects=objects)
    void = _void(ignore, names, colours=bool(colours), objects=objects)
    called = tuple(name for place, name in enumerate(names) if place in void)
    if colours:
        apart = tuple(colours[place] for place in void)
        rows = [row for place, row in enumerate(rows) if place not in void]
        kept = tuple(colour for _, colour in rows if colour is not None)
        return MaskClasses(tuple(name for name, _ in rows), kept, apart, (), called)
    # The last class is none when it is void; the numbers of the others must stay.
    named = names[:-1] if len(names) - 1 in void else names
    return MaskClasses(tuple(named), void_numbers=void, void_names=called, objects=objects)


def _listed(classes: str) -> list[tuple[str, Colour | None]]:
    return [(name.strip(), None) for name in classes.split(",")] if classes.strip() else []


def _check(names: Sequence[str], colours: Sequence[Colour], where: str, *, objects: bool) -> None:
    twice = next((one for one in names if names.count(one) > 1), None)
    if "" in names or twice is not None:
        fault = "a class has no name" if "" in names else f"two classes are called '{twice}'"
        raise SettingError(f"{where}: {fault}; give each one of its own")
    if len(names) == 1 or len(names) > MOST_CLASSES:
        raise SettingError(
            f"{where} must name 2 to {MOST_CLASSES} classes, the ground among them, in the order "
            f"of their numbers, as ground,person. Got {len(names)} instead"
        )
    if objects and (len(names) != 2 or colours):
        raise SettingError(
            f"{where} must name the ground and the one class of all objects, as ground,person, "
            f"without colours, where segment.values is objects. Got {len(names)} names"
        )
    same = next((one for one in colours if colours.count(one) > 1), None)
    if same is not None:
        raise InputError(f"{where}: two classes have the colour {told_colour(same)}; change one")


def _void(ignore: str, names: Sequence[str], *, colours: bool, objects: bool) -> tuple[int, ...]:
    """The numbers of pixels that count nowhere."""
    if ignore == "none":
        return ()
    always = () if colours or objects else (VOID,)
    if ignore == "auto":
        called = (place for place, name in enumerate(names) if name.lower() == VOID_NAME)
        return (*called, *always)
    if ignore in names:
        return (list(names).index(ignore), *always)
    if ignore.isdecimal() and not colours and int(ignore) < MOST_NUMBERS:
        return tuple(dict.fromkeys((int(ignore), *always)))
    number = "" if colours else f"a number below {MOST_NUMBERS}, "
    raise SettingError(
        f"segment.ignore must be auto, none, {number}or a class by its name. Got '{ignore}' "
        f"instead; {suggest(ignore, ['auto', 'none', *names])}"
    )


def _codes(colours: IntArray) -> IntArray:
    """(..., 3) → (...): a number a colour."""
    codes: IntArray = (colours[..., 0] << 16) | (colours[..., 1] << 8) | colours[..., 2]
    return codes


def told_colour(colour: Sequence[int]) -> str:
    """Return "0,128,255"."""
    return ",".join(map(str, colour))
