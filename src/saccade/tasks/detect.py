"""Task ``detect``: pictures to boxes, each of a class that was learned, with a score.

The loss is the sum of three, each over the number of anchors that stand for an object: how well
their boxes fit, whether their classes are right, and whether every anchor's objectness is. A remedy
says which anchor counts in which (``losses/remedies.py``). With two stages the first knows no
classes, and the second adds the loss of its classes and boxes on a sample of the proposals: R.
Girshick, "Fast R-CNN", ICCV 2015, arXiv:1504.08083, section 2.3.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from saccade.boxes.assignment import NONE
from saccade.boxes.coding import decode
from saccade.boxes.overlaps import covered_matrix, iou_matrix
from saccade.losses.repulsion import Repulsion
from saccade.losses.roles import BackgroundShares, Roles
from saccade.nn.anchor_head import Answers
from saccade.tasks.detect_targets import Truths, read_targets
from saccade.tasks.detector import OneStageNetwork, TwoStageNetwork
from saccade.tasks.regions import Sampled, sample_regions

BoxLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much the losses of boxes and of repulsion count beside the others."""

    box: float = 2.0
    repulsion: float = 0.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """Proposals of a picture that the second stage learns from, and the share of objects."""

    most: int = 64
    foreground: float = 0.25


class DetectTask(nn.Module):
    """The network with the losses that train it; called with pictures and targets."""

    def __init__(
        self,
        network: OneStageNetwork,
        *,
        remedy: Callable[..., Roles],
        box_loss: BoxLoss,
        weights: Weights = Weights(),
        sampling: Sampling = Sampling(),
    ) -> None:
        super().__init__()
        self.network = network
        self.remedy, self.box_loss = remedy, box_loss
        self.weights, self.sampling = weights, sampling
        self.repulsion = Repulsion()

    def forward(self, pictures: Tensor, targets: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1], (n, m, 6) targets → the loss, a scalar in float32."""
        network, truths = self.network, read_targets(targets)
        maps = network.maps(pictures)
        answers: Answers = network.head(maps)
        loss = self._anchors(answers, truths, self.roles(truths, answers.objectness))
        if isinstance(network, TwoStageNetwork):
            loss = loss + self._regions(network, maps, answers, truths)
        return loss

    @torch.no_grad()
    def roles(self, truths: Truths, logits: Tensor) -> Roles:
        """Return what each anchor of the n pictures is to learn; ``logits`` (n, a) objectness."""
        anchors = self.network.anchors
        roles: Roles = self.remedy(
            iou_matrix(anchors, truths.corners),
            truths.ignored,
            covered=covered_matrix(truths.corners, anchors).transpose(1, 2),
            logits=logits,
        )
        return roles

    def background_shares(self, targets: Tensor) -> BackgroundShares:
        """Return how much of what is learned of ``targets`` (n, m, 6), n ≥ 1, is background.

        One picture is looked at after the other, for anchors and boxes together may be many. How
        many of them hard_negative_mining takes does not depend on the answers, so there are none.
        """
        logits = self.network.anchors.new_zeros(1, len(self.network.anchors))
        each = [self.roles(read_targets(one[None]), logits) for one in targets]
        whole = replace(
            each[0],
            objectness=torch.cat([one.objectness for one in each]),
            objectness_weight=torch.cat([one.objectness_weight for one in each]),
        )
        return whole.background_shares()

    def _anchors(self, answers: Answers, truths: Truths, roles: Roles) -> Tensor:
        many = roles.box.sum().clamp(min=1.0)
        loss = roles.objectness_losses(answers.objectness).sum() / many
        picture, anchor = torch.nonzero(roles.box > 0, as_tuple=True)
        place = roles.true[picture, anchor]
        if self.network.head.classes:
            logits = answers.classes[picture, anchor].float()
            wrong = cross_entropy(logits, truths.classes[picture, place], reduction="none")
            loss = loss + (wrong * roles.class_[picture, anchor]).sum() / many
        offsets, anchors = answers.offsets[picture, anchor].float(), self.network.anchors[anchor]
        misfit = self.box_loss(offsets, anchors, truths.corners[picture, place])
        loss = loss + self.weights.box * (misfit * roles.box[picture, anchor]).sum() / many
        if self.weights.repulsion:
            boxes = decode(offsets, anchors)
            loss = loss + self.weights.repulsion * self._repelled(boxes, truths, picture, place)
        return loss

    def _repelled(self, boxes: Tensor, truths: Truths, picture: Tensor, place: Tensor) -> Tensor:
        """The mean repulsion over the pictures; boxes (p, 4) of objects ``place`` (p,) in them."""
        losses = []
        for row in range(len(truths.real)):
            mine = picture == row
            objects = truths.corners[row][truths.real[row]]
            losses.append(self.repulsion(boxes[mine], objects, place[mine]))
        return torch.stack(losses).mean()

    def _regions(
        self, network: TwoStageNetwork, maps: list[Tensor], answers: Answers, truths: Truths
    ) -> Tensor:
        sampled = [
            sample_regions(
                proposed,
                truths.of(row),
                classes=network.classes,
                most=self.sampling.most,
                foreground=self.sampling.foreground,
            )
            for row, proposed in enumerate(network.proposed(answers))
        ]
        logits, offsets = network.regions(maps, [one.corners for one in sampled])
        classes = torch.cat([one.classes for one in sampled])
        many = max(1, len(classes))  # Where all is ignored there is nothing to learn.
        loss = cross_entropy(logits.float(), classes, reduction="sum") / many
        objects = classes < network.classes
        misfit = self.box_loss(
            offsets[objects].float(),
            torch.cat([one.corners for one in sampled])[objects],
            torch.cat([_wanted(one, truths, row) for row, one in enumerate(sampled)]),
        )
        return loss + self.weights.box * misfit.sum() / many


def _wanted(sampled: Sampled, truths: Truths, row: int) -> Tensor:
    """The true boxes (k, 4) that the objects among one picture's proposals are to become."""
    return truths.of(row).corners[sampled.place[sampled.place != NONE]]
