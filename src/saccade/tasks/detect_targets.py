"""What a detector is to find in pictures, as rows of numbers that make a batch."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

NO_BOX = -1  # the class of a row of targets that holds no box


class Truth(NamedTuple):
    """Of one picture: ``corners`` (g, 4) float32 pixels, and their ``classes`` (g,) int64.

    ``ignored`` (i, 4): corners of what is neither to be found nor background.
    """

    corners: Tensor
    classes: Tensor
    ignored: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Truths:
    """Of n pictures, g rows each, of which those that hold no box are zeros.

    ``corners`` (n, g, 4) float32 pixels, ``classes`` (n, g) int64, ``ignored`` and ``real``
    (n, g) bool.
    """

    corners: Tensor
    classes: Tensor
    ignored: Tensor
    real: Tensor

    def of(self, row: int) -> Truth:
        """Return what one picture holds."""
        asked, passed = self.real[row] & ~self.ignored[row], self.real[row] & self.ignored[row]
        corners = self.corners[row]
        return Truth(corners[asked], self.classes[row][asked], corners[passed])


def read_targets(targets: Tensor) -> Truths:
    """(n, m, 6) float32: x1, y1, x2, y2, class or NO_BOX, ignored 0 or 1 → the boxes, g ≤ m."""
    real = targets[..., 4] != NO_BOX
    most = int(real.sum(1).max()) if real.numel() else 0
    order = real.int().argsort(dim=1, descending=True, stable=True)[:, :most]
    rows = targets.gather(1, order[..., None].expand(-1, -1, targets.shape[2]))
    real = rows[..., 4] != NO_BOX
    return Truths(
        corners=torch.where(real[..., None], rows[..., :4], 0.0),
        classes=rows[..., 4].clamp(min=0).long(),
        ignored=real & (rows[..., 5] != 0),
        real=real,
    )
