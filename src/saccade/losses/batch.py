"""What losses do with a batch: its number format, its mean (0 when it is empty), its shapes."""

import torch
from torch import Tensor

from saccade.errors import InputError


def wide(values: Tensor) -> Tensor:
    """Return the values in float32, float64 as it is: half floats are too short for distances."""
    return values if values.dtype == torch.float64 else values.float()


def mean(values: Tensor) -> Tensor:
    """Values of any shape → their mean, a scalar."""
    return values.sum() / max(1, values.numel())


def mean_by_class(values: Tensor, targets: Tensor, class_weights: Tensor | None) -> Tensor:
    """(n,) values, (n,) int64, (classes,) or None → the mean weighted by each row's class."""
    if class_weights is None or len(values) == 0:
        return mean(values)
    own = class_weights.to(values.dtype)[targets]
    return (values * own).sum() / own.sum()


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
