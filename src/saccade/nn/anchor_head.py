"""The head of a detector: for each anchor how it is to be moved, whether it holds an object, which.

T.-Y. Lin and others, "Focal loss for dense object detection", ICCV 2017, arXiv:1708.02002: one
tower of 3x3 convolutions for all levels, and a first objectness of PRIOR. Objectness beside the
classes: J. Redmon and A. Farhadi, "YOLOv3", 2018, arXiv:1804.02767, section 2.1; without classes it
is the proposal network of S. Ren and others, "Faster R-CNN", NIPS 2015, section 3.1. We differ: one
tower for all answers, with group normalisation, and a last convolution a level, since levels may
have different numbers of anchors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

PRIOR = 0.01
GROUPS = 8
FIRST_DEVIATION = 0.01


@dataclass(frozen=True, slots=True)
class Answers:
    """Of n pictures and a anchors: ``offsets`` (n, a, 4), ``objectness`` (n, a) logits.

    ``classes`` (n, a, c) logits; c is 0 where the head knows no classes.
    """

    offsets: Tensor
    objectness: Tensor
    classes: Tensor


class AnchorHead(nn.Module):
    """``shapes``: anchors at a place of each level; ``depth``: channels of the maps."""

    def __init__(self, *, depth: int, shapes: Sequence[int], classes: int, layers: int = 2) -> None:
        super().__init__()
        self.classes = classes
        tower: list[nn.Module] = []
        for _ in range(layers):
            tower += [
                nn.Conv2d(depth, depth, 3, padding=1, bias=False),
                nn.GroupNorm(math.gcd(GROUPS, depth), depth),
                nn.ReLU(inplace=True),
            ]
        self.tower = nn.Sequential(*tower)
        self.last = nn.ModuleList(_last(depth, many, 5 + classes) for many in shapes)

    def forward(self, maps: Sequence[Tensor]) -> Answers:
        """(n, depth, h, w) of each level → the answers, level, row, column, shape in order."""
        rows = []
        for layer, found in zip(self.last, maps, strict=True):
            answer = layer(self.tower(found))
            rows.append(answer.permute(0, 2, 3, 1).reshape(answer.shape[0], -1, 5 + self.classes))
        whole = torch.cat(rows, dim=1)
        return Answers(whole[..., :4], whole[..., 4], whole[..., 5:])


def _last(depth: int, shapes: int, numbers: int) -> nn.Conv2d:
    """A convolution to so many numbers a shape, with the first objectness PRIOR."""
    layer = nn.Conv2d(depth, shapes * numbers, 1)
    nn.init.normal_(layer.weight, std=FIRST_DEVIATION)
    bias = torch.zeros(shapes, numbers)
    bias[:, 4] = -math.log(1 / PRIOR - 1)
    with torch.no_grad():
        assert layer.bias is not None
        layer.bias.copy_(bias.flatten())
    return layer
