"""Losses between a box and its object: by offsets from an anchor, or by overlap.

Those of BOX_LOSSES, for detectors, share one signature and answer box by box: (p, 4) offsets as
``saccade.boxes.coding`` has them, (p, 4) anchors and (p, 4) true boxes, both as corners in pixels
→ (p,). Smooth L1: Girshick, "Fast R-CNN", 2015, arXiv:1504.08083, eq. 2 and 3. IoU: Yu, Jiang,
Wang, Cao, Huang, "UnitBox", 2016, arXiv:1608.01471; we differ: 1 - IoU in place of -ln IoU, which
is infinite for an anchor whose box does not meet its object. Generalised IoU: Rezatofighi, Tsoi,
Gwak, Sadeghian, Reid, Savarese, 2019, arXiv:1902.09630, algorithm 2.
"""

from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from saccade.boxes.coding import VARIANCES, decode, encode
from saccade.boxes.overlaps import giou_pairs, iou_pairs
from saccade.losses.batch import mean, require_same_shape, wide
from saccade.shelf import Entry


class GIoU(nn.Module):
    """1 - (IoU - what of the smallest box around both neither covers, as a share), averaged."""

    def forward(self, boxes: Tensor, targets: Tensor) -> Tensor:
        """Twice (n, 4) float, xyxy pixels → mean over the rows, a scalar."""
        require_same_shape(boxes, targets, "giou")
        return mean(1 - giou_pairs(boxes, targets))


class OffsetSmoothL1:
    """Smooth L1 of the offsets against those of the true box, summed over the four."""

    def __init__(self, *, beta: float = 1.0, variances: tuple[float, float] = VARIANCES) -> None:
        self.beta, self.variances = beta, variances

    def __call__(self, offsets: Tensor, anchors: Tensor, corners: Tensor) -> Tensor:
        """(p, 4) offsets, anchors, true corners → (p,) ≥ 0."""
        require_same_shape(offsets, corners, "smooth_l1")
        wanted = encode(wide(corners), wide(anchors), self.variances)
        return smooth_l1_loss(wide(offsets), wanted, beta=self.beta, reduction="none").sum(-1)


class OffsetIoU:
    """1 - IoU of the decoded box; without a gradient where the two do not meet."""

    def __init__(self, *, variances: tuple[float, float] = VARIANCES) -> None:
        self.variances = variances

    def __call__(self, offsets: Tensor, anchors: Tensor, corners: Tensor) -> Tensor:
        """(p, 4) offsets, anchors, true corners → (p,) in [0, 1]."""
        require_same_shape(offsets, corners, "iou")
        return 1 - iou_pairs(decode(wide(offsets), wide(anchors), self.variances), corners)


class OffsetGIoU:
    """1 - generalised IoU of the decoded box."""

    def __init__(self, *, variances: tuple[float, float] = VARIANCES) -> None:
        self.variances = variances

    def __call__(self, offsets: Tensor, anchors: Tensor, corners: Tensor) -> Tensor:
        """(p, 4) offsets, anchors, true corners → (p,) in [0, 2]."""
        require_same_shape(offsets, corners, "giou")
        return 1 - giou_pairs(decode(wide(offsets), wide(anchors), self.variances), corners)


BOX_LOSSES = {
    "smooth_l1": Entry(
        build=OffsetSmoothL1,
        definition="Σ l² / (2 beta) for l = |t - t*| < beta, else l - beta / 2, over 4 offsets",
        source="Girshick, Fast R-CNN, 2015, arXiv:1504.08083, eq. 2 and 3; torch",
        range="[0, ∞)",
        note="beta is in units of offsets, that is after division by the variances",
    ),
    "iou": Entry(
        build=OffsetIoU,
        definition="1 - IoU(decoded box, true box)",
        source="Yu et al., UnitBox, 2016, arXiv:1608.01471, with 1 - IoU for -ln IoU",
        range="[0, 1]",
        note="teaches nothing where the boxes do not meet; giou does",
    ),
    "giou": Entry(
        build=OffsetGIoU,
        definition="1 - IoU + (hull - union) / hull, of the decoded and the true box",
        source="Rezatofighi et al., 2019, arXiv:1902.09630, algorithm 2",
        range="[0, 2]",
    ),
}
