"""Triplet loss on the hardest triplets of a batch.

Hermans, Beyer, Leibe, "In Defense of the Triplet Loss", 2017, arXiv:1703.07737, eq. 5: every
picture is an anchor once, with its farthest positive and its nearest negative. Miner and loss are
pytorch-metric-learning's; the distance is Euclidean between vectors brought to length 1.
"""

from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor, nn


class BatchHardTriplet(nn.Module):
    """max(0, margin + d(anchor, hardest positive) - d(anchor, hardest negative)), averaged."""

    def __init__(self, *, classes: int, dimension: int, margin: float, scale: float) -> None:
        super().__init__()
        self.miner = BatchHardMiner()
        self.inner = TripletMarginLoss(margin=margin, reducer=MeanReducer())

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """(n, dimension) float of any length, (n,) int64 → mean over the anchors, a scalar."""
        loss: Tensor = self.inner(vectors, targets, self.miner(vectors, targets))
        return loss
