"""The parts of data that training reads: what is learned from, and what may be held out for it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from saccade.data.box_sets import Counted
from saccade.data.readers import choose_part, find_parts
from saccade.values import Broken, Sample

LONGEST_SIDE = 64  # pixels that a whole picture is seen with, unless a size is named


class Parts(NamedTuple):
    """``place``: the part train, or undivided data; its ``samples``; those of the part val.

    ``left_out`` and ``changed`` count what a reader of boxes could not use, or read otherwise;
    pictures that it could not read have no sample, and are named in ``broken``.
    """

    place: Path
    samples: list[Sample]
    validation: list[Sample]
    left_out: tuple[Counted, ...] = ()
    changed: tuple[Counted, ...] = ()
    broken: tuple[Broken, ...] = ()


def read_parts(source: Path, read: Callable[[Path], list[Sample]], *, validation: bool) -> Parts:
    """Return what ``read`` finds in the parts of labelled data; val only where it is asked for."""
    place = choose_part(source, ("train",))
    held = find_parts(source).get("val") if validation else None
    return Parts(place, read(place), [] if held is None else read(held))
