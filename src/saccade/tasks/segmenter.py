"""The network of task ``segment``, and what it makes of pictures: a class for every pixel."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from saccade.nn.fcn import Fcn
from saccade.tasks.network import BackboneNetwork

CLASSES_AT_ONCE = 8  # whose shares are brought to a picture's size together


class SegmentNetwork(BackboneNetwork):
    """A backbone and a fully convolutional head; ``stride`` and ``depth`` as ``Fcn`` takes them."""

    def __init__(self, *, classes: int, stride: int, depth: int = 0, **backbone: Any) -> None:
        super().__init__(**backbone)
        self.size_hw: tuple[int, int] = backbone["size_hw"]
        self.classes = classes
        self.head = Fcn(
            self.backbone,
            channels=backbone["channels"] if self.mean is None else 3,
            size_hw=self.size_hw,
            classes=classes,
            stride=stride,
            depth=depth,
        )

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """(n, c, H, W) float in [0, 1] → the maps that the head scores, the finest first."""
        return self.head.maps(self.backbone, self.seen(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, classes, H, W) float logits."""
        logits: Tensor = self.head(self.maps(pictures))
        return logits


@torch.inference_mode()
def segment_batch(network: SegmentNetwork, pictures: Tensor, *, mirror: bool = False) -> Tensor:
    """(n, c, H, W) uint8 → (n, classes, H, W) float32 probabilities, from the network in eval mode.

    With ``mirror`` those of the picture and of its mirror image are averaged.
    """
    network.eval()
    scaled = pictures.float().div_(255).contiguous(memory_format=torch.channels_last)
    shares: Tensor = network(scaled).float().softmax(1)
    if mirror:
        other: Tensor = network(scaled.flip(3)).float().softmax(1)
        shares = (shares + other.flip(3)) / 2
    return shares


def likeliest(shares: Tensor, size_hw: Sequence[int]) -> Tensor:
    """(classes, h, w) probabilities → (H, W) uint8: the likeliest class of each pixel of a picture.

    Between the places that were answered, probabilities are interpolated. A few classes are looked
    at together, so that a large picture does not take the memory of all of them. Of equally likely
    ones the first is taken.
    """
    best = torch.full(tuple(size_hw), -1.0)
    found = torch.zeros(tuple(size_hw), dtype=torch.uint8)
    for first in range(0, len(shares), CLASSES_AT_ONCE):
        some = shares[None, first : first + CLASSES_AT_ONCE]
        if tuple(some.shape[2:]) != tuple(size_hw):
            some = interpolate(some, size=tuple(size_hw), mode="bilinear", align_corners=False)
        value, place = some[0].max(dim=0)
        better = value > best
        best[better] = value[better]
        found[better] = (place[better] + first).to(torch.uint8)
    return found
