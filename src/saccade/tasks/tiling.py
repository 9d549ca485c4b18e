"""A picture as large as it is, answered in tiles of a network's size that overlap."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from saccade.data.tiles import Tile, blend, tiles_of
from saccade.errors import InputError
from saccade.values import Float32Array

MOST_BYTES = 4 << 30  # of the blended probabilities of one picture


def segment_tiles(
    answer: Callable[[Tensor], Tensor],
    picture: Tensor,
    tile_hw: tuple[int, int],
    *,
    classes: int,
    overlap: float,
) -> Tensor:
    """Return the blended probabilities of one picture, (classes, H, W) float32, as ``blend``.

    ``answer``: (1, c, h, w) uint8 of the size ``tile_hw`` → (1, classes, h, w). ``picture``: (c, H,
    W) uint8; of a smaller one the edge is repeated to the right and below. ``overlap``: the least
    share of a tile's side that the next one covers too. Raises InputError for one too large to be
    held.
    """
    height, width = picture.shape[1:]
    if 4 * classes * height * width > MOST_BYTES:
        raise InputError(
            f"a picture of {height}x{width} takes more than {MOST_BYTES >> 30} GiB with {classes} "
            "classes in tiles; cut it into pieces first"
        )

    def scored() -> Iterator[tuple[Tile, Float32Array]]:
        for tile in tiles_of((height, width), tile_hw, overlap=overlap):
            found = answer(_filled(picture[:, *tile.place], tile_hw)[None])[0]
            yield tile, found[:, : tile.height, : tile.width].numpy()

    return torch.from_numpy(blend((height, width), scored()))


def _filled(part: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(c, h, w) uint8 → that size, the last row and column repeated."""
    below, right = (own - side for own, side in zip(size_hw, part.shape[1:], strict=True))
    if not below and not right:
        return part
    whole = pad(part[None].float(), (0, right, 0, below), mode="replicate")[0]
    return whole.to(torch.uint8)
