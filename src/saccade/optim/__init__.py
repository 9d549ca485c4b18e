"""Optimisers, learning rates and regularisers by name."""

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from saccade.errors import SettingError
from saccade.names import look_up
from saccade.optim.optimisers import AVERAGED, FULL_BATCH, OPTIMISERS
from saccade.optim.regularisers import REGULARISERS, AfterStep, after_step
from saccade.optim.schedules import FINAL_SHARE, constant, cosine, one_cycle
from saccade.optim.whole import WholeLossOptimiser

__all__ = [
    "AVERAGED",
    "FINAL_SHARE",
    "FULL_BATCH",
    "OPTIMISERS",
    "REGULARISERS",
    "SCHEDULES",
    "AfterStep",
    "WholeLossOptimiser",
    "after_step",
    "make_optimiser",
    "one_cycle",
    "takes_whole_loss",
]


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
    He T. et al., "Bag of Tricks", 2018, arXiv:1812.01187, section 3.1. Raises UnknownNameError,
    SettingError for a share that the optimiser cannot give.
    """
    row = look_up(OPTIMISERS, name, "optimiser")
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    apart = set() if slow is None or slow_share == 1.0 else {id(p) for p in slow.parameters()}
    swift = [p for p in parameters if id(p) not in apart]
    late = [p for p in parameters if id(p) in apart]
    if takes_whole_loss(name):
        if late and slow_share:
            raise SettingError(
                f"optim.backbone_lr must be 1 or 0 for {name}, which takes all weights along one "
                f"direction. Got {slow_share} instead"
            )
        groups = [{"params": swift, "lr": lr, "weight_decay": weight_decay}]
    else:
        groups = _by_decay(swift, lr, weight_decay)
        groups += _by_decay(late, lr * slow_share, weight_decay) if apart else []
    optimiser: Optimizer = row.make(params=groups, lr=lr)
    return optimiser


def takes_whole_loss(name: str) -> bool:
    """True for the name of an optimiser that evaluates the whole loss many times for a step."""
    build = OPTIMISERS[name].build if name in OPTIMISERS else None
    return isinstance(build, type) and issubclass(build, WholeLossOptimiser)


def _by_decay(
    parameters: list[nn.Parameter], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    matrices = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    return [
        {"params": matrices, "lr": lr, "weight_decay": weight_decay},
        {"params": others, "lr": lr, "weight_decay": 0.0},
    ]


SCHEDULES = {"constant": constant, "cosine": cosine, "one_cycle": one_cycle}
