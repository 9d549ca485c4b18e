"""Boxes in torch: as corners, as corner and sides, as centre and sides.

Corners are [x1, y1, x2, y2], x2 and y2 the ends that a box reaches to, so that x2 - x1 is its
width. All are in one unit, such as pixels counted from 0. A ``size_hw`` is (height, width).
"""

import torch
from torch import Tensor

from saccade.errors import InputError

SizeHW = tuple[float, float]


def corners_from_xywh(xywh: Tensor) -> Tensor:
    """(…, 4) float [x, y, width, height] → (…, 4) [x1, y1, x2, y2]."""
    require_boxes(xywh)
    return torch.cat([xywh[..., :2], xywh[..., :2] + xywh[..., 2:]], -1)


def xywh_from_corners(corners: Tensor) -> Tensor:
    """(…, 4) float [x1, y1, x2, y2] → (…, 4) [x, y, width, height]."""
    require_boxes(corners)
    return torch.cat([corners[..., :2], corners[..., 2:] - corners[..., :2]], -1)


def corners_from_centres(centres: Tensor) -> Tensor:
    """(…, 4) float [x, y of the centre, width, height] → (…, 4) [x1, y1, x2, y2]."""
    require_boxes(centres)
    half = centres[..., 2:] / 2
    return torch.cat([centres[..., :2] - half, centres[..., :2] + half], -1)


def centres_from_corners(corners: Tensor) -> Tensor:
    """(…, 4) float [x1, y1, x2, y2] → (…, 4) [x, y of the centre, width, height]."""
    require_boxes(corners)
    low, high = corners[..., :2], corners[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def clip(corners: Tensor, size_hw: SizeHW) -> Tensor:
    """(…, 4) corners → likewise, inside a picture of this size; one outside loses its area."""
    require_boxes(corners)
    return torch.minimum(corners.clamp(min=0), _four(corners, size_hw))


def scale(corners: Tensor, from_hw: SizeHW, to_hw: SizeHW) -> Tensor:
    """(…, 4) corners in a picture of size ``from_hw`` → in that picture stretched to ``to_hw``."""
    require_boxes(corners)
    if min(from_hw) <= 0:
        raise InputError(f"from_hw must be above 0. Got {from_hw}; give the picture's own size")
    return corners * (_four(corners, to_hw) / _four(corners, from_hw))


def mirrored(corners: Tensor, width: float) -> Tensor:
    """(…, 4) corners → those in the picture, ``width`` pixels wide, turned left to right."""
    require_boxes(corners)
    left, top, right, bottom = corners.unbind(-1)
    return torch.stack([width - right, top, width - left, bottom], -1)


def require_boxes(boxes: Tensor) -> None:
    """Raise InputError unless the last of the dimensions holds four numbers."""
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise InputError(f"boxes must have a shape that ends in 4. Got {tuple(boxes.shape)}")


def _four(like: Tensor, size_hw: SizeHW) -> Tensor:
    height, width = size_hw
    return like.new_tensor([width, height, width, height])
