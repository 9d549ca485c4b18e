"""Boxes as a network learns them: how they lie to an anchor.

Ren, He, Girshick, Sun, "Faster R-CNN", 2015, arXiv:1506.01497, eq. 2, divided by the variances of
SSD (Liu and others, 2016, arXiv:1512.02325, in its code): (x - x_a) / w_a / 0.1,
(y - y_a) / h_a / 0.1, ln(w / w_a) / 0.2, ln(h / h_a) / 0.2, of centres x, y and sides w, h.
"""

import math

import torch
from torch import Tensor

from saccade.boxes.formats import centres_from_corners, corners_from_centres, require_boxes
from saccade.errors import InputError

VARIANCES = (0.1, 0.2)
LARGEST_GROWTH = math.log(1000 / 16)  # as in Faster R-CNN and torchvision: at most 62.5 anchors
SMALLEST_SIDE = 1e-3  # pixels; one of 0 has no logarithm


def encode(corners: Tensor, anchors: Tensor, variances: tuple[float, float] = VARIANCES) -> Tensor:
    """Twice (…, 4) corners, pixels → (…, 4) offsets of box i from anchor i.

    Sides below 0.001 pixel count as that long, so that every offset is finite.
    """
    _require_fitting(corners, anchors, variances)
    box, anchor = centres_from_corners(corners), centres_from_corners(anchors)
    sides, own = box[..., 2:].clamp(min=SMALLEST_SIDE), anchor[..., 2:].clamp(min=SMALLEST_SIDE)
    moved = (box[..., :2] - anchor[..., :2]) / own / variances[0]
    return torch.cat([moved, (sides / own).log() / variances[1]], -1)


def decode(offsets: Tensor, anchors: Tensor, variances: tuple[float, float] = VARIANCES) -> Tensor:
    """(…, 4) offsets, (…, 4) anchors as corners, pixels → (…, 4) corners, pixels.

    No side becomes longer than 62.5 times its anchor's, as in Faster R-CNN's code and torchvision:
    the exponential of a network that is still wild would be infinite.
    """
    _require_fitting(offsets, anchors, variances)
    anchor = centres_from_corners(anchors)
    own = anchor[..., 2:].clamp(min=SMALLEST_SIDE)
    middle = anchor[..., :2] + offsets[..., :2] * variances[0] * own
    growth = (offsets[..., 2:] * variances[1]).clamp(max=LARGEST_GROWTH)
    return corners_from_centres(torch.cat([middle, growth.exp() * own], -1))


def _require_fitting(boxes: Tensor, anchors: Tensor, variances: tuple[float, float]) -> None:
    require_boxes(boxes)
    require_boxes(anchors)
    if boxes.shape[-2:] != anchors.shape[-2:]:
        raise InputError(
            f"there must be one anchor for each box. Got {tuple(boxes.shape)} and "
            f"{tuple(anchors.shape)}"
        )
    if len(variances) != 2 or min(variances) <= 0:
        raise InputError(f"variances must be two numbers above 0. Got {variances}")
