"""Boxes of a detector that answers with distances from boxes laid out beforehand, decoded.

W. Liu and others, "SSD: Single Shot MultiBox Detector", ECCV 2016, arXiv:1512.02325, equation 2;
landmarks as in J. Deng and others, "RetinaFace", CVPR 2020, arXiv:1905.00641.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.values import Float64Array, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """``centre`` and ``sides`` (m, 2) float64, x and y, in pixels of the input."""

    centre: Float64Array
    sides: Float64Array

    def take(self, places: IntArray) -> "Priors":
        """Return the boxes of these places, in their order."""
        return Priors(self.centre[places], self.sides[places])


def make_priors(
    size_hw: tuple[int, int],
    *,
    strides: Sequence[int],
    sizes: Sequence[Sequence[float]],
    clip: bool,
) -> Priors:
    """Lay squares of each stride's ``sizes`` on the middles of its cells.

    Strides in order, then rows, columns, sizes. ``clip``: centre and sides end at the input's own,
    as its networks learned it.
    """
    height, width = size_hw
    centres, sides = [], []
    for stride, own in zip(strides, sizes, strict=True):
        down, across = (np.arange(-(-side // stride)) for side in (height, width))
        y, x, size = np.meshgrid(down, across, np.array(own, dtype=np.float64), indexing="ij")
        centres.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride], axis=-1).reshape(-1, 2))
        sides.append(np.stack([size, size], axis=-1).reshape(-1, 2))
    centre, side = np.concatenate(centres), np.concatenate(sides)
    if clip:
        most = np.array([width, height], dtype=np.float64)
        centre, side = np.minimum(centre, most), np.minimum(side, most)
    return Priors(centre, side)


def decode_boxes(
    distances: Float64Array, priors: Priors, variances: tuple[float, ...]
) -> Float64Array:
    """(m, 2, 2): distance of the centre, logarithm of the sides → (m, 2, 2) corners, in pixels."""
    centre = priors.centre + distances[:, 0] * variances[0] * priors.sides
    with np.errstate(over="ignore"):  # Infinity is refused with the graph's name.
        half = priors.sides * np.exp(distances[:, 1] * variances[1]) / 2
    return np.stack([centre - half, centre + half], axis=1)


def decode_points(
    distances: Float64Array, priors: Priors, variances: tuple[float, ...]
) -> Float64Array:
    """(m, p, 2) distances from the centre → (m, p, 2) places in pixels of the input."""
    return priors.centre[:, None] + distances * variances[0] * priors.sides[:, None]
