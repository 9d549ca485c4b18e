"""Softmax cross-entropy with label smoothing.

Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer
Vision", 2015, arXiv:1512.00567, section 7: the target gives ``smoothing`` evenly to all classes.
It keeps probabilities from running to 0 and 1 (Müller, Kornblith, Hinton, "When Does Label
Smoothing Help?", 2019, arXiv:1906.02629). Computed by torch; we differ where targets are shares
and classes are weighted: the mean is weighted there too, so that one-hot targets give what the
numbers of the classes give.
"""

from functools import partial

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from saccade.losses.batch import weighted


class CrossEntropy(nn.Module):
    """Minus the mean log-probability of the smoothed target; ``smoothing`` in [0, 1].

    ``class_weights`` (classes,) float ≥ 0: how much the share of each class counts.
    """

    class_weights: Tensor | None

    def __init__(self, *, smoothing: float = 0.1, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """(n, classes) float; (n,) int64, or (n, classes) shares that sum to 1 → a scalar.

        That is the mean over the batch, weighted by the targets' class weights, and by ``weights``
        (n,) of the rows, as for ``batch.weighted``.
        """
        by_class = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        loss = partial(cross_entropy, logits, weight=by_class, label_smoothing=self.smoothing)
        if len(logits) == 0:
            return logits.sum()
        if targets.ndim == 1 and weights is None:
            return loss(targets)
        if targets.ndim == 1:
            counted = len(logits) if by_class is None else by_class[targets].sum()
            return weighted(loss(targets, reduction="none"), weights).sum() / counted
        shares = targets.to(logits.dtype)
        counted = len(logits) if by_class is None else (shares @ by_class).sum()
        return weighted(loss(shares, reduction="none"), weights).sum() / counted
