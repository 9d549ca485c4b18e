"""The second stage of a detector: what each proposed box holds, and how it is to be moved.

S. Ren and others, "Faster R-CNN", NIPS 2015, arXiv:1506.01497, and R. Girshick, "Fast R-CNN", ICCV
2015, for RoI pooling; K. He and others, "Mask R-CNN", ICCV 2017, section 3, for RoI align. A box
looks at the level of its size: T.-Y. Lin and others, "Feature pyramid networks", 2017, equation 1.
We differ: offsets are of the object, not one set a class.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align, roi_pool

GRID = 7  # places a side that a box is looked at
SAMPLING = 2  # points a side of each of them, for RoI align
USUAL_SIDE, USUAL_STRIDE = 56.0, 8  # a box of this side looks at the level of this stride


class RegionHead(nn.Module):
    """Two linear maps on the pooled box, then ``classes`` and one more, background, and offsets."""

    def __init__(
        self,
        *,
        depth: int,
        strides: Sequence[int],
        size_hw: tuple[int, int],
        classes: int,
        units: int,
        pool: str,
    ) -> None:
        super().__init__()
        self.strides, self.size_hw = tuple(strides), size_hw
        self.pool = POOLS[pool]
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(depth * GRID * GRID, units),
            nn.ReLU(inplace=True),
            nn.Linear(units, units),
            nn.ReLU(inplace=True),
        )
        self.classes = nn.Linear(units, classes + 1)
        self.offsets = nn.Linear(units, 4)
        for layer, deviation in ((self.classes, 0.01), (self.offsets, 0.001)):
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps (n, depth, h, w) of each level, n boxes (m, 4) corners in pixels.

        Returns (sum of m, classes + 1) logits, background last, and (sum of m, 4) offsets.
        """
        found = self.body(self._pooled(maps, boxes))
        return self.classes(found), self.offsets(found)

    def _pooled(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        corners = torch.cat(list(boxes))
        picture = torch.cat([torch.full_like(box[:, :1], row) for row, box in enumerate(boxes)])
        rows = torch.cat([picture, corners], dim=1)
        level = self._level(corners)
        # Sides as the shape tells them, so that an exported graph follows them.
        pooled = maps[0].new_zeros(rows.shape[0], maps[0].shape[1], GRID, GRID)
        for place, found in enumerate(maps):
            mine = torch.nonzero(level == place).flatten()
            looked_at = self.pool(found, self._on_map(rows[mine], found))
            pooled = pooled.index_copy(0, mine, looked_at.to(pooled.dtype))
        return pooled

    def _on_map(self, rows: Tensor, found: Tensor) -> Tensor:
        """Rows (m, 5), picture and corners, in places of a map that shares the input evenly."""
        down, across = (
            places / side for places, side in zip(found.shape[2:], self.size_hw, strict=True)
        )
        return rows * rows.new_tensor([1.0, across, down, across, down])

    def _level(self, corners: Tensor) -> Tensor:
        """(m, 4) → (m,) the place of the level that fits each box's area."""
        side = (corners[:, 2:] - corners[:, :2]).clamp(min=1.0).prod(dim=1).sqrt()
        wanted = USUAL_STRIDE * side / USUAL_SIDE
        strides = corners.new_tensor(self.strides)
        return (wanted[:, None].log2() - strides.log2()).abs().argmin(dim=1)


def _align(maps: Tensor, rows: Tensor) -> Tensor:
    found: Tensor = roi_align(maps, rows, GRID, sampling_ratio=SAMPLING, aligned=True)
    return found


def _pool(maps: Tensor, rows: Tensor) -> Tensor:
    found: Tensor = roi_pool(maps, rows, GRID)
    return found


POOLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"align": _align, "pool": _pool}
