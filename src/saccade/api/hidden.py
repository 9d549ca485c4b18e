"""Pictures without their object, and without their background, as ``limits`` shows them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from saccade.api.judged import Judged
from saccade.data.objects import (
    BoolArray,
    around,
    box_columns,
    box_mask,
    find_masks,
    read_boxes,
    read_mask,
    resize_mask,
)
from saccade.data.pictures import read_picture
from saccade.errors import SettingError
from saccade.values import Sample

Finder = Callable[[Sample, tuple[int, int]], BoolArray]


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """Pictures (n, c, H, W) uint8, hidden behind one grey; ``share``: how much hides the object."""

    without_object: Tensor
    without_background: Tensor
    share: float


def object_finder(
    samples: Sequence[Sample], boxes: str | None, masks: Path | str | None
) -> Finder | None:
    """Return what tells the object's pixels of a sample, (H, W) bool; None where nothing does.

    Called with a sample and its picture's height and width.
    """
    if boxes is not None and masks is not None:
        raise SettingError("boxes and masks say the same thing; name one of them")
    if boxes is not None:
        found = dict(zip(map(id, samples), read_boxes(samples, box_columns(boxes)), strict=True))
        return lambda one, size_hw: box_mask(found[id(one)], size_hw, one.path)
    if masks is not None:
        places = dict(zip(map(id, samples), find_masks(samples, masks), strict=True))
        return lambda one, size_hw: read_mask(places[id(one)], size_hw)
    return None


def hide_objects(
    judged: Judged, finder: Finder, progress: Callable[[range], Iterable[int]]
) -> Hidden:
    """Hide behind the mean grey of all pictures: no picture's own colour shows through.

    The object goes with the rectangle around it, for its outline could tell what it is.
    """
    pictures = judged.pictures
    size_hw = (pictures.shape[2], pictures.shape[3])
    shown = torch.zeros((len(pictures), 1, *size_hw), dtype=torch.bool)
    box = torch.zeros_like(shown)
    for row in progress(range(len(pictures))):
        sample = judged.samples[row]
        whole = read_picture(sample).shape
        mask = finder(sample, (whole[0], whole[1]))
        shown[row, 0] = torch.from_numpy(resize_mask(mask, size_hw))
        box[row, 0] = torch.from_numpy(resize_mask(around(mask), size_hw))
    grey = round(float(pictures.double().mean()))
    return Hidden(
        without_object=pictures.masked_fill(box, grey),
        without_background=pictures.masked_fill(~shown, grey),
        share=float(box.double().mean()),
    )
