"""The edges of a picture, as features of its own.

Canny, "A computational approach to edge detection", PAMI 1986: a Gaussian of deviation SIGMA,
gradients, their maxima across the edge, and two thresholds; by scikit-image.
"""

import numpy as np
import torch
from torch import Tensor, nn

SIGMA = 1.0  # pixels


class Canny(nn.Module):
    """1 where an edge is, else 0, pixel by pixel: ``features`` = H · W. Channels are averaged."""

    def __init__(self, *, channels: int, size_hw: tuple[int, int]) -> None:
        super().__init__()
        self.features = size_hw[0] * size_hw[1]

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float in [0, 1] → (n, features) float."""
        from skimage.feature import canny  # Takes a moment to load.

        grey = pictures.detach().mean(1).double().numpy()
        edges = [canny(one, sigma=SIGMA).reshape(-1) for one in grey]
        found = np.array(edges, np.float32).reshape(len(grey), self.features)
        return torch.from_numpy(found)
