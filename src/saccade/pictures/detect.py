"""The boxes of a photo: found by a detector, checked, each with its place, crop and quality."""

from dataclasses import dataclass

import numpy as np

from saccade.errors import InputError
from saccade.pictures.align import Place, by_box, by_landmarks
from saccade.pictures.crop import SIDE, cut
from saccade.pictures.quality import Quality, quality_of
from saccade.values import Detected, Detector, Float32Array, UInt8Array

LEAST_INSIDE = 0.5  # of a box's area
LEAST_AREA = 1.0  # pixels
MOST_BOXES = 1000  # of one photo; the surest are looked at

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One object of a photo.

    ``xywh``: its box in the photo's pixels; ``score`` in [0, 1]; ``crop`` (side, side, 3) uint8,
    turned upright where ``aligned``; ``poor``: why it should not be searched, or nothing.
    """

    xywh: Box
    score: float
    aligned: bool
    quality: Quality
    crop: UInt8Array
    poor: tuple[str, ...]


def objects_in(
    photo: UInt8Array, detector: Detector, side: int = SIDE
) -> tuple[list[Seen], list[str]]:
    """Return the objects of a photo (H, W, 3) uint8, the surest first, and what was left out.

    ``side``: of their crops, in pixels; the quality is judged at SIDE, whatever the crop's is.

    Boxes without area, those that lie mostly outside, and those beyond the MOST_BOXES surest are
    left out, with a line that says so. Where landmarks do not fit, the crop is that of the box.
    Raises InputError when the detector's answer is not one: of a wrong shape, NaN, a score outside
    [0, 1].
    """
    size_hw = (photo.shape[0], photo.shape[1])
    found = _answer(detector, photo)
    _require_sound(found)
    seen, left_out = [], []
    order = np.argsort(-found.scores, kind="stable").tolist()
    if len(order) > MOST_BOXES:
        left_out.append(f"of {len(order)} boxes the {MOST_BOXES} surest are looked at")
    for row in order[:MOST_BOXES]:
        useless = _useless(found.xywh[row], size_hw)
        if useless:
            left_out.append(f"a box was left out: it {useless}")
            continue
        marks = None if found.landmarks is None else found.landmarks[row]
        seen.append(
            _object(photo, found.xywh[row], float(found.scores[row]), marks, detector, side)
        )
    return seen, left_out


def _object(
    photo: UInt8Array,
    xywh: Float32Array,
    score: float,
    marks: Float32Array | None,
    by: Detector,
    side: int,
) -> Seen:
    place = _place(xywh, marks, by.template, (photo.shape[0], photo.shape[1]))
    misfit = place.misfit
    if misfit:
        place = by_box(xywh)
    # Looked at in no more pixels than there are, or every small one would seem blurred.
    looked_at = cut(photo, place, min(SIDE, max(1, round(place.side))))
    quality = quality_of(looked_at, float(xywh[2:].max()))
    poor = (f"misfit: {misfit}", *quality.poor) if misfit else quality.poor
    x, y, width, height = xywh.tolist()
    crop = cut(photo, place, side)
    return Seen((x, y, width, height), score, place.aligned, quality, crop, poor)


def _place(
    xywh: Float32Array,
    marks: Float32Array | None,
    template: Float32Array | None,
    size_hw: tuple[int, int],
) -> Place:
    if marks is None or template is None:
        return by_box(xywh)
    return by_landmarks(marks, template, size_hw)


def _answer(detector: Detector, photo: UInt8Array) -> Detected:
    answers = detector([photo])
    if len(answers) != 1:
        raise InputError(f"the detector gave {len(answers)} answers for one picture")
    return answers[0]


def _require_sound(found: Detected) -> None:
    """Raise InputError unless boxes, scores and landmarks are numbers and as many as they must."""
    n = len(found.scores)
    if found.scores.shape != (n,) or found.xywh.shape != (n, 4):
        raise InputError(
            f"the detector answered boxes {found.xywh.shape} and scores {found.scores.shape}; "
            "(n, 4) and (n,) are needed; check its card"
        )
    if found.landmarks is not None and (
        found.landmarks.ndim != 3 or found.landmarks.shape[::2] != (n, 2)
    ):
        raise InputError(
            f"the detector answered landmarks {found.landmarks.shape} for {n} boxes; (n, p, 2) is "
            "needed; check its card"
        )
    if not np.isfinite(found.xywh).all():
        raise InputError("the detector answered a box that is no number; check its card")
    if not ((found.scores >= 0) & (found.scores <= 1)).all():
        raise InputError("the detector answered a score outside 0 to 1; check its card")


def _useless(xywh: Float32Array, size_hw: tuple[int, int]) -> str:
    """Say what is wrong with a box; empty when it shows a part of the picture."""
    x, y, width, height = (float(value) for value in xywh)
    if min(width, height) <= 0 or width * height < LEAST_AREA:
        return "has no area"
    across = min(x + width, size_hw[1]) - max(x, 0.0)
    down = min(y + height, size_hw[0]) - max(y, 0.0)
    if max(across, 0.0) * max(down, 0.0) < LEAST_INSIDE * width * height:
        return "lies outside the picture"
    return ""
