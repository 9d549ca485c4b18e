"""Losses between masks: how well what is marked covers what is there.

Milletari, Navab, Ahmadi, "V-Net", 2016, arXiv:1606.04797, section 3: the Dice coefficient with
squared probabilities below. We differ: one for each class and picture, averaged; a class that is
neither there nor marked counts as right.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from saccade.errors import InputError
from saccade.losses.batch import mean, wide


class Dice(nn.Module):
    """1 - 2 sum(p g) / (sum(p²) + sum(g²)) over the pixels, averaged.

    p are the probabilities: a sigmoid of one channel, else a softmax over the channels. ``smooth``
    ≥ 0 is added above and below the line, and softens the loss of small masks.
    """

    def __init__(self, *, smooth: float = 0.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits: Tensor, masks: Tensor, known: Tensor | None = None) -> Tensor:
        """(n, c, H, W) float; (n, H, W) int64 classes, or (n, c, H, W) shares in [0, 1] → a scalar.

        Of one channel, the classes are 0 and 1. ``known`` (n, H, W) bool: the pixels that count,
        else all; what ``masks`` holds elsewhere must be a class, whichever.
        """
        scores = wide(logits)
        shares = scores.sigmoid() if logits.shape[1] == 1 else scores.softmax(1)
        wanted = _shares(masks, logits.shape[1]).to(shares.dtype)
        if wanted.shape != shares.shape:
            raise InputError(
                f"loss dice takes (n, c, H, W) logits and masks of that shape or (n, H, W). Got "
                f"{tuple(logits.shape)} and {tuple(masks.shape)}"
            )
        if known is not None:
            shares, wanted = shares * known[:, None], wanted * known[:, None]
        both = (shares * wanted).sum((2, 3))
        each = (shares**2).sum((2, 3)) + (wanted**2).sum((2, 3))
        smooth = self.smooth + torch.finfo(shares.dtype).tiny
        return mean(1 - (2 * both + smooth) / (each + smooth))


def _shares(masks: Tensor, channels: int) -> Tensor:
    if masks.ndim != 3:
        return masks
    return masks[:, None] if channels == 1 else one_hot(masks.long(), channels).movedim(3, 1)
