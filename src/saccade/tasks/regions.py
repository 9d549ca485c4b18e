"""Which proposals the second stage of a detector learns from, and what.

R. Girshick, "Fast R-CNN", ICCV 2015, arXiv:1504.08083, section 2.3: of each picture a sample, of
which a stated share may be objects; the true boxes are among the proposals, as in the code of S.
Ren and others, "Faster R-CNN", NIPS 2015.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from saccade.boxes.assignment import NONE, thresholds
from saccade.boxes.overlaps import covered_matrix, iou_matrix
from saccade.tasks.detect_targets import Truth

OBJECT_IOU = 0.5  # from which a proposal shows an object
COVERED = 0.5  # of a proposal: one that lies so far in ignored boxes is no background


@dataclass(frozen=True, slots=True)
class Sampled:
    """Proposals of one picture: ``corners`` (m, 4), ``classes`` (m,), background the last number.

    ``place`` (m,): of the true box that each is to become, or NONE.
    """

    corners: Tensor
    classes: Tensor
    place: Tensor


def sample_regions(
    proposed: Tensor, truth: Truth, *, classes: int, most: int, foreground: float
) -> Sampled:
    """Draw at most ``most`` of the boxes (p, 4), at most a share ``foreground`` of them objects."""
    corners = torch.cat([truth.corners, proposed])
    place = thresholds(iou_matrix(corners, truth.corners), OBJECT_IOU, OBJECT_IOU, best=False)
    background = place == NONE
    if len(truth.ignored):
        within = covered_matrix(truth.ignored, corners).max(dim=0).values
        background &= within < COVERED
    objects = _drawn(torch.nonzero(place != NONE)[:, 0], round(most * foreground))
    others = _drawn(torch.nonzero(background)[:, 0], most - len(objects))
    chosen = torch.cat([objects, others])
    kept = place[chosen]
    known = torch.cat([truth.classes, truth.classes.new_tensor([classes])])
    return Sampled(corners[chosen], known[kept], kept)  # NONE is -1: the last, background.


def _drawn(places: Tensor, most: int) -> Tensor:
    return places[torch.randperm(len(places))[:most]]
