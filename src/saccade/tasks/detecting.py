"""From what a detector's network answers to the boxes of pictures."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saccade.boxes.formats import mirrored, scale, xywh_from_corners
from saccade.boxes.suppression import suppress
from saccade.tasks.detector import OneStageNetwork, Seen
from saccade.values import Detection

MOST_CANDIDATES = 1000  # boxes with a score that are compared with each other


class Kept(NamedTuple):
    """Boxes of one picture, the surest first: ``corners`` (m, 4), ``labels``, ``scores`` (m,)."""

    corners: Tensor
    labels: Tensor
    scores: Tensor


@torch.inference_mode()
def detect_batch(
    network: OneStageNetwork, pictures: Tensor, answer: Mapping[str, Any], *, mirror: bool = False
) -> list[Kept]:
    """(n, c, H, W) uint8 → the boxes of each picture, in pixels of the input.

    ``answer``: ``at_least``, the lowest score; ``suppression``, ``overlap`` and ``most``, see
    ``suppress``. With ``mirror`` the boxes of the mirror image are put among them before that.
    """
    network.eval()
    scaled = pictures.float().div_(255).contiguous(memory_format=torch.channels_last)
    found = network(scaled, answer["at_least"])
    if mirror:
        both = zip(found, network(scaled.flip(3), answer["at_least"]), strict=True)
        found = [_joined(one, other, width=pictures.shape[3]) for one, other in both]
    return [_kept(seen, answer) for seen in found]


def _joined(one: Seen, other: Seen, *, width: int) -> Seen:
    """What was seen in a picture, and in its mirror image, put where it is in the picture."""
    corners = torch.cat([one.corners, mirrored(other.corners, width)])
    return Seen(corners, torch.cat([one.scores, other.scores]))


def _kept(seen: Seen, answer: Mapping[str, Any]) -> Kept:
    place, labels = torch.nonzero(seen.scores >= answer["at_least"], as_tuple=True)
    scores = seen.scores[place, labels].float()
    corners = seen.corners[place]
    real = (corners[:, 2:] > corners[:, :2]).all(dim=1)
    best = torch.where(real, scores, -1.0).topk(min(MOST_CANDIDATES, int(real.sum()))).indices
    corners, labels, scores = corners[best], labels[best], scores[best]
    kept, scores = suppress(
        corners,
        scores,
        labels,
        kind=answer["suppression"],
        iou=answer["overlap"],
        most=answer["most"],
    )
    return Kept(corners[kept], labels[kept], scores)


def as_detection(
    kept: Kept,
    name: str,
    classes: Sequence[str],
    *,
    from_hw: tuple[int, int],
    to_hw: tuple[int, int],
) -> Detection:
    """Boxes in an input of size ``from_hw`` → in the picture, of size ``to_hw``."""
    corners = scale(kept.corners.double(), from_hw, to_hw)
    return Detection(
        picture=name,
        size_hw=to_hw,
        labels=tuple(classes[label] for label in kept.labels.tolist()),
        xywh=xywh_from_corners(corners).numpy(),
        scores=kept.scores.double().numpy(),
    )
