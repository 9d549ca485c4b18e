"""Which anchor learns which true box.

Both take a matrix of overlaps, (…, a, g) float in [0, 1]: a anchors, g true boxes, and before them
any dimensions, such as the pictures of a batch. A column of zeros is a box that nothing learns,
such as padding. Both answer (…, a) int64: the place of the true box, NONE, or IGNORED.
"""

import math

import torch
from torch import Tensor

from saccade.errors import InputError

NONE = -1
IGNORED = -2


def greedy(iou: Tensor) -> Tensor:
    """(…, a, g) → (…, a): each true box gets one anchor of its own, where there is one above 0.

    The largest number of the matrix makes a pair, whose row and column are struck out; so on while
    one is above 0. Of equal ones the lowest true box comes first, then the lowest anchor.
    """
    require_overlaps(iou)
    *batch, anchors, boxes = iou.shape
    pictures = math.prod(batch)
    # A row a true box: the first of equal ones is then that of the lowest box.
    left = iou.detach().mT.clone(memory_format=torch.contiguous_format)
    left = left.reshape(pictures, boxes, anchors)
    place = torch.full((pictures, anchors), NONE, device=iou.device)
    for _ in range(min(anchors, boxes)):
        best, at = left.reshape(pictures, boxes * anchors).max(1)
        (those,) = torch.where(best > 0)
        if len(those) == 0:
            break
        box, anchor = at[those] // anchors, at[those] % anchors
        place[those, anchor] = box
        left[those, box] = 0
        left[those, :, anchor] = 0
    return place.reshape(*batch, anchors)


def thresholds(iou: Tensor, positive: float, negative: float, best: bool = True) -> Tensor:
    """(…, a, g) → (…, a): by the box that an anchor overlaps most, the lowest of equal ones.

    An overlap of at least ``positive`` makes it learn that box; below ``negative`` it is NONE,
    background; between them IGNORED. With ``best`` each true box also keeps the anchor that
    ``greedy`` finds for it, however little they overlap. (Faster R-CNN, arXiv:1506.01497, section
    3.1.2; we differ: two boxes never share their best anchor.)
    """
    require_order(positive, negative)
    overlap, place = nearest(iou)
    place = torch.where(overlap >= positive, place, IGNORED)
    place = torch.where(overlap < negative, NONE, place)
    if best:
        own = greedy(iou)
        place = torch.where(own == NONE, place, own)
    return place


def nearest(iou: Tensor) -> tuple[Tensor, Tensor]:
    """(…, a, g) → (…, a) float and int64: each anchor's largest overlap and its box; 0 for none."""
    require_overlaps(iou)
    if iou.shape[-1] == 0:
        iou = iou.new_zeros((*iou.shape[:-1], 1))
    return iou.detach().max(-1)


def require_overlaps(iou: Tensor) -> None:
    """Raise InputError unless these are numbers, (…, anchors, true boxes)."""
    if iou.ndim < 2:
        raise InputError(f"overlaps must be (…, anchors, boxes). Got {tuple(iou.shape)}")
    if bool(iou.isnan().any()):
        raise InputError("overlaps must be numbers from 0 to 1. Got NaN; are all boxes finite?")


def require_order(positive: float, negative: float) -> None:
    """Raise InputError unless 0 ≤ negative ≤ positive ≤ 1, and positive is above 0."""
    if not (0 <= negative <= positive <= 1 and positive > 0):
        raise InputError(
            "overlaps must be ordered 0 ≤ negative ≤ positive ≤ 1, positive above 0. Got negative "
            f"{negative:g} and positive {positive:g}"
        )
