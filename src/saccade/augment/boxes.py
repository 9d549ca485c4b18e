"""Augmentation of pictures with boxes: mosaics, then one move, then light; the boxes follow.

Mosaic: A. Bochkovskiy, C.-Y. Wang, H.-Y. M. Liao, "YOLOv4", 2020, arXiv:2004.10934, section 3.3. We
differ: the four pictures are of one batch, each halved, and the whole is then looked at through a
window of half to all of its side.
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample, interpolate

from saccade.augment.batch import Augment
from saccade.augment.moves import Moves

LEAST_SEEN = 0.15  # of an object: one of which less is left in the picture is no object
SURELY_SEEN = 0.4  # one of which less is left is ignored: not to be found, and no background
LEAST_SIDE = 2.0  # pixels
NO_BOX = -1.0


class BoxAugment:
    """The changes of ``augment``, and a mosaic with the chance ``mosaic``."""

    def __init__(self, augment: Augment, *, mosaic: float) -> None:
        self.augment, self.mosaic = augment, mosaic

    def with_targets(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """(n, c, H, W) float in [0, 1] and (n, m, 6) targets of a detector → the same of both.

        A row of targets is x1, y1, x2, y2 in pixels, the class or -1, ignored or not. With a mosaic
        there are up to 4 m rows. May change the pictures given.
        """
        height, width = pictures.shape[2:]
        window = torch.ones(len(pictures))
        if self.mosaic and len(pictures) > 1:
            pictures, targets, mixed = self._mixed(pictures, targets, generator)
            drawn = 0.5 + 0.5 * torch.rand(len(pictures), generator=generator)
            window = torch.where(mixed, drawn, window)
        moves = self.augment.moves(len(pictures), generator, window=window)
        if moves is not None:
            pictures = _moved(pictures, moves)
            targets = followed(targets, moves, (height, width))
        return self.augment.recoloured(pictures, generator), targets

    def _mixed(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Some pictures as mosaics of four; also which (n,)."""
        count = len(pictures)
        mixed = torch.rand(count, generator=generator) < self.mosaic
        shifts = torch.randint(1, count, (3, count), generator=generator)
        own = torch.arange(count)
        parts = torch.stack([own, *((own + shift) % count for shift in shifts)])[:, mixed]
        height, width = pictures.shape[2:]
        half = (height - height // 2, width - width // 2)
        small = interpolate(pictures, size=half, mode="bilinear", antialias=True)
        rows = []
        for place, (top, left) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            y, x = top * (height // 2), left * (width // 2)
            pictures[mixed, :, y : y + half[0], x : x + half[1]] = small[parts[place]]
            shrunk = targets[parts[place]].clone()
            scale = shrunk.new_tensor([half[1] / width, half[0] / height] * 2)
            shrunk[..., :4] = shrunk[..., :4] * scale + shrunk.new_tensor([x, y, x, y])
            rows.append(shrunk)
        most = targets.shape[1]
        whole = targets.new_full((count, 4 * most, 6), NO_BOX)
        whole[:, :most] = targets
        whole[mixed] = torch.cat(rows, dim=1)
        return pictures, whole, mixed


def followed(targets: Tensor, moves: Moves, size_hw: tuple[int, int]) -> Tensor:
    """Return the targets after a move; boxes end at the picture, little that is left is ignored.

    What was to be ignored stays so however little of it is left, as it is no background yet.
    """
    height, width = size_hw
    whole = moves.boxes(targets[..., :4], height, width)
    most = whole.new_tensor([width, height] * 2)
    corners = torch.minimum(whole.clamp(min=0), most)
    sides = (corners[..., 2:] - corners[..., :2]).clamp(min=0)
    full = (whole[..., 2:] - whole[..., :2]).prod(dim=-1).clamp(min=1e-6)
    seen = sides.prod(dim=-1) / full
    passed = targets[..., 5] != 0
    gone = ((seen < LEAST_SEEN) & ~passed) | (sides.min(dim=-1).values < LEAST_SIDE)
    classes = torch.where(gone, targets.new_tensor(NO_BOX), targets[..., 4])
    ignored = torch.where(seen < SURELY_SEEN, targets.new_tensor(1.0), targets[..., 5])
    return torch.cat([corners, classes[..., None], ignored[..., None]], dim=-1)


def _moved(pictures: Tensor, moves: Moves) -> Tensor:
    """Pictures after a move; what was outside has the picture's mean colour."""
    places = moves.places(pictures.shape[2], pictures.shape[3])
    mean = pictures.mean((2, 3), keepdim=True)
    return grid_sample(pictures - mean, places, align_corners=False).add_(mean)
