"""Distances between vectors of length 1, precise also where they are small."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from saccade.losses.batch import wide


def unit(vectors: Tensor) -> Tensor:
    """(n, dimension) float of any length → rows of length 1, in float32 or float64."""
    return normalize(wide(vectors))


def distances(first: Tensor, second: Tensor) -> Tensor:
    """(n, dimension), (m, dimension) → (n, m) Euclidean distances; the gradient at 0 is 0.

    From differences: through a matrix product, small distances would be lost in rounding.
    """
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
