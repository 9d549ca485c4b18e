"""Optimisers by name, and the one-cycle learning rate."""

import math
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from saccade.names import look_up

NESTEROV_MOMENTUM = 0.9
FINAL_SHARE = 1e-3


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


def one_cycle(progress: float, *, warm_up: float) -> float:
    """Return the share of the highest rate at ``progress`` (0 to 1) through the run.

    Rises as half a cosine over the first ``warm_up`` share, then falls as half a cosine to
    FINAL_SHARE. Smith, "A disciplined approach", 2018, arXiv:1803.09820; we differ: cosine flanks
    and a fixed momentum.
    """
    if progress < warm_up:
        return FINAL_SHARE + (1 - FINAL_SHARE) * (1 - math.cos(math.pi * progress / warm_up)) / 2
    fall = (progress - warm_up) / (1 - warm_up)
    return FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * min(fall, 1.0))) / 2


def _adamw(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    return AdamW(groups, lr=lr)


def _nesterov(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    return SGD(groups, lr=lr, momentum=NESTEROV_MOMENTUM, nesterov=True)


OPTIMISERS = {"adamw": _adamw, "nesterov": _nesterov}
