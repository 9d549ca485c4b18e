"""Optimisers and learning rates by name."""

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from saccade.names import look_up
from saccade.optim.schedules import FINAL_SHARE, constant, cosine, one_cycle

__all__ = ["FINAL_SHARE", "OPTIMISERS", "SCHEDULES", "make_optimiser", "one_cycle"]

NESTEROV_MOMENTUM = 0.9


def make_optimiser(
    modules: Iterable[nn.Module], *, name: str, lr: float, weight_decay: float
) -> Optimizer:
    """Return the optimiser called ``name``; weight decay acts on weight matrices only.

    Biases and normalisation weights (one dimension) are left alone, as is usual since
    He T. et al., "Bag of Tricks", 2018, arXiv:1812.01187, section 3.1.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return look_up(OPTIMISERS, name, "optimiser")(groups, lr)


def _adamw(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    return AdamW(groups, lr=lr)


def _nesterov(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    return SGD(groups, lr=lr, momentum=NESTEROV_MOMENTUM, nesterov=True)


OPTIMISERS = {"adamw": _adamw, "nesterov": _nesterov}
SCHEDULES = {"constant": constant, "cosine": cosine, "one_cycle": one_cycle}
