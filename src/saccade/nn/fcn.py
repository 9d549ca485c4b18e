"""A fully convolutional head: the score of every class at every pixel, from maps of a backbone.

J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR
2015, arXiv:1411.4038, sections 3.3 and 4.2: a 1x1 convolution scores each map, the coarser scores
are enlarged by a transposed convolution that begins as bilinear interpolation and added to the
finer ones, and a last one brings them to the picture's size. We differ: any backbone whose maps
grow coarser serves, down to stride 2; all transposed convolutions learn, also the last; where the
sides of two maps do not fit, as those of convolutions without padding, the scores are stretched
rather than cut; all scores are learned at once.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from saccade.nn.layers import transposed_conv
from saccade.nn.stages import find_stages, stage_maps


class Fcn(nn.Module):
    """Scores of ``classes`` at the size of the pictures.

    ``stride``: of the finest map that is scored, a power of two: of FCN-32s 32, of FCN-8s 8. Where
    the backbone has no map so coarse, its coarsest is scored alone. ``channels``, ``size_hw``: of
    the pictures that the backbone is shown. ``layers``, ``strides``: of the maps, finest first.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        channels: int,
        size_hw: tuple[int, int],
        classes: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.size_hw = size_hw
        stages = find_stages(backbone, channels=channels, size_hw=size_hw)
        used = [stage for stage in stages if stage.stride >= stride] or stages[-1:]
        self.layers = tuple(stage.layer for stage in used)
        self.strides = tuple(stage.stride for stage in used)
        self.scores = nn.ModuleList(nn.Conv2d(stage.channels, classes, 1) for stage in used)
        for layer in self.scores:  # As in the paper, section 4.1: no class is preferred at first.
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        finer = (1, *self.strides[:-1])
        self.enlarge = nn.ModuleList(
            transposed_conv(classes, classes, factor=own // other)
            for own, other in zip(self.strides, finer, strict=True)
        )

    def maps(self, backbone: nn.Module, seen: Tensor) -> list[Tensor]:
        """(n, c, H, W) float → the maps that are scored, (n, d, h, w) float each, finest first."""
        return stage_maps(backbone, self.layers, seen)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of ``maps`` → (n, classes, H, W) float scores."""
        found: Tensor = self.scores[-1](maps[-1])
        for place in reversed(range(1, len(maps))):
            finer = self.scores[place - 1](maps[place - 1])
            found = finer + _fitted(self.enlarge[place](found), maps[place - 1].shape[2:])
        return _fitted(self.enlarge[0](found), self.size_hw)


def _fitted(scores: Tensor, size_hw: Sequence[int]) -> Tensor:
    """Scores (n, k, h, w), stretched where they do not have this size already."""
    if tuple(scores.shape[2:]) == tuple(size_hw):
        return scores
    return interpolate(scores, size=tuple(size_hw), mode="bilinear", align_corners=False)
