"""Pictures with their masks, wherever they came from: all looked at once, and what was left out.

Every mask is read here before anything is learned, so that a wrong one is named at the start.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saccade.data.batches import DECODE_THREADS
from saccade.data.box_sets import Counted, Tally
from saccade.data.mask_classes import MaskClasses
from saccade.data.pictures import usual_size
from saccade.errors import InputError, PictureError
from saccade.values import VOID, Broken, IntArray, Sample, TrueMask

UNREADABLE = "pictures left out: they, or their masks, cannot be read"
ALL_VOID = "pictures left out: their mask says nothing of any pixel"
NO_MASK = "pictures left out: no mask"
NO_PICTURE = "masks left out: no picture of their name"


class Pair(NamedTuple):
    """A picture and its mask; ``mask`` opens it: an InputError if it cannot be one."""

    picture: Path
    mask: Callable[[], TrueMask]
    metadata: Mapping[str, str] = {}


@dataclass(frozen=True)
class FoundMasks:
    """What a layout finds in one part: pairs below ``root``, and what is left out or changed.

    ``names``: of the classes, where the layout has them.
    """

    root: Path
    names: tuple[str, ...] = ()
    pairs: list[Pair] = field(default_factory=list)
    left_out: Tally = field(default_factory=Tally)
    changed: Tally = field(default_factory=Tally)
    broken: list[Broken] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MaskSet:
    """One part of the data: pictures below ``root``, each with its mask, and the classes' names.

    The place in ``classes`` is the number; at most 255. ``colours``: of each class, as the file of
    classes says, else (). ``pixels``: how many each has in the masks, ``void`` how many none has.
    ``left_out``, ``changed``, ``broken``: as in ``BoxSet``.
    """

    root: Path
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] = ()
    pixels: tuple[int, ...] = ()
    void: int = 0
    left_out: tuple[Counted, ...] = ()
    changed: tuple[Counted, ...] = ()
    broken: tuple[Broken, ...] = ()


class _Looked(NamedTuple):
    """``counts`` (256,): pixels of each number; none of a picture that is left out."""

    sample: Sample | None
    counts: IntArray
    broken: str = ""


def mask_sets(found: Mapping[str, FoundMasks], classes: MaskClasses) -> dict[str, MaskSet]:
    """Read every mask once and return the set of each part; the parts share their classes.

    Pictures and masks that cannot be read are left out, and counted. Raises InputError for a mask
    that is of another size than its picture or holds what is no class, and where nothing is left.
    """
    looked: dict[str, list[_Looked]] = {}
    for part, one in found.items():
        with ThreadPoolExecutor(DECODE_THREADS) as pool:
            looked[part] = list(pool.map(_look, one.pairs))
    counts = {part: _summed(rows) for part, rows in looked.items()}
    whole = np.sum([*counts.values()], axis=0)
    told = next((one.names for one in found.values()), ())
    names = told or classes.names or tuple(map(str, range(1 + _largest(whole))))
    sets = {
        part: _set(one, looked[part], counts[part], names, classes) for part, one in found.items()
    }
    _require_some(sets)
    return sets


def _look(pair: Pair) -> _Looked:
    none = np.zeros(VOID + 1, np.int64)
    try:
        (height, width), _ = usual_size([pair.picture])
        mask = pair.mask()
        if mask.size_hw != (height, width):
            high, wide = mask.size_hw
            raise InputError(
                f"{pair.picture} is {width:.0f} x {height:.0f} pixels, but {mask} {wide} x {high}; "
                "make the mask as large as its picture, without smoothing"
            )
        counts = np.bincount(mask.read().ravel(), minlength=VOID + 1)
    except PictureError as error:
        return _Looked(None, none, str(error))
    sample = Sample(pair.picture, "", metadata=pair.metadata, mask=mask)
    return _Looked(sample if counts[:VOID].any() else None, counts)


def _set(
    found: FoundMasks,
    looked: Sequence[_Looked],
    counts: IntArray,
    names: tuple[str, ...],
    classes: MaskClasses,
) -> MaskSet:
    broken = list(found.broken)
    for pair, one in zip(found.pairs, looked, strict=True):
        if one.broken:
            found.left_out.add(UNREADABLE, one.broken)
            broken.append(Broken(str(pair.picture), one.broken))
        elif one.sample is None:
            found.left_out.add(ALL_VOID, str(pair.picture))
    return MaskSet(
        root=found.root,
        samples=tuple(one.sample for one in looked if one.sample is not None),
        classes=names,
        colours=classes.colours,
        pixels=tuple(counts[: len(names)].tolist()),
        void=int(counts[VOID]),
        left_out=found.left_out.counted(),
        changed=found.changed.counted(),
        broken=tuple(broken),
    )


def _summed(looked: Sequence[_Looked]) -> IntArray:
    whole = np.zeros(VOID + 1, np.int64)
    for one in looked:
        whole += one.counts
    return whole


def _largest(counts: IntArray) -> int:
    """The largest number of a class."""
    return int(np.flatnonzero(counts[:VOID]).max(initial=0))


def _require_some(sets: Mapping[str, MaskSet]) -> None:
    if any(one.samples for one in sets.values()):
        return
    told = [count for one in sets.values() for count in one.left_out]
    root = next(iter(sets.values())).root
    why = f": {told[0].sentence}" if told else "; put some there"
    raise InputError(f"{root} holds no picture with a mask that can be used{why}")
