"""What each anchor of a detector is to learn: its role in the three losses.

``Unremedied`` gives the roles without a remedy; those of ``losses/remedies.py`` stand on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from saccade.boxes.assignment import IGNORED, NONE, greedy, nearest, require_overlaps
from saccade.errors import InputError
from saccade.losses.batch import wide

COVERED = 0.5  # share of an anchor under an ignored box from which it is no background
ObjectnessLoss = Callable[[Tensor, Tensor], Tensor]


class BackgroundShares(NamedTuple):
    """How much of what is learned is background, each in [0, 1] and 0 where there is nothing.

    ``counted``: of the anchors that count in the objectness loss; ``all``: of all anchors.
    """

    counted: float
    all: float


@dataclass(frozen=True, slots=True, eq=False)
class Roles:
    """The roles of (…, a) anchors; before them any dimensions, such as the pictures of a batch.

    ``true``: int64, the place of the box that an anchor stands for, NONE where it is none.
    ``box``, ``class_``: float32 ≥ 0, how much it counts in the losses of place and class.
    ``objectness``: float32, 1 for an object and 0 for background, and how much that counts,
    ``objectness_weight``. ``loss``: (logits, objectness) of one shape → losses of that shape.
    """

    true: Tensor
    box: Tensor
    class_: Tensor
    objectness: Tensor
    objectness_weight: Tensor
    loss: ObjectnessLoss

    def objectness_losses(self, logits: Tensor) -> Tensor:
        """(…, a) logits of being an object → (…, a) losses, each times its weight."""
        return self.loss(wide(logits), self.objectness) * self.objectness_weight

    def background_shares(self) -> BackgroundShares:
        """Return the share of background among what counts, and among all anchors."""
        counts, background = self.objectness_weight > 0, self.objectness == 0
        many = int(counts.sum())
        return BackgroundShares(
            int((counts & background).sum()) / max(1, many),
            int(background.sum()) / max(1, background.numel()),
        )


class Unremedied:
    """None: the best anchor of each box counts in all three, every other one is background."""

    def __call__(
        self,
        iou: Tensor,
        ignored: Tensor | None = None,
        *,
        covered: Tensor | None = None,
        logits: Tensor | None = None,
    ) -> Roles:
        """(…, a, g) overlaps in [0, 1], (…, g) bool → the roles of (…, a) anchors.

        ``ignored`` boxes (crowds, difficult ones) are learned by no anchor; one that such a box
        overlaps by half or more, and that is no object, counts nowhere. That is decided by
        ``covered`` instead where it is given, (…, a, g) the share of each anchor that a box covers
        (``covered_matrix(boxes, anchors).mT``): it fits boxes around many objects better.
        ``logits`` (…, a) of being an object are for hard_negative_mining alone. Columns of zeros
        are padding. Raises InputError for shapes that do not fit, and for NaN.
        """
        flags = _flags(iou, ignored, covered, logits)
        if not flags.any():
            return self.chosen(self.roles(iou), logits)
        own = flags[..., None, :]
        roles = self.roles(torch.where(own, 0, iou))
        hidden, _ = nearest(torch.where(own, iou if covered is None else covered, 0))
        nowhere = (hidden >= COVERED) & (roles.objectness == 0)
        weight = torch.where(nowhere, 0, roles.objectness_weight)
        return self.chosen(replace(roles, objectness_weight=weight), logits)

    def roles(self, iou: Tensor) -> Roles:
        """(…, a, g) overlaps with what may be learned → roles, without regard to the rest."""
        return roles_of(greedy(iou))

    def chosen(self, roles: Roles, logits: Tensor | None) -> Roles:
        """Return the roles once it is known how hard each background anchor is."""
        return roles


def cross_entropy(logits: Tensor, objectness: Tensor) -> Tensor:
    """Logits, 0 or 1, of one shape → -ln of the probability given to what is so, of that shape."""
    return binary_cross_entropy_with_logits(logits, objectness.to(logits), reduction="none")


def roles_of(place: Tensor) -> Roles:
    """(…, a) places, NONE background, IGNORED nothing → the roles: objects count in all three."""
    positive = (place >= 0).float()
    return Roles(
        true=place.clamp(min=NONE),
        box=positive,
        class_=positive,
        objectness=positive,
        objectness_weight=(place != IGNORED).float(),
        loss=cross_entropy,
    )


def _flags(
    iou: Tensor, ignored: Tensor | None, covered: Tensor | None, logits: Tensor | None
) -> Tensor:
    """Return which boxes are ignored, (…, g) bool; raises InputError for what does not fit."""
    require_overlaps(iou)
    if ignored is None:
        ignored = torch.zeros(iou.shape[:-2] + iou.shape[-1:], dtype=torch.bool, device=iou.device)
    fitting = {"ignored": (ignored, iou.shape[:-2] + iou.shape[-1:])}
    fitting |= {"covered": (covered, iou.shape)} if covered is not None else {}
    fitting |= {"logits": (logits, iou.shape[:-1])} if logits is not None else {}
    for name, (given, shape) in fitting.items():
        if given.shape != shape:
            raise InputError(
                f"{name} must have the shape {tuple(shape)} for overlaps of {tuple(iou.shape)}. "
                f"Got {tuple(given.shape)}"
            )
    return ignored.bool()
