"""Pictures with boxes as samples of a detector, and as what judges it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saccade.api.parts import Parts
from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.data.box_part import NAMED
from saccade.data.box_readers import read_boxes
from saccade.data.box_sets import BoxSet, together
from saccade.data.readers import choose_part
from saccade.errors import InputError
from saccade.values import Detection, PictureBoxes, Sample


def samples_of(given: BoxSet) -> list[Sample]:
    """Return a sample a picture, in their order, each with its boxes."""
    boxes = given.boxes
    passed = boxes.crowd | boxes.difficult | boxes.ignored
    order = np.argsort(boxes.picture, kind="stable")
    ends = np.searchsorted(boxes.picture[order], np.arange(len(given.pictures) + 1))
    samples = []
    for number, picture in enumerate(given.pictures):
        own = order[ends[number] : ends[number + 1]]
        known = PictureBoxes(
            size_hw=picture.size_hw,
            labels=tuple(given.categories[place] for place in boxes.category[own]),
            xywh=boxes.xywh[own],
            area=boxes.area[own],
            passed=passed[own],
        )
        samples.append(Sample(picture.path, "", metadata=picture.metadata, boxes=known))
    return samples


def box_parts(source: Path, *, validation: bool) -> Parts:
    """Return the part train, or the undivided data, and the part val; raises InputError.

    Without ``validation`` the part val is left alone.
    """
    sets = read_boxes(source)
    place = choose_part(source, ("train",), {part: source / part for part in sets if part})
    read = ("train", "", "val") if validation else ("train", "")
    return _told(
        place,
        samples_of(sets["train" if "train" in sets else ""]),
        samples_of(sets["val"]) if validation and "val" in sets else [],
        [one for part, one in sets.items() if part in read],
    )


def part_of_boxes(part: Path) -> Parts:
    """Return undivided data, or one part of others; raises InputError."""
    (found,) = read_boxes(part).values()
    return _told(part, samples_of(found), [], [found])


def _told(
    place: Path, samples: list[Sample], validation: list[Sample], used: Sequence[BoxSet]
) -> Parts:
    """The parts with what was left out of the sets ``used``, each picture that is named once."""
    counted = [count for one in used for count in one.left_out if count.what not in NAMED]
    return Parts(
        place,
        samples,
        validation,
        left_out=together(counted),
        changed=together(count for one in used for count in one.changed),
        broken=tuple(broken for one in used for broken in one.broken),
    )


def boxes_of(sample: Sample) -> PictureBoxes:
    """Return the true boxes of a sample, that must have them."""
    if sample.boxes is None:
        raise InputError(f"{sample.path} has no boxes, which a detector learns and is judged by")
    return sample.boxes


def true_boxes(samples: Sequence[Sample], classes: Sequence[str]) -> TrueBoxes:
    """Return the boxes of all samples; what need not be found counts as a crowd.

    Raises InputError for a class that is not among ``classes``.
    """
    number = {label: place for place, label in enumerate(classes)}
    each = [boxes_of(sample) for sample in samples]
    for sample, one in zip(samples, each, strict=True):
        for label in one.labels:
            if label not in number:
                raise InputError(
                    f"{sample.path} shows '{label}', which the detector has not learned; it knows "
                    f"{', '.join(classes)}"
                )
    return TrueBoxes(
        picture=np.repeat(np.arange(len(each)), [len(one.labels) for one in each]),
        category=np.array([number[label] for one in each for label in one.labels], np.int64),
        xywh=np.concatenate([np.zeros((0, 4)), *(one.xywh for one in each)]),
        area=np.concatenate([np.zeros(0), *(one.area for one in each)]),
        crowd=np.concatenate([np.zeros(0, bool), *(one.passed for one in each)]),
    )


def found_boxes(detections: Sequence[Detection], classes: Sequence[str]) -> FoundBoxes:
    """Return all boxes that were found, picture by picture."""
    number = {label: place for place, label in enumerate(classes)}
    return FoundBoxes(
        picture=np.repeat(np.arange(len(detections)), [len(one.labels) for one in detections]),
        category=np.array([number[label] for one in detections for label in one.labels], np.int64),
        xywh=np.concatenate([np.zeros((0, 4)), *(one.xywh for one in detections)]),
        score=np.concatenate([np.zeros(0), *(one.scores for one in detections)]),
    )
