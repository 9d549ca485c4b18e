"""Cross-entropy down a tree of classes: a mistake within a kind costs less than one across kinds.

Bertinetto, Mueller, Tertikas, Samangooei, Lord, "Making Better Mistakes: Leveraging Class
Hierarchies with Deep Networks", CVPR 2020, arXiv:1912.09393, section 3.1. The log-probability of
a class is the sum, over the edges from the root to it, of that of the lower node given the upper.
The weight of an edge is exp(-alpha * its depth), as in the authors' code; we differ by a constant
factor: edges at the root have depth 0, so that on a flat tree, or with alpha 0, the loss is
cross-entropy.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saccade.class_tree import ClassTree
from saccade.errors import InputError
from saccade.losses.batch import mean_by_class, require_classes


class HierarchicalCrossEntropy(nn.Module):
    """-sum over the edges of exp(-alpha * depth) * log p(lower | upper), averaged.

    ``classes``: the names of the logits, each a leaf of ``tree``. The larger ``alpha``, the more
    the kinds near the root count. ``class_weights`` (classes,) float ≥ 0: how much a row counts.
    """

    below: Tensor
    nodes: Tensor
    weights: Tensor
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        tree: ClassTree | None = None,
        classes: Sequence[str] = (),
        alpha: float = 0.5,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        if tree is None:
            raise InputError(
                "loss hierarchical_cross_entropy needs a tree of the classes; name one with "
                "data.tree, or take cross_entropy"
            )
        for name, table in _tables(tree.paths(classes), alpha).items():
            self.register_buffer(name, table, persistent=False)
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """(n, classes) float, (n,) int64 → mean loss over the batch, a scalar.

        ``weights`` (n,): of each row, as for ``batch.weighted``.
        """
        require_classes(logits, targets, "hierarchical_cross_entropy")
        inside = self.below[self.nodes[targets]]
        masses = logits[:, None].masked_fill(~inside, -math.inf).logsumexp(2)
        steps = masses[:, 1:] - masses[:, :-1]
        rows = (steps * self.weights.to(logits.dtype)[targets]).sum(1)
        return mean_by_class(rows, targets, self.class_weights, weights)


def _tables(paths: list[tuple[str, ...]], alpha: float) -> dict[str, Tensor]:
    """Of each class's path: its ``nodes`` (classes, longest) int64, and its edges' ``weights``.

    Short paths stay at the root, with weight 0. ``below`` (nodes, classes) bool: which classes lie
    below which node, or are it.
    """
    number = {
        name: place
        for place, name in enumerate(dict.fromkeys(name for path in paths for name in path))
    }
    longest = max(map(len, paths), default=1)
    below = torch.zeros(len(number), len(paths), dtype=torch.bool)
    nodes = torch.zeros(len(paths), longest, dtype=torch.long)
    weights = torch.zeros(len(paths), longest - 1, dtype=torch.float64)
    for row, path in enumerate(paths):
        own = torch.tensor([number[name] for name in path])
        below[own, row] = True
        nodes[row] = own[-1]
        nodes[row, : len(own)] = own
        depths = torch.arange(len(path) - 2, -1, -1)
        weights[row, : len(depths)] = torch.exp(-alpha * depths.double())
    return {"below": below, "nodes": nodes, "weights": weights}
