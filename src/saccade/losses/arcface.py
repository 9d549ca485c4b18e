"""ArcFace: additive angular margin softmax.

Deng, Guo, Xue, Zafeiriou, "ArcFace", 2019, arXiv:1801.07698, eq. 3; computed by
pytorch-metric-learning, whose loss takes the margin in degrees. It differs for angles above
pi - margin, where cos(angle + margin) would rise again; there it takes cos(angle) - margin *
sin(margin). Our defaults are milder than the paper's 0.5 and 64, which are for many classes.
"""

import math

from pytorch_metric_learning.losses import ArcFaceLoss
from torch import Tensor, nn


class ArcFace(nn.Module):
    """Cross-entropy on scaled cosines, the true class's angle enlarged by ``margin`` radians.

    Holds one learned direction a class, so it has parameters of its own.
    """

    def __init__(
        self, *, classes: int, dimension: int, margin: float = 0.3, scale: float = 16.0
    ) -> None:
        super().__init__()
        self.inner = ArcFaceLoss(classes, dimension, margin=math.degrees(margin), scale=scale)

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """(n, dimension) float of any length, (n,) int64 → mean loss over the batch, a scalar."""
        if len(vectors) == 0:
            return vectors.sum()
        loss: Tensor = self.inner(vectors, targets)
        return loss
