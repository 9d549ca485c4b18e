"""The training loop: a generator of records.

Whoever trains iterates over it; the progress bar, the history and the checkpoints are plain
consumers. Stopping to iterate stops training.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from saccade.augment import Augment
from saccade.data.batches import Batches
from saccade.errors import NotFiniteError


@dataclass(frozen=True, slots=True)
class Record:
    """What happened in one step.

    ``epoch`` counts from 1, ``step`` from 0 over the whole run; ``gradient_norm`` is the L2 norm
    over all parameters before clipping; ``wait_s`` is the time spent on making the batch.
    """

    epoch: int
    step: int
    loss: float
    gradient_norm: float
    lr: float
    wait_s: float
    pictures_per_s: float
    epoch_ends: bool

    def to_json(self) -> dict[str, Any]:
        """The record as plain values, floats to seven digits."""
        return {
            k: float(f"{v:.7g}") if isinstance(v, float) else v for k, v in asdict(self).items()
        }


def train(
    task: nn.Module,
    pictures: Tensor,
    targets: Tensor,
    *,
    batches: Batches,
    augment: Augment,
    optimiser: Optimizer,
    schedule: Callable[[float], float],
    epochs: int,
    clip: float,
    seed: int,
    precision: torch.dtype = torch.float32,
    first_epoch: int = 0,
) -> Iterator[Record]:
    """Train ``task`` in place, yielding a Record after each step.

    ``pictures`` is (n, c, H, W) uint8 and ``targets`` (n,) int64; ``task(pictures, targets)`` gives
    the loss. ``schedule`` maps progress (0 to 1) to the share of each group's first learning rate.
    ``first_epoch`` continues a run whose weights and optimiser were restored. Raises
    NotFiniteError, naming the step and the parameter, when a loss or a gradient is not finite.
    """
    highest = [group.setdefault("highest_lr", group["lr"]) for group in optimiser.param_groups]
    steps = epochs * len(batches)
    for epoch in range(first_epoch, epochs):
        generator = Generator().manual_seed(hash((seed, epoch)) % 2**63)
        task.train()
        for place, rows in enumerate(batches.epoch(epoch)):
            begun = time.perf_counter()
            step = epoch * len(batches) + place
            share = schedule((step + 1) / steps)
            for group, lr in zip(optimiser.param_groups, highest, strict=True):
                group["lr"] = lr * share
            index = torch.from_numpy(rows)
            batch = augment(pictures[index].float() / 255, generator)
            batch = batch.contiguous(memory_format=torch.channels_last)
            waited = time.perf_counter()
            loss, norm = _step(task, batch, targets[index], optimiser, clip, precision, step)
            now = time.perf_counter()
            yield Record(
                epoch=epoch + 1,
                step=step,
                loss=loss,
                gradient_norm=norm,
                lr=highest[0] * share,
                wait_s=waited - begun,
                pictures_per_s=len(index) / (now - begun),
                epoch_ends=place == len(batches) - 1,
            )


def _step(
    task: nn.Module,
    batch: Tensor,
    targets: Tensor,
    optimiser: Optimizer,
    clip: float,
    precision: torch.dtype,
    step: int,
) -> tuple[float, float]:
    """Forward, backward, clip, move; returns the loss and the gradient's norm before clipping."""
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        loss = task(batch, targets)
    value = float(loss.detach())
    if not torch.isfinite(loss.detach()):
        raise NotFiniteError(
            f"step {step}: the loss is {value}; lower optim.lr, or look at the data"
        )
    loss.backward()
    limit = clip if clip > 0 else float("inf")
    norm = float(nn.utils.clip_grad_norm_(task.parameters(), limit))
    if norm != norm or norm == float("inf"):
        raise NotFiniteError(f"step {step}: {_not_finite(task)}; lower optim.lr")
    optimiser.step()
    return value, norm


def _not_finite(task: nn.Module) -> str:
    for name, parameter in task.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"the gradient of {name} is not finite"
    return "the norm of the gradient is not finite"
