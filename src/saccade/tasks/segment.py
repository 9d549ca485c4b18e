"""Task ``segment``: pictures to a class for every pixel.

The loss is that of a classifier at each pixel, a mean over the pixels whose class is known: J.
Long, E. Shelhamer, T. Darrell, CVPR 2015, arXiv:1411.4038, section 3.5. The Dice loss may stand
beside it, which looks at whole masks, so that small ones count as much as large ones (Milletari,
Navab, Ahmadi, "V-Net", 2016, arXiv:1606.04797, section 3).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from saccade.losses import LOGIT_LOSSES, MASK_LOSSES, find_loss
from saccade.losses.masks import Dice
from saccade.tasks.segmenter import SegmentNetwork
from saccade.values import VOID

PIXEL_LOSSES = ("cross_entropy", "focal")
SMOOTH = 1.0  # of Dice: pixels, so that a class of few of them is no lottery
FITTING = {name: LOGIT_LOSSES[name] for name in PIXEL_LOSSES} | MASK_LOSSES


class SegmentTask(nn.Module):
    """The network with the losses that train it; called with pictures and masks.

    ``loss``: cross_entropy or focal, with the settings that it may take, or dice alone; ``dice``:
    how much the Dice loss counts beside one of the first two. ``dropout`` falls on the maps in
    training. Pixels that are VOID count nowhere. Of pictures larger than the network's input, a
    part of its size is learned from, drawn at random for each batch.
    """

    def __init__(
        self,
        network: SegmentNetwork,
        *,
        loss: str,
        dice: float = 0.0,
        dropout: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.network = network
        self.dropout = nn.Dropout2d(dropout)
        row = find_loss(FITTING, loss, "task segment")
        self.pixels = row.make(**settings) if loss in PIXEL_LOSSES else None
        self.dice = Dice(smooth=SMOOTH)
        self.share = 1.0 if self.pixels is None else dice

    def forward(self, pictures: Tensor, masks: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1], (n, H, W) uint8 → the loss, a scalar in float32."""
        network = self.network
        pictures, masks = _part(pictures, masks, network.size_hw)
        logits = network.head([self.dropout(one) for one in network.maps(pictures)]).float()
        known = masks != VOID
        classes = torch.where(known, masks, 0).long()
        loss: Tensor = logits.new_zeros(())
        if self.pixels is not None:
            loss = loss + self.pixels(logits.movedim(1, -1)[known], classes[known])
        if self.share:
            loss = loss + self.share * self.dice(logits, classes, known)
        return loss


def _part(pictures: Tensor, masks: Tensor, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pictures (n, c, H, W) and masks (n, H, W) → the same part of all, of this size."""
    height, width = size_hw
    spare = pictures.shape[2] - height, pictures.shape[3] - width
    if spare == (0, 0):
        return pictures, masks
    top, left = (int(torch.randint(one + 1, ())) for one in spare)
    rows, columns = slice(top, top + height), slice(left, left + width)
    cut = pictures[..., rows, columns].contiguous(memory_format=torch.channels_last)
    return cut, masks[..., rows, columns]


def pixel_weights(pixels: Sequence[int]) -> Tensor:
    """Pixels of each class → (classes,) float32: all pixels / (classes shown · own pixels).

    So each class has the same weight in all; one that is nowhere shown has none.
    """
    own = torch.tensor(pixels, dtype=torch.float64)
    shown = own > 0
    weights = torch.zeros_like(own)
    weights[shown] = own.sum() / (shown.sum() * own[shown])
    return weights.float()
