"""Augmentation of pictures with masks: one move for both, then light; erased pixels are void."""

from torch import Generator, Tensor
from torch.nn.functional import grid_sample

from saccade.augment.batch import Augment
from saccade.augment.moves import Moves
from saccade.values import VOID


class MaskAugment:
    """The changes of ``augment``, which the masks of the pictures follow."""

    def __init__(self, augment: Augment) -> None:
        self.augment = augment

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
        pictures, covered = self.augment.recoloured_with(pictures, generator)
        return pictures, targets if covered is None else targets.masked_fill(covered, VOID)


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
