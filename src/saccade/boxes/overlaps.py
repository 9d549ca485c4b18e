"""How far boxes overlap, in torch: all with all, or pair by pair.

Boxes are corners, (…, 4) float [x1, y1, x2, y2]; half floats are widened, as an area of 256 x 256
is beyond float16. A box whose width or height is 0 or less has no area and overlaps nothing: its
figures are 0 (the generalised ones ≤ 0), never NaN, and so are the gradients.

Generalised IoU: Rezatofighi, Tsoi, Gwak, Sadeghian, Reid, Savarese, 2019, arXiv:1902.09630,
algorithm 1.
"""

import torch
from torch import Tensor

from saccade.boxes.formats import require_boxes
from saccade.errors import InputError


def iou_matrix(a: Tensor, b: Tensor) -> Tensor:
    """(…, m, 4), (…, n, 4) → (…, m, n) intersection over union, in [0, 1].

    What … stands for is repeated as in broadcasting: (a, 4) anchors, (pictures, g, 4) boxes.
    """
    return iou_pairs(*_crossed(a, b))


def giou_matrix(a: Tensor, b: Tensor) -> Tensor:
    """(…, m, 4), (…, n, 4) → (…, m, n) generalised IoU, in [-1, 1]."""
    return giou_pairs(*_crossed(a, b))


def covered_matrix(a: Tensor, b: Tensor) -> Tensor:
    """(…, m, 4), (…, n, 4) → (…, m, n): the share of b's area that a covers, in [0, 1]."""
    return covered_pairs(*_crossed(a, b))


def iou_pairs(a: Tensor, b: Tensor) -> Tensor:
    """Twice (…, 4) → (…,) intersection over union of box i with box i, in [0, 1]."""
    a, b = _ready(a, b)
    shared = _shared(a, b)
    return _share(shared, areas(a) + areas(b) - shared)


def giou_pairs(a: Tensor, b: Tensor) -> Tensor:
    """Twice (…, 4) → (…,) IoU less what of the smallest box around both neither covers.

    In [-1, 1]: 1 for one box twice, 0 for two that touch along a whole side.
    """
    a, b = _ready(a, b)
    shared = _shared(a, b)
    union = areas(a) + areas(b) - shared
    hull = _spanned(a, b, 0) * _spanned(a, b, 1)
    return _share(shared, union) - _share(hull - union, hull)


def covered_pairs(a: Tensor, b: Tensor) -> Tensor:
    """Twice (…, 4) → (…,): the share of the area of b's box i that a's box i covers, in [0, 1]."""
    a, b = _ready(a, b)
    return _share(_shared(a, b), areas(b))


def areas(corners: Tensor) -> Tensor:
    """(…, 4) → (…,) areas, 0 where a side is 0 or less."""
    sides = (corners[..., 2:] - corners[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def _crossed(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    for boxes in (a, b):
        require_boxes(boxes)
        if boxes.ndim < 2:
            raise InputError(f"boxes must have the shape (…, n, 4). Got {tuple(boxes.shape)}")
    return a[..., :, None, :], b[..., None, :, :]


def _ready(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    require_boxes(a)
    require_boxes(b)
    try:
        torch.broadcast_shapes(a.shape, b.shape)  # type: ignore[no-untyped-call]
    except RuntimeError:
        raise InputError(
            f"boxes of {tuple(a.shape)} and {tuple(b.shape)} do not go together; give as many of "
            "each, or take a function named matrix"
        ) from None
    return _wide(a), _wide(b)


def _wide(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype == torch.float64 else boxes.float()


# Axis by axis: a matrix then needs no (m, n, 2) numbers between, and takes a third of the time.
def _shared(a: Tensor, b: Tensor) -> Tensor:
    return _common(a, b, 0) * _common(a, b, 1)


def _common(a: Tensor, b: Tensor, axis: int) -> Tensor:
    low, high = (
        torch.maximum(a[..., axis], b[..., axis]),
        torch.minimum(a[..., axis + 2], b[..., axis + 2]),
    )
    return (high - low).clamp(min=0)


def _spanned(a: Tensor, b: Tensor, axis: int) -> Tensor:
    low, high = (
        torch.minimum(a[..., axis], b[..., axis]),
        torch.maximum(a[..., axis + 2], b[..., axis + 2]),
    )
    return (high - low).clamp(min=0)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Part over whole, 0 with gradient 0 where there is no whole."""
    some = whole > 0
    return torch.where(some, part / torch.where(some, whole, 1), 0)
