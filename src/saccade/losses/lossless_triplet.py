"""The lossless triplet loss: no triplet ever counts as done.

M. Arsenault, "Lossless Triplet Loss: a more efficient loss function for Siamese networks", 2018
(coffeeanddata.ca): -ln(1 - D(a, p) / beta + epsilon) - ln(1 - (N - D(a, n)) / beta + epsilon), D
the squared distance and N the most that it can be; beta is N unless it is set. We differ: there
the vectors are sigmoids, of which N is the length; here they are brought to length 1, as a gallery
compares them, so N is 4. Then 1 - D(a, p) / 4 = |a + p|² / 4, which is computed so, without
cancellation.
"""

import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.losses.batch import mean
from saccade.losses.distance import distances, unit

FARTHEST = 4.0


class LosslessTriplet(nn.Module):
    """-ln(1 - D(a, p) / beta + epsilon) - ln(1 - (4 - D(a, n)) / beta + epsilon), averaged.

    ``beta`` is 4 or more; the larger, the flatter. ``epsilon`` > 0 bounds the loss.
    """

    def __init__(self, *, beta: float = FARTHEST, epsilon: float = 1e-8) -> None:
        super().__init__()
        if beta < FARTHEST or epsilon <= 0:
            raise InputError(
                f"loss lossless_triplet: beta must be at least {FARTHEST:g} and epsilon above 0. "
                f"Got {beta:g} and {epsilon:g}"
            )
        self.beta, self.epsilon = beta, epsilon

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """(n, dimension) float of any length, (n,) int64 → mean over all triplets, a scalar."""
        rows = unit(vectors)
        same = targets[:, None] == targets
        positive = same & ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        # A triplet's loss is one part of its positive and one of its negative: no triple loop.
        near = torch.where(positive, self._cost(distances(rows, -rows)), 0.0).sum(1)
        far = torch.where(same, 0.0, self._cost(distances(rows, rows))).sum(1)
        positives, negatives = positive.sum(1), (~same).sum(1)
        total = (near * negatives + far * positives).sum()
        return total / (positives * negatives).sum().clamp(min=1)

    def triplets(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """(n, dimension) float three times → mean over these triplets, a scalar."""
        anchor, positive, negative = unit(anchor), unit(positive), unit(negative)
        near = torch.linalg.vector_norm(anchor + positive, dim=1)
        far = torch.linalg.vector_norm(anchor - negative, dim=1)
        return mean(self._cost(near) + self._cost(far))

    def _cost(self, distance: Tensor) -> Tensor:
        """Of |a + p|, or of |a - n|."""
        rest = 1 - FARTHEST / self.beta + self.epsilon
        return -torch.log(distance**2 / self.beta + rest)
