"""Losses between boxes: how far a box is from its own object, and how near to its neighbours.

Generalised IoU: Rezatofighi, Tsoi, Gwak, Sadeghian, Reid, Savarese, 2019, arXiv:1902.09630,
algorithm 2; computed by torchvision. Repulsion: Wang, Xiao, Jiang, Shao, Sun, Shen, "Repulsion
Loss: Detecting Pedestrians in a Crowd", CVPR 2018, arXiv:1711.07752, section 4, without its
attraction, for which any loss of values or giou serves.
"""

import math

import torch
from torch import Tensor, nn
from torchvision.ops import generalized_box_iou_loss

from saccade.errors import InputError
from saccade.losses.batch import mean, require_same_shape, wide


class GIoU(nn.Module):
    """1 - (IoU - what of the smallest box around both neither covers, as a share), averaged."""

    def forward(self, boxes: Tensor, targets: Tensor) -> Tensor:
        """Twice (n, 4) float, xyxy pixels, x1 ≤ x2, y1 ≤ y2 → mean over the rows, a scalar."""
        require_same_shape(boxes, targets, "giou")
        return mean(generalized_box_iou_loss(wide(boxes), wide(targets), reduction="none"))


class Repulsion(nn.Module):
    """alpha * RepGT + beta * RepBox: what boxes share with others' objects, and others' boxes.

    RepGT: ln(IoG) of each box with the object, other than its own, that it overlaps most, IoG being
    the part of the object that is covered; averaged. RepBox: ln(IoU) of each pair of boxes with
    different objects, averaged over those that overlap. ln(x) is -log(1 - x) up to sigma, then its
    tangent. We differ: all pairs count, none is sampled; the nearest object is found by the boxes
    themselves, not by the proposals they come from; and ``sigma_objects`` is 0.99, where the
    paper's best, 1, is infinite when a box covers another's object.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.5,
        beta: float = 0.5,
        sigma_objects: float = 0.99,
        sigma_boxes: float = 0.0,
    ) -> None:
        super().__init__()
        if not (0 <= sigma_objects < 1 and 0 <= sigma_boxes < 1):
            raise InputError(
                "loss repulsion: each sigma must be at least 0 and below 1, where it is infinite. "
                f"Got {sigma_objects:g} and {sigma_boxes:g}"
            )
        self.alpha, self.beta = alpha, beta
        self.sigma_objects, self.sigma_boxes = sigma_objects, sigma_boxes

    def forward(self, boxes: Tensor, objects: Tensor, own: Tensor) -> Tensor:
        """(n, 4) and (m, 4) float, xyxy pixels; (n,) int64, each box's object → a scalar."""
        boxes, objects = wide(boxes), wide(objects)
        return self.alpha * self._objects(boxes, objects, own) + self.beta * self._boxes(boxes, own)

    def _objects(self, boxes: Tensor, objects: Tensor, own: Tensor) -> Tensor:
        if len(objects) < 2:
            return boxes.sum() * 0
        shared = _shared(boxes, objects)
        with torch.no_grad():
            overlap = _share(shared, _areas(boxes)[:, None] + _areas(objects) - shared)
            nearest = overlap.scatter(1, own[:, None], -1.0).argmax(1)
        covered = _share(shared.gather(1, nearest[:, None])[:, 0], _areas(objects)[nearest])
        return mean(smooth_ln(covered, self.sigma_objects))

    def _boxes(self, boxes: Tensor, own: Tensor) -> Tensor:
        first, second = torch.triu_indices(len(boxes), len(boxes), 1, device=boxes.device)
        shared, areas = _shared(boxes, boxes)[first, second], _areas(boxes)
        overlap = _share(shared, areas[first] + areas[second] - shared)
        counted = (own[first] != own[second]) & (overlap > 0)
        return mean(smooth_ln(overlap[counted], self.sigma_boxes))


def smooth_ln(shares: Tensor, sigma: float) -> Tensor:
    """Shares in [0, 1] → -ln(1 - x) up to ``sigma`` in [0, 1), then its tangent."""
    curve = -torch.log1p(-shares.clamp(max=sigma))
    return torch.where(shares >= sigma, (shares - sigma) / (1 - sigma) - math.log1p(-sigma), curve)


def _areas(boxes: Tensor) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2]
    return sides[:, 0] * sides[:, 1]


def _shared(first: Tensor, second: Tensor) -> Tensor:
    """(n, 4), (m, 4) → (n, m) areas that both boxes cover."""
    low = torch.maximum(first[:, None, :2], second[:, :2])
    high = torch.minimum(first[:, None, 2:], second[:, 2:])
    sides = (high - low).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Part over whole, 0 where the whole is empty."""
    return part / whole.clamp(min=torch.finfo(whole.dtype).tiny)
