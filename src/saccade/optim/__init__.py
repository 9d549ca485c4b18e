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
    modules: Iterable[nn.Module],
    *,
    name: str,
    lr: float,
    weight_decay: float,
    slow: nn.Module | None = None,
    slow_share: float = 1.0,
) -> Optimizer:
    """Return the optimiser called ``name``; weight decay acts on weight matrices only.

    The weights of ``slow``, a part of the modules, take the share ``slow_share`` of the rate.
    Biases and normalisation weights (one dimension) are left alone, as is usual since
    He T. et al., "Bag of Tricks", 2018, arXiv:1812.01187, section 3.1.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    if slow is None or slow_share == 1.0:
        groups = _by_decay(parameters, lr, weight_decay)
    else:
        apart = {id(p) for p in slow.parameters()}
        groups = _by_decay([p for p in parameters if id(p) not in apart], lr, weight_decay)
        late = [p for p in parameters if id(p) in apart]
        groups += _by_decay(late, lr * slow_share, weight_decay)
    return look_up(OPTIMISERS, name, "optimiser")(groups, lr)


def _by_decay(
    parameters: list[nn.Parameter], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    matrices = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    return [
        {"params": matrices, "lr": lr, "weight_decay": weight_decay},
        {"params": others, "lr": lr, "weight_decay": 0.0},
    ]


def _adamw(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    return AdamW(groups, lr=lr, fused=True)


def _nesterov(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    return SGD(groups, lr=lr, momentum=NESTEROV_MOMENTUM, nesterov=True, fused=True)


OPTIMISERS = {"adamw": _adamw, "nesterov": _nesterov}
SCHEDULES = {"constant": constant, "cosine": cosine, "one_cycle": one_cycle}
