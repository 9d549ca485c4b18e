"""Mixtures of two pictures each of a batch, and of what they show.

mixup: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", 2017,
arXiv:1710.09412, section 2: both pictures show through each other. CutMix: Yun, Han, Oh, Chun,
Choe, Yoo, "CutMix", 2019, arXiv:1905.04899, eq. 1 and 2 with algorithm 1: a rectangle of the other
picture is laid over. As in both papers' code one share, from Beta(alpha, alpha), and one order of
the partners is drawn for a batch; of a rectangle that is cut off at the edge the true area counts.
"""

from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from saccade.shelf import Entry

Box = tuple[slice, slice]


class Changes(Protocol):
    """Random changes of single pictures."""

    def with_targets(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Change pictures (n, c, H, W) float in [0, 1], and targets where they follow."""


class Mixing:
    """The changes ``first``, then a mixture of the batch: mixup, CutMix, or one drawn evenly.

    ``mixup`` and ``cutmix`` are each Beta's alpha, 0 for never. ``classes``: how many the numbers
    of targets count; None where targets are numbers, which are mixed as the pictures are.
    """

    def __init__(
        self, first: Changes, *, classes: int | None, mixup: float = 0.0, cutmix: float = 0.0
    ) -> None:
        self.first, self.classes = first, classes
        self.alphas = {"mixup": mixup, "cutmix": cutmix}

    def with_targets(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """(n, c, H, W) float in [0, 1] and (n,) int64 → as many, and (n, classes) float32 shares.

        Without classes targets are (n, t) float, and stay so. May change the pictures given.
        """
        pictures, targets = self.first.with_targets(pictures, targets, generator)
        whole = targets if self.classes is None else one_hot(targets, self.classes).float()
        usable = [name for name, alpha in self.alphas.items() if alpha]
        name = usable[int(torch.randint(len(usable), (), generator=generator))]
        share = drawn_share(self.alphas[name], generator)
        partners = torch.randperm(len(pictures), generator=generator)
        pictures, kept = MIXTURES[name].build(pictures, partners, share, generator)
        return pictures, kept * whole + (1 - kept) * whole[partners]


def drawn_share(alpha: float, generator: Generator) -> float:
    """Return a draw of Beta(alpha, alpha), alpha > 0, in [0, 1]."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def mixup(
    pictures: Tensor, partners: Tensor, share: float, generator: Generator
) -> tuple[Tensor, float]:
    """Return ``share`` of each picture (n, c, H, W) and the rest of its partner, and ``share``.

    ``partners`` (n,) int64: each one's place. Changes the pictures given; draws nothing.
    """
    others = pictures[partners]
    return pictures.mul_(share).add_(others, alpha=1 - share), share


def cutmix(
    pictures: Tensor, partners: Tensor, share: float, generator: Generator
) -> tuple[Tensor, float]:
    """Lay a rectangle of each one's partner over it; returns the share of pixels that stayed.

    Arguments as of ``mixup``. The rectangle has ``1 - share`` of the area, the shape of the picture
    and its middle anywhere; what lies beyond the edge is cut off.
    """
    height, width = pictures.shape[2:]
    rows, columns = _rectangle((height, width), share, generator)
    others = pictures[partners]
    pictures[:, :, rows, columns] = others[:, :, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return pictures, 1 - area / (height * width)


def _rectangle(size_hw: tuple[int, int], share: float, generator: Generator) -> Box:
    ends = []
    for side in size_hw:
        length = int(side * (1 - share) ** 0.5)
        middle = int(torch.randint(side, (), generator=generator))
        ends.append(slice(max(middle - length // 2, 0), min(middle + length // 2, side)))
    return ends[0], ends[1]


MIXTURES = {
    "mixup": Entry(
        build=mixup,
        definition="λ x + (1 - λ) x', λ q + (1 - λ) q'; λ ~ Beta(alpha, alpha)",
        source="Zhang, Cisse, Dauphin, Lopez-Paz, 2017, arXiv:1710.09412, section 2",
    ),
    "cutmix": Entry(
        build=cutmix,
        definition="x with a rectangle of x', λ q + (1 - λ) q'; λ is the share of x that is seen",
        source="Yun et al., 2019, arXiv:1905.04899, eq. 1 and 2",
    ),
}
