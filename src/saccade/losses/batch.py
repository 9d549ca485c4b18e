"""What losses do with a batch: its number format, its mean (0 when it is empty), its shapes."""

import torch
from torch import Tensor

from saccade.errors import InputError


def wide(values: Tensor) -> Tensor:
    """Return the values in float32, float64 as it is: half floats are too short for distances."""
    return values if values.dtype == torch.float64 else values.float()


def weighted(values: Tensor, weights: Tensor | None) -> Tensor:
    """(n, …) values, each row times its own weight of (n,), or None → the same shape.

    A sum of them is then divided as if all weights were 1: weights have the mean 1 over all that is
    learned from, so each batch is an unbiased draw of the weighted whole. Divided by its own sum of
    weights, a batch without heavy pictures would count as much as one with them.
    """
    if weights is None:
        return values
    return values * weights.to(values.dtype).view(-1, *[1] * (values.ndim - 1))


def mean(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Values of any shape → their mean, a scalar; ``weights`` (n,) as for ``weighted``."""
    return weighted(values, weights).sum() / max(1, values.numel())


def mean_by_class(
    values: Tensor, targets: Tensor, class_weights: Tensor | None, weights: Tensor | None = None
) -> Tensor:
    """(n,) values, (n,) int64, (classes,) or None → the mean weighted by each row's class.

    ``weights`` (n,): of each row by itself, as for ``weighted``.
    """
    if class_weights is None or len(values) == 0:
        return mean(values, weights)
    own = class_weights.to(values.dtype)[targets]
    return weighted(values * own, weights).sum() / own.sum()


def require_classes(logits: Tensor, targets: Tensor, loss: str) -> None:
    """Raise InputError unless there is the number of one class for each row of the logits."""
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise InputError(
            f"loss {loss} takes (n, classes) logits and the number of each row's class, (n,). Got "
            f"{tuple(logits.shape)} and {tuple(targets.shape)}; of shares, take cross_entropy"
        )


def require_same_shape(values: Tensor, targets: Tensor, loss: str) -> None:
    """Raise InputError unless both have one shape: torch would repeat the smaller silently."""
    if values.shape != targets.shape:
        raise InputError(
            f"loss {loss} takes values and targets of one shape. Got {tuple(values.shape)} and "
            f"{tuple(targets.shape)}; reshape one"
        )
