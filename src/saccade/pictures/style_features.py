"""What a network sees of a picture on its way, map by map: what style and content are told by.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016,
section 2: fine maps to coarse ones for the style, one of them for the content. We differ: the maps
are the last of each stride, as ``nn/stages`` finds them, so that any network with maps can serve.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saccade.errors import InputError, SaccadeError
from saccade.nn.stages import Stage, find_stages, stage_maps
from saccade.nn.standardise import normalise

COARSEST = 8  # pixels of the picture a place: the coarsest map that counts unless others are named
PROBE_HW = (224, 224)  # pixels: the size at which the maps of a network are looked for
LUMA = (0.299, 0.587, 0.114)  # of red, green, blue: what a network for grey pictures sees
REMEDY = "take one with convolutions, such as torchvision/squeezenet1_1"


class StyleFeatures:
    """The maps of a backbone called ``name``, which is left unchanged, by their ``strides``.

    ``channels``, ``mean`` and ``std``: how it wants pictures, as ``normalise`` takes them. Strides
    that are not named: all that it has up to COARSEST for the style, the coarsest of these for the
    content. Raises InputError where it has no maps, or not these.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        name: str,
        channels: int = 3,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        strides: Sequence[int] = (),
        content_stride: int | None = None,
    ) -> None:
        self.backbone = backbone.eval().requires_grad_(False)
        self.name, self.channels, self.mean, self.std = name, channels, mean, std
        found = {stage.stride: stage.layer for stage in self._stages()}
        usual = tuple(sorted(one for one in found if one <= COARSEST)) or (min(found),)
        self.strides = tuple(sorted(set(strides))) or usual
        if content_stride is None:
            content_stride = usual[-1]
        self.content_stride = content_stride
        for stride in (*self.strides, content_stride):
            if stride not in found:
                known = ", ".join(map(str, found))
                raise InputError(f"{name} has no map of stride {stride}; its strides are: {known}")
        self.taken = tuple(sorted({*self.strides, content_stride}))
        self.layers = tuple(found[stride] for stride in self.taken)

    def maps(self, picture: Tensor) -> tuple[list[Tensor], Tensor]:
        """(1, 1 or 3, H, W) float in [0, 1] → the maps of the style, and that of the content.

        Raises InputError for a picture that is too small for the coarsest of them.
        """
        found = dict(zip(self.taken, self._shown(picture), strict=True))
        coarsest = self.taken[-1]
        if min(found[coarsest].shape[2:]) < 2:
            raise self._too_small(picture)
        return [found[stride] for stride in self.strides], found[self.content_stride]

    def _shown(self, picture: Tensor) -> list[Tensor]:
        colours = picture.expand(-1, 3, -1, -1)
        if self.channels == 1:
            colours = torch.einsum("nchw,c->nhw", colours, colours.new_tensor(LUMA))[:, None]
        try:
            seen = normalise(colours, mean=self.mean, std=self.std)
            return stage_maps(self.backbone, self.layers, seen)
        except (RuntimeError, ValueError, AssertionError) as error:  # Each network has its own.
            height, width = picture.shape[2:]
            if min(height, width) < 4 * self.taken[-1]:
                raise self._too_small(picture) from error
            reason = str(error).splitlines()[0][:150]
            raise InputError(
                f"{self.name} cannot take pictures of {height}x{width}: {reason}; take a network "
                "for pictures of any size, such as torchvision/squeezenet1_1"
            ) from error

    def _too_small(self, picture: Tensor) -> InputError:
        height, width = picture.shape[2:]
        coarsest = self.taken[-1]
        return InputError(
            f"a picture of {height}x{width} is too small for the map of stride {coarsest} of "
            f"{self.name}; let its shorter side be {4 * coarsest} pixels or more with --size, or "
            "name fewer --levels or finer --strides"
        )

    def _stages(self) -> list[Stage]:
        if getattr(getattr(self.backbone, "body", None), "output_fmt", "NCHW") != "NCHW":
            raise InputError(f"{self.name} keeps the channels of its maps last; {REMEDY}")
        try:
            return find_stages(self.backbone, channels=self.channels, size_hw=PROBE_HW)
        except (RuntimeError, ValueError, AssertionError, SaccadeError) as error:
            raise InputError(
                f"{self.name} makes no maps of features for pictures of any size; {REMEDY}"
            ) from error
