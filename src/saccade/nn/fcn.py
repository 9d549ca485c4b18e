"""A fully convolutional head: the score of every class at every pixel, from maps of a backbone.

J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR
2015, arXiv:1411.4038, sections 3.3 and 4.2: a 1x1 convolution scores each map, the coarser scores
are enlarged by a transposed convolution that begins as bilinear interpolation and added to the
finer ones, and a last one brings them to the picture's size. We differ: any backbone whose maps
grow coarser serves, down to stride 2; all transposed convolutions learn, also the last; where the
sides of two maps do not fit, as those of convolutions without padding, the scores are stretched
rather than cut; all scores are learned at once. With ``depth``, what is added are features and not
scores, and convolutions mix them, after O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015,
arXiv:1505.04597.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate

from saccade.nn.layers import transposed_conv
from saccade.nn.stages import find_stages, stage_maps


class Fcn(nn.Module):
    """Scores of ``classes`` at the size of the pictures.

    ``stride``: of the finest map that is scored, a power of two: of FCN-32s 32, of FCN-8s 8. Where
    the backbone has no map so coarse, its coarsest is scored alone. ``depth``: 0 adds the scores of
    maps; else maps are brought to so many channels, mixed by a 3x3 convolution wherever they meet,
    and what comes of the finest is scored. ``channels``, ``size_hw``: of the pictures that the
    backbone is shown. ``layers``, ``strides``: of the maps, finest first.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        channels: int,
        size_hw: tuple[int, int],
        classes: int,
        stride: int,
        depth: int = 0,
    ) -> None:
        super().__init__()
        self.size_hw = size_hw
        stages = find_stages(backbone, channels=channels, size_hw=size_hw)
        used = [stage for stage in stages if stage.stride >= stride] or stages[-1:]
        self.layers = tuple(stage.layer for stage in used)
        self.strides = tuple(stage.stride for stage in used)
        wide = depth or classes
        self.lateral = nn.ModuleList(nn.Conv2d(stage.channels, wide, 1) for stage in used)
        self.enlarge = nn.ModuleList(
            transposed_conv(wide, wide, factor=coarse // fine, groups=depth or 1)
            for fine, coarse in pairwise(self.strides)
        )
        self.mix = nn.ModuleList(
            nn.Sequential(nn.Conv2d(wide, wide, 3, padding=1), nn.ReLU())
            if depth
            else nn.Identity()
            for _ in used
        )
        self.score = nn.Conv2d(wide, classes, 1) if depth else nn.Identity()
        self.last = transposed_conv(classes, classes, factor=self.strides[0])
        for layer in (self.score,) if depth else self.lateral:
            for value in layer.parameters():  # No class is preferred at first: section 4.1.
                nn.init.zeros_(value)

    def maps(self, backbone: nn.Module, seen: Tensor) -> list[Tensor]:
        """(n, c, H, W) float → the maps that are scored, (n, d, h, w) float each, finest first."""
        return stage_maps(backbone, self.layers, seen)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of ``maps`` → (n, classes, H, W) float scores."""
        own = [layer(one) for layer, one in zip(self.lateral, maps, strict=True)]
        found: Tensor = self.mix[-1](own[-1])
        for place in reversed(range(len(own) - 1)):
            larger = _fitted(self.enlarge[place](found), own[place].shape[2:])
            found = self.mix[place](own[place] + larger)
        return _fitted(self.last(self.score(found)), self.size_hw)


def _fitted(scores: Tensor, size_hw: Sequence[int]) -> Tensor:
    """Scores (n, k, h, w), stretched where they do not have this size already."""
    if tuple(scores.shape[2:]) == tuple(size_hw):
        return scores
    return interpolate(scores, size=tuple(size_hw), mode="bilinear", align_corners=False)
