"""A picture larger than a network's input, answered tile by tile: tiles overlap, and are blended.

The nearer a place lies to the edge of a tile, the less that tile's answer counts there, since it
sees less of what lies around: O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015,
arXiv:1505.04597, section 2, where only middles count.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from saccade.errors import InputError

MOST_BYTES = 4 << 30  # of the blended probabilities of one picture


def segment_tiles(
    answer: Callable[[Tensor], Tensor],
    picture: Tensor,
    tile_hw: tuple[int, int],
    *,
    classes: int,
    overlap: float,
) -> Tensor:
    """Return the blended probabilities of one picture, (classes, H, W) float32.

    ``answer``: (n, c, h, w) uint8 of the size ``tile_hw`` → (n, classes, h, w). ``picture``: (c, H,
    W) uint8; what a smaller one lacks is its edge repeated. ``overlap``: the least share of a
    tile's side that the next one covers too. Raises InputError for one too large to be held.
    """
    height, width = picture.shape[1:]
    if 4 * classes * height * width > MOST_BYTES:
        raise InputError(
            f"a picture of {height}x{width} with {classes} classes takes more than "
            f"{MOST_BYTES >> 30} GiB in tiles; cut it into pieces first"
        )
    lacking = [max(0, own - side) for own, side in zip(tile_hw, (height, width), strict=True)]
    whole = pad(picture[None].float(), (0, lacking[1], 0, lacking[0]), mode="replicate")[0]
    whole = whole.to(torch.uint8)
    sides = zip(whole.shape[1:], tile_hw, strict=True)
    rows, columns = (starts(side, tile, overlap) for side, tile in sides)
    weight = ramp(tile_hw[0])[:, None] * ramp(tile_hw[1])
    total = torch.zeros(classes, *whole.shape[1:])
    counted = torch.zeros(whole.shape[1:])
    for top in rows:
        for left in columns:
            place = (..., slice(top, top + tile_hw[0]), slice(left, left + tile_hw[1]))
            total[place] += answer(whole[place][None])[0] * weight
            counted[place] += weight
    return (total / counted)[:, :height, :width]


def starts(side: int, tile: int, overlap: float) -> list[int]:
    """Return where tiles begin that cover ``side`` ≥ ``tile`` pixels, spread evenly."""
    step = max(1, int(tile * (1 - overlap)))
    many = -(-(side - tile) // step)
    return [round(number * (side - tile) / many) for number in range(many)] + [side - tile]


def ramp(tile: int) -> Tensor:
    """(tile,) float32: how much each place counts, from near 0 at the edges to 1 in the middle."""
    place = (torch.arange(tile) + 0.5) / tile
    return (2 * torch.minimum(place, 1 - place)).clamp(min=1e-3)
