"""Triplet losses on chosen triplets of a batch.

Batch-hard: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss", 2017, arXiv:1703.07737, eq. 5:
every picture is an anchor once, with its farthest positive and its nearest negative.
Semi-hard: Schroff, Kalenichenko, Philbin, "FaceNet", 2015, arXiv:1503.03832, section 3.2: negatives
that are farther than the positive, but by less than the margin. We differ: every such triplet
counts, not one a pair; the other triplets count as zero, so that the mean falls while a network
learns; and the distance is not squared.
Miners and loss are pytorch-metric-learning's; the distance is Euclidean between vectors brought to
length 1. Triplets are made of the pictures of one call: with accumulated gradients, of one
micro-batch.
"""

from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer, SumReducer
from torch import Tensor, nn

from saccade.losses.batch import wide


class BatchHardTriplet(nn.Module):
    """max(0, margin + d(anchor, hardest positive) - d(anchor, hardest negative)), averaged."""

    def __init__(self, *, margin: float = 0.3) -> None:
        super().__init__()
        self.miner = BatchHardMiner()
        self.inner = TripletMarginLoss(margin=margin, reducer=MeanReducer())

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """(n, dimension) float of any length, (n,) int64 → mean over the anchors, a scalar."""
        if len(vectors) == 0:
            return vectors.sum()
        rows = wide(vectors)
        loss: Tensor = self.inner(rows, targets, self.miner(rows, targets))
        return loss


class SemiHardTriplet(nn.Module):
    """The sum of margin + d(anchor, positive) - d(anchor, negative) over the triplets with
    d(anchor, positive) < d(anchor, negative) ≤ d(anchor, positive) + margin, over the number of all
    triplets of the batch.
    """

    def __init__(self, *, margin: float = 0.3) -> None:
        super().__init__()
        self.miner = TripletMarginMiner(margin=margin, type_of_triplets="semihard")
        self.inner = TripletMarginLoss(margin=margin, reducer=SumReducer())

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """(n, dimension) float of any length, (n,) int64 → mean over the triplets, a scalar."""
        own = (targets[:, None] == targets).sum(1)
        triplets = int(((own - 1) * (len(targets) - own)).sum())
        rows = wide(vectors)
        total: Tensor = self.inner(rows, targets, self.miner(rows, targets))
        return total / max(1, triplets)
