"""One step of the loop: the losses of its batches, and the move that they make."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from saccade.data.stored import Pictures
from saccade.errors import NotFiniteError
from saccade.optim import WholeLossOptimiser
from saccade.training.draws import own_draws


class Changes(Protocol):
    """Random changes of a batch, drawn from a generator."""

    def with_targets(
        self, pictures: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Change pictures (n, c, H, W) float in [0, 1], and targets where they follow."""


def make_batch(
    pictures: Pictures, targets: Tensor, index: Tensor, augment: Changes, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Return pictures of these rows, changed at random, and their targets.

    (n, c, H, W) float, channels last.
    """
    batch, wanted = augment.with_targets(
        pictures[index].float().div_(255), targets[index], generator
    )
    return batch.contiguous(memory_format=torch.channels_last), wanted


class BatchLosses:
    """Iterate for the loss of each batch of a step, with its graph, and its share of the pictures.

    ``rows`` are those of each batch, (n,) int64; ``weights`` of all pictures, if any, go to a task
    that takes them. Every iteration draws the same changes and the
    same chance inside the network, by ``generator`` as it is now and by ``seeds``. ``wait_s`` is
    the time that was spent on making the batches.
    """

    def __init__(
        self,
        task: nn.Module,
        pictures: Pictures,
        targets: Tensor,
        *,
        rows: Sequence[Tensor],
        augment: Changes,
        generator: Generator,
        precision: torch.dtype,
        seeds: tuple[int, ...],
        weights: Tensor | None = None,
    ) -> None:
        self.task, self.pictures, self.targets, self.rows = task, pictures, targets, rows
        self.augment, self.generator = augment, generator
        self.precision, self.seeds = precision, seeds
        self.weights = weights
        self.state = generator.get_state()
        self.wait_s = 0.0

    def __iter__(self) -> Iterator[tuple[Tensor, float]]:
        """Yield (loss, share), one batch after the other."""
        self.generator.set_state(self.state)
        count = sum(map(len, self.rows))
        for place, index in enumerate(self.rows):
            asked = time.perf_counter()
            batch, targets = make_batch(
                self.pictures, self.targets, index, self.augment, self.generator
            )
            self.wait_s += time.perf_counter() - asked
            half = self.precision != torch.float32
            with (
                own_draws(*self.seeds, place),
                torch.autocast("cpu", dtype=self.precision, enabled=half),
            ):
                if self.weights is None:
                    loss = self.task(batch, targets)
                else:
                    loss = self.task(batch, targets, self.weights[index])
            yield loss, len(index) / count


def move(losses: BatchLosses, optimiser: Optimizer, clip: float, step: int) -> tuple[float, float]:
    """Move the weights along the gradient, clipped; returns the loss, and the norm before that."""
    optimiser.zero_grad(set_to_none=True)
    total = 0.0
    for loss, share in losses:
        value = float(loss.detach())
        _require_finite_loss(value, step)
        torch.autograd.backward(loss * share)
        total += share * value
    limit = clip if clip > 0 else float("inf")
    norm = float(nn.utils.clip_grad_norm_(losses.task.parameters(), limit))
    if not math.isfinite(norm):
        raise NotFiniteError(f"step {step}: {_not_finite(losses.task)}; lower optim.lr")
    optimiser.step()
    return total, norm


def descend(losses: BatchLosses, optimiser: WholeLossOptimiser, step: int) -> tuple[float, float]:
    """Let the optimiser evaluate the losses as it likes; returns what ``move`` does.

    What the network gathers while it is trained, as the means and variances of batch normalisation,
    it gathers once, at the weights that are reached.
    """
    gathered = {name: value.clone() for name, value in losses.task.named_buffers()}
    loss, norm = optimiser.descend(lambda: (loss * share for loss, share in losses))
    _require_finite_loss(loss, step)
    if not math.isfinite(norm):
        raise NotFiniteError(f"step {step}: the norm of the gradient is not finite; lower optim.lr")
    with torch.no_grad():
        for name, value in losses.task.named_buffers():
            value.copy_(gathered[name])
        for _ in losses if gathered else ():
            pass
    return loss, norm


def _require_finite_loss(value: float, step: int) -> None:
    if not math.isfinite(value):
        raise NotFiniteError(
            f"step {step}: the loss is {value}; lower optim.lr, or look at the data"
        )


def _not_finite(task: nn.Module) -> str:
    for name, parameter in task.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"the gradient of {name} is not finite"
    return "the norm of the gradient is not finite"
