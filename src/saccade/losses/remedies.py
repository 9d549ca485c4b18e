"""Remedies against the many background anchors, which drown the few that stand for an object.

Each row of REMEDIES is built from its settings and called with the overlaps of anchors and true
boxes; it answers with the anchors' ``Roles`` in the three losses. All begin with ``greedy``: each
true box has one anchor, its best, that counts in all three.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from saccade.boxes.assignment import NONE, greedy, nearest, require_order, thresholds
from saccade.errors import InputError, SettingError
from saccade.losses.batch import wide
from saccade.losses.roles import Roles, Unremedied, roles_of
from saccade.shelf import Entry


class FocalObjectness(Unremedied):
    """The roles of none; the focal loss makes background that is known as such count little."""

    def __init__(self, *, gamma: float = 2.0, alpha: float = 0.25) -> None:
        if gamma < 0 or not 0 <= alpha <= 1:
            raise SettingError(
                "remedy focal: gamma must be at least 0, alpha from 0 to 1. Got "
                f"{gamma:g} and {alpha:g}"
            )
        self.gamma, self.alpha = gamma, alpha

    def roles(self, iou: Tensor) -> Roles:
        """See Unremedied."""
        return replace(super().roles(iou), loss=self._focal)

    def _focal(self, logits: Tensor, objectness: Tensor) -> Tensor:
        losses: Tensor = sigmoid_focal_loss(
            logits, objectness.to(logits), alpha=self.alpha, gamma=self.gamma
        )
        return losses


class ExtraPositives(Unremedied):
    """Anchors that overlap a box far are objects too, in the objectness loss alone.

    From an overlap of ``positive`` on; those below ``negative`` count nowhere, and those between
    are background.
    """

    def __init__(self, *, positive: float = 0.7, negative: float = 0.3) -> None:
        require_order(positive, negative)
        self.positive, self.negative = positive, negative

    def roles(self, iou: Tensor) -> Roles:
        """See Unremedied."""
        overlap, place = nearest(iou)
        best = roles_of(greedy(iou))
        is_best = best.true != NONE
        extra = (overlap >= self.positive) & ~is_best
        far = (overlap < self.negative) & ~is_best
        return replace(
            best,
            true=torch.where(extra, place, best.true),
            objectness=torch.where(extra, 1, best.objectness),
            objectness_weight=torch.where(far, 0, best.objectness_weight),
        )


class IgnoreBand(Unremedied):
    """Anchors from ``positive`` on learn all three; below ``negative`` lies the background.

    Those between count nowhere.
    """

    def __init__(self, *, positive: float = 0.7, negative: float = 0.3) -> None:
        require_order(positive, negative)
        self.positive, self.negative = positive, negative

    def roles(self, iou: Tensor) -> Roles:
        """See Unremedied."""
        return roles_of(thresholds(iou, self.positive, self.negative))


class BackgroundWeight(Unremedied):
    """The roles of none; background counts ``weight`` in the objectness loss."""

    def __init__(self, *, weight: float = 0.1) -> None:
        if weight < 0:
            raise SettingError(f"remedy background_weight must be at least 0. Got {weight:g}")
        self.weight = weight

    def roles(self, iou: Tensor) -> Roles:
        """See Unremedied."""
        roles = super().roles(iou)
        return replace(
            roles, objectness_weight=torch.where(roles.objectness == 0, self.weight, 1.0)
        )


class HardNegativeMining(Unremedied):
    """Of the background, the ``ratio`` times as many as objects that now cost most count.

    Picture by picture; one without an object therefore teaches nothing. Of equal ones, the lowest.
    """

    def __init__(self, *, ratio: float = 3.0) -> None:
        if ratio < 0:
            raise SettingError(
                f"remedy hard_negative_mining: ratio must be at least 0. Got {ratio:g}"
            )
        self.ratio = ratio

    def chosen(self, roles: Roles, logits: Tensor | None) -> Roles:
        """See Unremedied."""
        if logits is None:
            raise InputError("remedy hard_negative_mining needs the logits of the anchors")
        background = (roles.objectness == 0) & (roles.objectness_weight > 0)
        cost = roles.loss(wide(logits.detach()), roles.objectness)
        hardest = torch.where(background, cost, -torch.inf)
        order = hardest.argsort(dim=-1, descending=True, stable=True)
        rank = torch.empty_like(order).scatter_(-1, order, _numbers(order))
        wanted = self.ratio * (roles.objectness > 0).sum(-1, keepdim=True)
        weight = torch.where(background & (rank + 1 > wanted), 0, roles.objectness_weight)
        return replace(roles, objectness_weight=weight)


def _numbers(like: Tensor) -> Tensor:
    return torch.arange(like.shape[-1], device=like.device).expand_as(like)


REMEDIES = {
    "none": Entry(
        build=Unremedied,
        definition="best anchor of each box: object, place, class; all others: background",
        source="Szegedy, Reed, Erhan, Anguelov, MultiBox, 2014, arXiv:1412.1441, one to one; "
        "here greedily",
        range="weights 0 or 1",
    ),
    "focal": Entry(
        build=FocalObjectness,
        definition="as none; -a_t (1 - p_t)^gamma ln p_t for the objectness",
        source="Lin et al., Focal Loss, 2017, arXiv:1708.02002, eq. 5; torchvision",
        range="weights 0 or 1",
        note="a_t is alpha for objects and 1 - alpha for background",
    ),
    "extra_positives": Entry(
        build=ExtraPositives,
        definition="as none; IoU ≥ positive: object, no place or class; IoU < negative: nothing",
        source="thresholds of Ren et al., Faster R-CNN, 2015, arXiv:1506.01497, section 3.1.2",
        range="weights 0 or 1",
        note="anchors far from every object teach nothing, nor do pictures without one",
    ),
    "ignore_band": Entry(
        build=IgnoreBand,
        definition="best anchor or IoU ≥ positive: object, place, class; IoU < negative: "
        "background; between: nothing",
        source="Ren et al., Faster R-CNN, 2015, arXiv:1506.01497, section 3.1.2",
        range="weights 0 or 1",
    ),
    "background_weight": Entry(
        build=BackgroundWeight,
        definition="as none; background counts weight",
        source="Redmon et al., YOLO, 2016, arXiv:1506.02640, λ_noobj of eq. 3",
        range="weights 0, weight or 1",
    ),
    "hard_negative_mining": Entry(
        build=HardNegativeMining,
        definition="as none; of the background, the ratio x objects that cost most count",
        source="Liu et al., SSD, 2016, arXiv:1512.02325, section 2.2",
        range="weights 0 or 1",
        note="picture by picture; one without an object teaches nothing",
    ),
}
