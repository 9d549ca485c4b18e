"""Of many boxes on one object, keep one: non-maximum suppression.

Hard: torchvision's kernel, class by class; its ``batched_nms`` moves the classes apart by adding to
the coordinates, which lets classes meet where boxes reach below 0. Soft: Bodla, Singh, Chellappa,
Davis, "Soft-NMS", ICCV 2017, arXiv:1704.04503, eq. 2 and 3.
"""

import torch
from torch import Tensor
from torchvision.ops import nms

from saccade.boxes.overlaps import iou_matrix
from saccade.errors import InputError
from saccade.names import look_up
from saccade.shelf import Entry


def suppress(
    corners: Tensor,
    scores: Tensor,
    classes: Tensor | None = None,
    *,
    kind: str = "hard",
    iou: float = 0.5,
    most: int = 300,
    **settings: object,
) -> tuple[Tensor, Tensor]:
    """(n, 4) corners, (n,) scores → (k,) int64 places, the surest first, and their scores (k,).

    Given ``classes``, (n,) int64, only boxes of one class suppress each other. ``kind`` is a name
    of SUPPRESSIONS, which takes those of the ``settings`` that it knows; at most ``most`` are kept.
    Of equal scores the lower place counts first. Raises InputError for shapes that do not fit and
    for NaN, UnknownNameError.
    """
    row = look_up(SUPPRESSIONS, kind, "suppression")
    classes = torch.zeros_like(scores, dtype=torch.int64) if classes is None else classes
    _require_fitting(corners, scores, classes)
    kept: tuple[Tensor, Tensor] = row.make(iou=iou, **settings)(
        corners.detach(), scores.detach(), classes, most
    )
    return kept


class Hard:
    """Drop every box that overlaps a surer one by more than ``iou``."""

    def __init__(self, *, iou: float = 0.5) -> None:
        self.iou = _share("iou", iou)

    def __call__(
        self, corners: Tensor, scores: Tensor, classes: Tensor, most: int
    ) -> tuple[Tensor, Tensor]:
        """(n, 4), (n,), (n,) → (k,) places, the surest first, and their scores."""
        kept = torch.zeros_like(classes, dtype=torch.bool)
        for one in torch.unique(classes):
            (own,) = torch.where(classes == one)
            kept[own[nms(corners[own], scores[own], self.iou)]] = True
        (places,) = torch.where(kept)
        places = places[scores[places].argsort(descending=True, stable=True)][:most]
        return places, scores[places]


class Soft:
    """Lower the score of every box by how far it overlaps a surer one that is kept.

    ``decay`` "gaussian": by exp(-IoU² / sigma), without a threshold; "linear": by 1 - IoU where
    that is at least ``iou``. Boxes whose score falls below ``least`` are dropped.
    """

    def __init__(
        self,
        *,
        iou: float = 0.5,
        decay: str = "gaussian",
        sigma: float = 0.5,
        least: float = 0.001,
    ) -> None:
        self.iou, self.least = _share("iou", iou), least
        self.factor = look_up({"gaussian": self._gaussian, "linear": self._linear}, decay, "decay")
        if sigma <= 0:
            raise InputError(f"suppression soft: sigma must be above 0. Got {sigma:g}")
        self.sigma = sigma

    def __call__(
        self, corners: Tensor, scores: Tensor, classes: Tensor, most: int
    ) -> tuple[Tensor, Tensor]:
        """(n, 4), (n,), (n,) → (k,) places in the order they are kept, and their new scores."""
        left = scores.clone()
        places: list[int] = []
        new: list[Tensor] = []
        while left.numel() and len(places) < most:
            best = int(left.argmax())
            score = left[best].clone()
            if not score >= self.least or score == -torch.inf:
                break
            places.append(best)
            new.append(score)
            left[best] = -torch.inf
            factor = self.factor(iou_matrix(corners, corners[best : best + 1])[:, 0])
            lowered = (classes == classes[best]) & left.isfinite()
            left = torch.where(lowered, left * factor.to(left.dtype), left)
        kept = torch.tensor(places, dtype=torch.int64, device=scores.device)
        return kept, torch.stack(new) if new else scores[:0]

    def _gaussian(self, overlap: Tensor) -> Tensor:
        return (-(overlap**2) / self.sigma).exp()

    def _linear(self, overlap: Tensor) -> Tensor:
        return torch.where(overlap >= self.iou, 1 - overlap, 1)


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise InputError(f"suppression: {name} must be from 0 to 1. Got {value:g}")
    return value


def _require_fitting(corners: Tensor, scores: Tensor, classes: Tensor) -> None:
    if corners.shape != (*scores.shape, 4) or scores.ndim != 1 or classes.shape != scores.shape:
        raise InputError(
            "suppression takes (n, 4) boxes, (n,) scores and (n,) classes. Got "
            f"{tuple(corners.shape)}, {tuple(scores.shape)} and {tuple(classes.shape)}"
        )
    if bool(scores.isnan().any() | corners.isnan().any()):
        raise InputError("suppression got a score or a box of NaN; did training diverge?")


SUPPRESSIONS = {
    "hard": Entry(
        build=Hard,
        definition="drop each box with IoU > iou to a surer one that is kept",
        source="Neubeck and Van Gool, ICPR 2006; Girshick et al., 2014, arXiv:1311.2524; "
        "torchvision",
        range="scores as they were",
    ),
    "soft": Entry(
        build=Soft,
        definition="s ← s exp(-IoU² / sigma), or s (1 - IoU) where IoU ≥ iou, for each box kept",
        source="Bodla et al., Soft-NMS, 2017, arXiv:1704.04503, eq. 2 and 3",
        range="scores in [least, 1]",
        note="decay gaussian or linear; for crowds, where two objects overlap far",
    ),
}
