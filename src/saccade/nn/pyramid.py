"""A feature pyramid: maps of equal depth at several strides, each with what coarser ones know.

T.-Y. Lin and others, "Feature pyramid networks for object detection", CVPR 2017, arXiv:1612.03144,
figure 3: a 1x1 convolution brings each stage to one depth, the coarser map is doubled and added,
and a 3x3 convolution ends it. Coarser levels than the backbone has are made by 3x3 convolutions of
stride 2 (T.-Y. Lin and others, "Focal loss for dense object detection", ICCV 2017, section 4).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from saccade.nn.stages import Stage, find_stages, stage_maps


class Pyramid(nn.Module):
    """Maps of ``depth`` channels at the strides wanted that there are, the finest first.

    ``strides``: rising powers of two; one that the backbone passes over is left out, and one beyond
    its last is made. ``channels``, ``size_hw``: of the pictures that the backbone is shown.
    ``strides``, ``map_hw``: of each level that there is, and its map's height and width.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        channels: int,
        size_hw: tuple[int, int],
        strides: Sequence[int],
        depth: int,
    ) -> None:
        super().__init__()
        stages = find_stages(backbone, channels=channels, size_hw=size_hw)
        used = [stage for stage in stages if stage.stride in strides] or stages[-1:]
        self.layers = tuple(stage.layer for stage in used)
        beyond = [stride for stride in strides if stride > stages[-1].stride]
        self.lateral = nn.ModuleList(nn.Conv2d(stage.channels, depth, 1) for stage in used)
        self.smooth = nn.ModuleList(nn.Conv2d(depth, depth, 3, padding=1) for _ in used)
        self.extra = nn.ModuleList(nn.Conv2d(depth, depth, 3, stride=2, padding=1) for _ in beyond)
        self.strides = (*(stage.stride for stage in used), *beyond)
        self.map_hw = _sizes(used, len(beyond))

    def forward(self, backbone: nn.Module, seen: Tensor) -> list[Tensor]:
        """(n, c, H, W) float → for each level (n, depth, h, w) float."""
        maps = stage_maps(backbone, self.layers, seen)
        maps = [layer(found) for layer, found in zip(self.lateral, maps, strict=True)]
        for place in reversed(range(len(maps) - 1)):
            wanted = maps[place].shape[2:]
            maps[place] = maps[place] + interpolate(maps[place + 1], size=wanted)
        maps = [layer(found) for layer, found in zip(self.smooth, maps, strict=True)]
        for layer in self.extra:
            maps.append(layer(torch.relu(maps[-1])))
        return maps


def _sizes(stages: Sequence[Stage], beyond: int) -> tuple[tuple[int, int], ...]:
    sizes = [stage.map_hw for stage in stages]
    for _ in range(beyond):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return tuple(sizes)
