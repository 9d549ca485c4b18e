"""Augmentation of pictures with masks: one move for both, things pasted, light, what is covered.

Paste: Ghiasi and others, "Simple copy-paste is a strong data augmentation method for instance
segmentation", CVPR 2021, arXiv:2012.07177, section 3. We differ: masks know classes and no objects,
so all that another picture of the batch shows is pasted, with hard edges.
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample

from saccade.augment.batch import Augment
from saccade.augment.moves import Moves
from saccade.values import VOID


class MaskAugment:
    """The changes of ``augment``, which the masks follow, and pasting with the chance ``paste``."""

    def __init__(self, augment: Augment, *, paste: float = 0.0) -> None:
        self.augment, self.paste = augment, paste

    def with_targets(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """(n, c, H, W) float in [0, 1] and masks (n, H, W) uint8 → the same of both.

        A pixel of a mask is the nearest one of where it comes from. Where that lies outside of the
        picture, the picture is mirrored at its edge, as for other tasks, and the mask is VOID: what
        is made up is not learned. So are pixels that are covered. May change the pictures given.
        """
        moves = self.augment.moves(len(pictures), generator)
        if moves is not None:
            places = moves.places(pictures.shape[2], pictures.shape[3])
            pictures = grid_sample(pictures, places, padding_mode="reflection", align_corners=False)
            targets = moved_masks(targets, moves)
        if self.paste:
            pictures, targets = self._pasted(pictures, targets, generator)
        pictures, covered = self.augment.recoloured_with(pictures, generator)
        return pictures, targets if covered is None else targets.masked_fill(covered, VOID)

    def _pasted(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Lay over some pictures what another shows of all classes but the first."""
        count = len(pictures)
        partners = torch.randperm(count, generator=generator)
        chosen = torch.rand(count, generator=generator) < self.paste
        others = targets[partners]
        shown = (others != 0) & (others != VOID) & chosen[:, None, None]
        pictures = torch.where(shown[:, None], pictures[partners], pictures)
        return pictures, torch.where(shown, others, targets)


def moved_masks(masks: Tensor, moves: Moves) -> Tensor:
    """(n, H, W) uint8 → after a move: the nearest pixel, VOID outside of the picture."""
    height, width = masks.shape[1:]
    places = moves.places(height, width)
    at = ((places + 1) * places.new_tensor([width / 2, height / 2])).floor_().long()
    columns, rows = at.unbind(dim=3)
    outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
    pixels = rows.clamp_(0, height - 1) * width + columns.clamp_(0, width - 1)
    found = masks.flatten(1).gather(1, pixels.flatten(1)).view_as(masks)
    return found.masked_fill_(outside, VOID)
