"""Names of what one photo shows: each box is searched, and no name is given twice.

Two boxes of a photo are two objects, so the surest pair of box and identity is settled first, and
takes both out; the other boxes have their next best, while it reaches the threshold. That is not
the assignment of the largest sum (Kuhn, 1955): there a stranger who resembles somebody could push
the surest box to its second best. Here no box changes its name for one that is less sure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saccade.data.pictures import read_picture
from saccade.errors import InputError, PictureError
from saccade.gallery import Gallery
from saccade.gallery.crops import Crop, Cut
from saccade.gallery.enrol import content_hash
from saccade.pictures.crop import side_for
from saccade.pictures.detect import Box, Seen, objects_in
from saccade.pictures.quality import Quality
from saccade.values import UNKNOWN, Detector, Found, Hit, Sample, UInt8Array

NOTHING = "nothing was found in it"


@dataclass(frozen=True, slots=True)
class Named:
    """A box of a photo and who it is.

    ``box``: [x, y, width, height] in the photo's pixels; ``score``: of the detector, in [0, 1];
    ``aligned``: its crop was turned upright by landmarks; ``poor``: why it was not searched, or
    would not have been; ``searched``: false where ``poor`` stopped it; ``hits``: best first;
    ``match``: the hit whose identity it got, None for unknown; ``note``: why it is not the first.
    """

    box: Box
    score: float
    aligned: bool
    quality: Quality
    poor: tuple[str, ...]
    searched: bool
    hits: tuple[Hit, ...] = ()
    match: Hit | None = None
    note: str = ""

    @property
    def identity(self) -> str:
        """The name, "unknown", or why it was not searched."""
        if not self.searched:
            return self.poor[0]
        return UNKNOWN if self.match is None else self.match.identity


@dataclass(frozen=True, slots=True)
class Names:
    """What a photo shows: its boxes, the surest first.

    ``left_out``: boxes that are none, a line each. ``reason``: why there is no answer, when the
    photo could not be read.
    """

    photo: str
    boxes: tuple[Named, ...] = ()
    threshold: float | None = None
    left_out: tuple[str, ...] = ()
    reason: str = ""

    @property
    def known(self) -> bool:
        """True when a box got a name."""
        return any(box.match is not None for box in self.boxes)


def names_in(
    photo: UInt8Array,
    *,
    detector: Detector,
    gallery: Gallery,
    shown: str = "photo",
    top: int = 5,
    any_quality: bool = False,
    exact: bool = False,
    where: str | None = None,
) -> Names:
    """Return who a photo (H, W, 3) uint8 shows, by the gallery's embedder and threshold.

    Boxes of poor quality, or whose landmarks do not fit, are told and not searched, unless
    ``any_quality``. ``top``: hits told for each box; ``exact``, ``where``: see ``Gallery``. Raises
    InputError for a detector's answer that is none.
    """
    seen, left_out = objects_in(photo, detector, side_for(gallery.input_size_hw))
    wanted = [number for number, one in enumerate(seen) if any_quality or not one.poor]
    crops = [Sample(Path(shown), "", array=seen[number].crop) for number in wanted]
    # Of n boxes at most n - 1 names are taken by others.
    most = max(top, len(crops))
    found = gallery.find(crops, most, exact=exact, where=where) if crops else []
    answers = dict(zip(wanted, zip(found, assigned(found), strict=True), strict=True))
    boxes = [_named(one, answers.get(number), top) for number, one in enumerate(seen)]
    threshold = found[0].threshold if found else None
    return Names(shown, tuple(boxes), threshold, tuple(left_out))


def assigned(found: Sequence[Found]) -> list[Hit | None]:
    """Return for each box the hit whose identity it gets, none of them twice; None for unknown.

    ``found``: what the gallery answers for each box. Pairs below the threshold are none; the rest
    are settled from the most similar down, equal ones by the order of the boxes.
    """
    pairs = [
        (-hit.similarity, box, rank)
        for box, one in enumerate(found)
        for rank, hit in enumerate(one.hits)
        if one.threshold is None or hit.similarity >= one.threshold
    ]
    settled: list[Hit | None] = [None] * len(found)
    taken = set()
    for _, box, rank in sorted(pairs):
        hit = found[box].hits[rank]
        if settled[box] is None and hit.identity not in taken:
            settled[box] = hit
            taken.add(hit.identity)
    return settled


def cut_from(
    sample: Sample, *, detector: Detector, side: int, largest: bool, any_quality: bool
) -> Cut:
    """Return the only object of a photo, or the ``largest``, as a crop of ``side`` pixels.

    Raises InputError, which names the photo, when it cannot be read, shows none, several and
    ``largest`` is not asked for, or when it is of poor quality and ``any_quality`` is not.
    """
    photo = read_picture(sample)
    try:
        seen = _the_one(*objects_in(photo, detector, side), largest, any_quality)
    except InputError as error:
        raise InputError(f"{sample.path}: {error}") from error
    return _cut(sample, seen, content_hash(sample), detector)


def all_from(
    sample: Sample, *, detector: Detector, side: int, any_quality: bool
) -> tuple[list[Cut], list[str]]:
    """Return crops of all objects of a photo, the surest first, and why others were left out.

    Raises InputError, which names the photo, when it cannot be read or shows nothing.
    """
    photo = read_picture(sample)
    try:
        seen, left_out = objects_in(photo, detector, side)
        if not seen:
            raise _empty(left_out)
    except InputError as error:
        raise InputError(f"{sample.path}: {error}") from error
    good = [one for one in seen if any_quality or not one.poor]
    content = content_hash(sample)
    for one in seen:
        if one not in good:
            x, y, width, height = (round(side) for side in one.xywh)
            left_out.append(f"box {x} {y} {width} {height}: {one.poor[0]}")
    return [_cut(sample, one, content, detector) for one in good], left_out


def _cut(sample: Sample, one: Seen, content: bytes, detector: Detector) -> Cut:
    crop = Crop(content, one.xywh, one.aligned, detector.fingerprint)
    return Cut(sample.path, sample.label, one.crop, sample.metadata, crop=crop)


def _empty(left_out: list[str]) -> PictureError:
    return PictureError("; ".join([f"{NOTHING}; take a larger or sharper photo", *left_out]))


def _the_one(seen: list[Seen], left_out: list[str], largest: bool, any_quality: bool) -> Seen:
    if not seen:
        raise _empty(left_out)
    if len(seen) > 1 and not largest:
        raise PictureError(
            f"shows {len(seen)} where one can be enrolled; cut it to one, or take the largest "
            "(--largest)"
        )
    chosen = max(seen, key=lambda one: one.xywh[2] * one.xywh[3])
    if chosen.poor and not any_quality:
        raise PictureError(f"{chosen.poor[0]}; take a better photo")
    return chosen


def _named(one: Seen, answer: tuple[Found, Hit | None] | None, top: int) -> Named:
    basis = (one.xywh, one.score, one.aligned, one.quality, one.poor)
    if answer is None:
        return Named(*basis, searched=False)
    found, hit = answer
    note = ""
    if found.known and hit != found.hits[0]:
        note = f"{found.hits[0].identity} is surer elsewhere in this photo"
    return Named(*basis, True, found.hits[:top], hit, note)
