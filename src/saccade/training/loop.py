"""The training loop: a generator of records.

Whoever trains iterates over it; the progress bar, the history and the checkpoints are plain
consumers. Stopping to iterate stops training.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from saccade.augment import Augment
from saccade.data.batches import Batches
from saccade.data.stored import Pictures
from saccade.errors import NotFiniteError


@dataclass(frozen=True, slots=True)
class Record:
    """What happened in one step.

    ``epoch`` counts from 1, ``step`` from 0 over the whole run; ``gradient_norm`` is the L2 norm
    over all parameters before clipping; ``wait_s`` is the time spent on making the batches.
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


def steps_per_epoch(batches: Batches, accumulate: int) -> int:
    """Return how many steps the batches of an epoch give; the last may take fewer of them."""
    return -(-len(batches) // accumulate)


def train(
    task: nn.Module,
    pictures: Pictures,
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
    accumulate: int = 1,
    first_epoch: int = 0,
) -> Iterator[Record]:
    """Train ``task`` in place, yielding a Record after each step.

    ``pictures`` is (n, c, H, W) uint8 and ``targets`` (n,) int64; ``task(pictures, targets)`` gives
    the loss. ``schedule`` maps progress (0 to 1) to the share of each group's first learning rate.
    The gradients of ``accumulate`` batches are averaged over their pictures for one step.
    ``first_epoch`` continues a run whose weights and optimiser were restored. Raises
    NotFiniteError, naming the step and the parameter, when a loss or a gradient is not finite.
    """
    highest = [group.setdefault("highest_lr", group["lr"]) for group in optimiser.param_groups]
    per_epoch = steps_per_epoch(batches, accumulate)
    steps = epochs * per_epoch
    for epoch in range(first_epoch, epochs):
        generator = Generator().manual_seed(hash((seed, epoch)) % 2**63)
        task.train()
        draws = batches.epoch(epoch)
        for place in range(per_epoch):
            begun = time.perf_counter()
            step = epoch * per_epoch + place
            share = schedule((step + 1) / steps)
            for group, lr in zip(optimiser.param_groups, highest, strict=True):
                group["lr"] = lr * share
            optimiser.zero_grad(set_to_none=True)
            drawn = [torch.from_numpy(rows) for rows in islice(draws, accumulate)]
            count = sum(map(len, drawn))
            loss, waited = 0.0, time.perf_counter() - begun
            for index in drawn:
                asked = time.perf_counter()
                batch = make_batch(pictures, index, augment, generator)
                waited += time.perf_counter() - asked
                weight = len(index) / count
                loss += weight * _backward(task, batch, targets[index], precision, step, weight)
            norm = _move(task, optimiser, clip, step)
            yield Record(
                epoch=epoch + 1,
                step=step,
                loss=loss,
                gradient_norm=norm,
                lr=highest[0] * share,
                wait_s=waited,
                pictures_per_s=count / (time.perf_counter() - begun),
                epoch_ends=place == per_epoch - 1,
            )


def make_batch(pictures: Pictures, index: Tensor, augment: Augment, generator: Generator) -> Tensor:
    """Return the pictures of these rows, changed at random: (n, c, H, W) float, channels last."""
    batch = augment(pictures[index].float().div_(255), generator)
    return batch.contiguous(memory_format=torch.channels_last)


def _backward(
    task: nn.Module,
    batch: Tensor,
    targets: Tensor,
    precision: torch.dtype,
    step: int,
    weight: float,
) -> float:
    """Add the gradients of ``weight`` times the loss of one batch; returns the loss itself."""
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
        loss = task(batch, targets)
    value = float(loss.detach())
    if not torch.isfinite(loss.detach()):
        raise NotFiniteError(
            f"step {step}: the loss is {value}; lower optim.lr, or look at the data"
        )
    (loss * weight).backward()
    return value


def _move(task: nn.Module, optimiser: Optimizer, clip: float, step: int) -> float:
    """Clip the gradient and move the weights; returns the gradient's norm before clipping."""
    limit = clip if clip > 0 else float("inf")
    norm = float(nn.utils.clip_grad_norm_(task.parameters(), limit))
    if norm != norm or norm == float("inf"):
        raise NotFiniteError(f"step {step}: {_not_finite(task)}; lower optim.lr")
    optimiser.step()
    return norm


def _not_finite(task: nn.Module) -> str:
    for name, parameter in task.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"the gradient of {name} is not finite"
    return "the norm of the gradient is not finite"
