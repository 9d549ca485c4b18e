"""Repulsion: a loss that keeps found boxes apart from neighbours, in a crowd.

Wang, Xiao, Jiang, Shao, Sun, Shen, "Repulsion Loss: Detecting Pedestrians in a Crowd", CVPR 2018,
arXiv:1711.07752, section 4, without its attraction, for which any loss of values or giou serves.
"""

import math

import torch
from torch import Tensor, nn

from saccade.boxes.overlaps import covered_pairs, iou_matrix, iou_pairs
from saccade.errors import InputError
from saccade.losses.batch import mean, wide


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
        """(n, 4) and (m, 4) float, xyxy pixels; (n,) int64, each box's object → a scalar.

        All of one picture: boxes of different pictures are no neighbours.
        """
        if own.shape != boxes.shape[:-1]:
            raise InputError(
                "loss repulsion takes the number of its object for each box. Got "
                f"{tuple(own.shape)} numbers for {tuple(boxes.shape)} boxes"
            )
        boxes, objects = wide(boxes), wide(objects)
        return self.alpha * self._objects(boxes, objects, own) + self.beta * self._boxes(boxes, own)

    def _objects(self, boxes: Tensor, objects: Tensor, own: Tensor) -> Tensor:
        if len(objects) < 2:
            return boxes.sum() * 0
        with torch.no_grad():
            nearest = iou_matrix(boxes, objects).scatter(1, own[:, None], -1.0).argmax(1)
        return mean(smooth_ln(covered_pairs(boxes, objects[nearest]), self.sigma_objects))

    def _boxes(self, boxes: Tensor, own: Tensor) -> Tensor:
        first, second = torch.triu_indices(len(boxes), len(boxes), 1, device=boxes.device)
        others = own[first] != own[second]
        overlap = iou_pairs(boxes[first[others]], boxes[second[others]])
        return mean(smooth_ln(overlap[overlap > 0], self.sigma_boxes))


def smooth_ln(shares: Tensor, sigma: float) -> Tensor:
    """Shares in [0, 1] → -ln(1 - x) up to ``sigma`` in [0, 1), then its tangent."""
    curve = -torch.log1p(-shares.clamp(max=sigma))
    return torch.where(shares >= sigma, (shares - sigma) / (1 - sigma) - math.log1p(-sigma), curve)
