"""The hinge loss for several classes: every wrong class stays a margin below the right one.

Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", ESANN 1999,
as a loss on one row of logits: the violations of all wrong classes are added. Crammer and
Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", JMLR 2001,
take the largest only, which with two classes is the same.
"""

from torch import Tensor, nn

from saccade.losses.batch import mean_by_class, require_classes


class Hinge(nn.Module):
    """The sum over wrong classes of max(0, logit - right class's logit + margin), averaged.

    ``class_weights`` (classes,) float ≥ 0: how much a row counts, by its class.
    """

    class_weights: Tensor | None

    def __init__(self, *, margin: float = 1.0, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.margin = margin
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """(n, classes) float, (n,) int64 → mean loss over the batch, a scalar.

        ``weights`` (n,): of each row, as for ``batch.weighted``.
        """
        require_classes(logits, targets, "hinge")
        right = targets[:, None]
        violations = (logits - logits.gather(1, right) + self.margin).clamp(min=0)
        rows = violations.scatter(1, right, 0.0).sum(1)
        return mean_by_class(rows, targets, self.class_weights, weights)
