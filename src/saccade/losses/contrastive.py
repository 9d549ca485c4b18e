"""The contrastive loss: pairs of one class come together, others stay a margin apart.

Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006,
eq. 4. We differ: vectors are brought to length 1, as a gallery compares them, so that a distance
is 2 at most; the paper leaves the margin open.
"""

import torch
from torch import Tensor, nn

from saccade.losses.batch import mean
from saccade.losses.distance import distances, unit


class Contrastive(nn.Module):
    """d² / 2 for a pair of one class, max(0, margin - d)² / 2 for another, averaged over pairs."""

    def __init__(self, *, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """(n, dimension) float of any length, (n,) int64 → mean over all pairs, a scalar."""
        rows = unit(vectors)
        first, second = torch.triu_indices(len(rows), len(rows), 1, device=rows.device)
        apart = distances(rows, rows)[first, second]
        return mean(self._of(apart, targets[first] == targets[second]))

    def pairs(self, first: Tensor, second: Tensor, same: Tensor) -> Tensor:
        """(n, dimension) float twice, (n,) bool → mean over these pairs, a scalar."""
        apart = torch.linalg.vector_norm(unit(first) - unit(second), dim=1)
        return mean(self._of(apart, same))

    def _of(self, apart: Tensor, same: Tensor) -> Tensor:
        return torch.where(same, apart, (self.margin - apart).clamp(min=0)) ** 2 / 2
