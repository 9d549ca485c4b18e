"""The training loop: a generator of records.

Whoever trains iterates over it; the progress bar, the history and the checkpoints are plain
consumers. Stopping to iterate stops training.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from saccade.data.batches import Batches
from saccade.data.stored import Pictures
from saccade.optim import AfterStep, WholeLossOptimiser
from saccade.training.step import BatchLosses, Changes, descend, move


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
    augment: Changes,
    optimiser: Optimizer,
    schedule: Callable[[float], float],
    epochs: int,
    clip: float,
    seed: int,
    precision: torch.dtype = torch.float32,
    accumulate: int = 1,
    first_epoch: int = 0,
    after_step: Sequence[AfterStep] = (),
    before_epoch: Sequence[Callable[[int], None]] = (),
    weights: Tensor | None = None,
) -> Iterator[Record]:
    """Train ``task`` in place, yielding a Record after each step.

    ``pictures`` is (n, c, H, W) uint8 and ``targets`` (n,) int64; ``task(pictures, targets)`` gives
    the loss; with ``weights`` (n,) float, mean 1, ``task(pictures, targets, weights)``.
    ``schedule`` maps progress (0 to 1) to the share of each group's first learning rate.
    The gradients of ``accumulate`` batches are averaged over their pictures for one step.
    A WholeLossOptimiser evaluates their loss as often as it likes, the same draws of the first
    epoch in every one, unclipped. ``after_step`` may change the weights once more after each step;
    ``before_epoch``, called with its number from 0, may say which weights learn in it.
    ``first_epoch`` continues a run whose weights and optimiser were restored. Raises
    NotFiniteError, naming the step and the parameter, when a loss or a gradient is not finite.
    """
    highest = [group.setdefault("highest_lr", group["lr"]) for group in optimiser.param_groups]
    per_epoch = steps_per_epoch(batches, accumulate)
    steps = epochs * per_epoch
    whole = isinstance(optimiser, WholeLossOptimiser)
    for epoch in range(first_epoch, epochs):
        drawn_epoch = 0 if whole else epoch  # Its loss is the same function at every step.
        generator = Generator().manual_seed(hash((seed, drawn_epoch)) % 2**63)
        task.train()
        for prepare in before_epoch:
            prepare(epoch)
        draws = batches.epoch(drawn_epoch)
        for place in range(per_epoch):
            begun = time.perf_counter()
            step = epoch * per_epoch + place
            share = schedule((step + 1) / steps)
            for group, lr in zip(optimiser.param_groups, highest, strict=True):
                group["lr"] = lr * share
            drawn = [torch.from_numpy(rows) for rows in islice(draws, accumulate)]
            losses = BatchLosses(
                task,
                pictures,
                targets,
                rows=drawn,
                augment=augment,
                generator=generator,
                precision=precision,
                seeds=(seed, place if whole else step),
                weights=weights,
            )
            waited = time.perf_counter() - begun
            if isinstance(optimiser, WholeLossOptimiser):
                loss, norm = descend(losses, optimiser, step)
            else:
                loss, norm = move(losses, optimiser, clip, step)
            for act in after_step:
                act(optimiser)
            yield Record(
                epoch=epoch + 1,
                step=step,
                loss=loss,
                gradient_norm=norm,
                lr=highest[0] * share,
                wait_s=waited + losses.wait_s,
                pictures_per_s=sum(map(len, drawn)) / (time.perf_counter() - begun),
                epoch_ends=place == per_epoch - 1,
            )
