"""A square piece of a picture, turned and scaled as its place says."""

import numpy as np
from PIL import Image

from saccade.pictures.align import Place
from saccade.values import Float64Array, UInt8Array

# Pixels of a crop where the embedder states none, as in J. Deng et al., "ArcFace", CVPR 2019.
SIDE = 112


def side_for(size_hw: tuple[int, int] | None) -> int:
    """Return the pixels of a crop's side for an embedder that looks at ``size_hw``, if it says."""
    return SIDE if size_hw is None else max(size_hw)


def cut(picture: UInt8Array, place: Place, side: int = SIDE) -> UInt8Array:
    """Return (side, side, 3) uint8: the crop at ``place`` of (H, W, 3) uint8.

    Where the crop reaches over the edge, the picture's last pixels are repeated. Bilinear; a place
    larger than the crop is first reduced by a whole factor, each pixel the mean of a block.
    """
    from scipy.ndimage import map_coordinates

    steps = (np.arange(side) + 0.5) / side
    points = place.corner + place.width * (steps + 1j * steps[:, None])
    factor = max(1, int(place.side / side))
    seen, left, top = _region(picture, points, factor)
    columns = (points.real - left) / factor - 0.5  # A pixel's middle lies at a whole number.
    rows = (points.imag - top) / factor - 0.5
    layers = [
        map_coordinates(seen[:, :, channel], [rows, columns], order=1, mode="nearest")
        for channel in range(seen.shape[2])
    ]
    return np.stack(layers, axis=2).round().astype(np.uint8)


def _region(
    picture: UInt8Array, points: np.ndarray[tuple[int, ...], np.dtype[np.complex128]], factor: int
) -> tuple[Float64Array, int, int]:
    """The part of the picture below the points, reduced, and its left and upper edge."""
    height, width = picture.shape[:2]
    left, right = _span(points.real, factor, width)
    top, bottom = _span(points.imag, factor, height)
    part = Image.fromarray(picture[top:bottom, left:right])
    reduced = part.reduce(factor) if factor > 1 else part
    return np.asarray(reduced, np.float64), left, top


def _span(values: Float64Array, factor: int, length: int) -> tuple[int, int]:
    """First and last pixel of one axis that is needed; at least one, all inside the picture."""
    first = int(np.clip(values.min() - factor - 1, 0, length - 1))
    last = int(np.clip(values.max() + factor + 2, first + 1, length))
    return first, last
