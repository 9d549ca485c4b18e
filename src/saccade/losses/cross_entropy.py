"""Softmax cross-entropy with label smoothing.

Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer
Vision", 2015, arXiv:1512.00567, section 7: the target gives ``smoothing`` evenly to all classes.
It keeps probabilities from running to 0 and 1 (Müller, Kornblith, Hinton, "When Does Label
Smoothing Help?", 2019, arXiv:1906.02629). Computed by torch.
"""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class CrossEntropy(nn.Module):
    """Minus the mean log-probability of the smoothed target; ``smoothing`` in [0, 1]."""

    def __init__(self, *, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(n, classes) float, (n,) int64 → mean loss over the batch, a scalar."""
        return cross_entropy(logits, targets, label_smoothing=self.smoothing)
