"""The focal loss: cross-entropy in which answers that are already right count little.

Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002,
eq. 4 and 5. We differ: the probability is a softmax over the classes, where theirs is a sigmoid
for each (with two classes both are one), and their alpha is ``class_weights``.
"""

import torch
from torch import Tensor, nn

from saccade.losses.batch import mean_by_class, require_classes


class Focal(nn.Module):
    """-(1 - p) ** gamma * log(p), averaged; p is the probability of the right class.

    ``gamma`` 0 is cross-entropy. ``class_weights`` (classes,) float ≥ 0: how much a row counts.
    """

    class_weights: Tensor | None

    def __init__(self, *, gamma: float = 2.0, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """(n, classes) float, (n,) int64 → mean loss over the batch, a scalar.

        ``weights`` (n,): of each row, as for ``batch.weighted``.
        """
        require_classes(logits, targets, "focal")
        log_p = logits.log_softmax(1).gather(1, targets[:, None])[:, 0]
        # Above 0, where a power below 1 has no gradient.
        rest = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return mean_by_class(-(rest**self.gamma) * log_p, targets, self.class_weights, weights)
