"""Rotation, scale, mirroring and shift of whole batches: where each pixel comes from, and boxes go.

The box of an object that is turned is that of the ellipse that its box holds, not of its corners,
which grows with every turn: A. Kalra and others, "Towards rotation invariance in object detection",
ICCV 2021, arXiv:2109.13488.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Moves:
    """One move a picture, all (n,) float.

    A place (x, y) of the new picture, from -1 to 1 on both axes, shows what was at the place that
    is ``cosine`` and ``sine`` (of the angle, times the zoom) away, mirrored where ``mirror`` is -1,
    then ``right`` and ``down`` of it.
    """

    cosine: Tensor
    sine: Tensor
    mirror: Tensor
    right: Tensor
    down: Tensor

    def places(self, height: int, width: int) -> Tensor:
        """Return where each pixel comes from, for ``grid_sample``: (n, height, width, 2)."""
        # Places run from -1 to 1 on both axes, so a rotation must undo the aspect ratio.
        aspect = height / width
        cosine, sine, mirror, right, down = (
            part.view(-1, 1, 1)
            for part in (self.cosine, self.sine, self.mirror, self.right, self.down)
        )
        across, along = _middles(width), _middles(height)[:, None]
        return torch.stack(
            [
                cosine * mirror * across + (right - sine * aspect * along),
                sine * mirror / aspect * across + (down + cosine * along),
            ],
            dim=3,
        )

    def boxes(self, corners: Tensor, height: int, width: int) -> Tensor:
        """(n, m, 4) corners in pixels → where they go, (n, m, 4), also beyond the picture."""
        half = corners.new_tensor([width / 2, height / 2])
        shift = torch.stack([self.right, self.down], dim=1) * half
        middle = (corners[..., :2] + corners[..., 2:]) / 2 - half - shift[:, None]
        sides = (corners[..., 2:] - corners[..., :2]) / 2
        square = self.cosine**2 + self.sine**2
        undo = torch.stack(
            [
                torch.stack([self.cosine * self.mirror, self.sine * self.mirror], dim=1),
                torch.stack([-self.sine, self.cosine], dim=1),
            ],
            dim=1,
        ) / square.view(-1, 1, 1)
        moved = middle @ undo.transpose(1, 2) + half
        reach = ((sides**2) @ (undo**2).transpose(1, 2)).sqrt()
        return torch.cat([moved - reach, moved + reach], dim=2)


def _middles(length: int) -> Tensor:
    """(length,) the middles of the pixels, from -1 at the first edge to 1 at the last."""
    return (2 * torch.arange(length) + 1) / length - 1
