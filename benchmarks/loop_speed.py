"""The training loop beside the plainest one in PyTorch, and beside the bare network.

Three loops train the same network (small_resnet, width 32, arcface, AdamW) on the same generated
pictures with batches of 64, for one epoch each in turn; the first turn is not counted. Figures are
medians over the turns, of the ratios too: many short turns, so that noise meets all three alike.

- saccade: the package's loop; pictures decoded once into memory, whole batches changed at random,
  channels last, the format that `auto` measures as the faster.
- plain: torchvision's ImageFolder on PNG files, its random affine map, light and erasing on each
  picture, a DataLoader with two workers that are kept, float32, nothing else.
- bare: forward, backward and optimiser step on one batch in memory, in saccade's format and layout.

The share of a step by part: making the batch (draw, gather, augment) against the rest (forward,
backward, clip, optimiser step).
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _shared import run
from _tutorial import AUGMENT, random_changes
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from saccade.augment import Augment
from saccade.data.batches import BalancedBatches, load_pictures
from saccade.optim import make_optimiser
from saccade.tasks.embed import EmbeddingNetwork, EmbedTask
from saccade.training.loop import train
from saccade.training.precision import faster_precision

CLASSES, BATCH, WORKERS = 16, 64, 2
# Channels, sides, and pictures an epoch in the whole and in the small version.
CASES = {"28x28 grey": (1, 28, 1024, 512), "96x96 colour": (3, 96, 256, 128)}
TURNS, SMALL_TURNS = 25, 3


def main(small: bool) -> dict[str, Any]:
    """Time each case; print a line a loop and return the figures."""
    turns = SMALL_TURNS if small else TURNS
    figures = {}
    for name, (channels, side, count, small_count) in CASES.items():
        pictures = small_count if small else count
        with tempfile.TemporaryDirectory() as temporary:
            write_pictures(Path(temporary), channels=channels, side=side, count=pictures)
            figures[name] = compare(Path(temporary), channels=channels, side=side, turns=turns)
        tell(name, pictures, turns, figures[name])
    return figures


def write_pictures(root: Path, *, channels: int, side: int, count: int) -> None:
    """Write CLASSES folders of smooth random pictures as PNG files."""
    draw = np.random.default_rng(0)
    for number in range(count):
        small = draw.integers(0, 256, (side // 4, side // 4, channels), dtype=np.uint8)
        image = Image.fromarray(small[:, :, 0] if channels == 1 else small)
        folder = root / f"{number % CLASSES:02}"
        folder.mkdir(exist_ok=True)
        image.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number}.png")


def compare(root: Path, *, channels: int, side: int, turns: int) -> dict[str, Any]:
    """Run the three loops in turn; returns pictures per second, ratios, and the parts of a step."""
    begun = time.perf_counter()
    paths = sorted(root.rglob("*.png"))
    pictures = load_pictures(paths, size_hw=(side, side), channels=channels)
    decode_s = time.perf_counter() - begun
    targets = torch.tensor([int(path.parent.name) for path in paths])
    task = build(channels, side).to(memory_format=torch.channels_last)
    precision = faster_precision(task, pictures[:BATCH].float() / 255, targets[:BATCH])
    waits: list[float] = []
    loops: dict[str, Callable[[], int]] = {
        "saccade": saccade_loop(task, pictures, targets, precision, turns, waits),
        "plain": plain_loop(root, channels, side),
        "bare": bare_loop(channels, side, pictures, targets, precision),
    }
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(1 + turns):
        for name, epoch in loops.items():
            begun = time.perf_counter()
            done = epoch()
            rates[name].append(done / (time.perf_counter() - begun))
    medians = {name: statistics.median(values[1:]) for name, values in rates.items()}
    return {
        "pictures_per_s": medians,
        "precision": str(precision).removeprefix("torch."),
        "decode_s": decode_s,
        "to_plain": ratio(rates, "plain"),
        "to_bare": ratio(rates, "bare"),
        "batch_share": statistics.median(waits[1:]),
    }


def ratio(rates: dict[str, list[float]], other: str) -> float:
    """The median over the turns of how much faster saccade was than ``other`` in the same turn."""
    pairs = zip(rates["saccade"][1:], rates[other][1:], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def build(channels: int, side: int) -> EmbedTask:
    """Return the task, with the same first weights each time."""
    torch.manual_seed(0)
    network = EmbeddingNetwork(
        backbone="small_resnet", width=32, dimension=128, channels=channels, size_hw=(side, side)
    )
    return EmbedTask(network, loss="arcface", classes=CLASSES, margin=0.3, scale=16.0)


def optimiser_of(task: EmbedTask) -> torch.optim.Optimizer:
    """AdamW on all that is trained, as each of the loops has it."""
    return make_optimiser([task], name="adamw", lr=1e-3, weight_decay=0.05)


def saccade_loop(
    task: EmbedTask,
    pictures: Tensor,
    targets: Tensor,
    precision: torch.dtype,
    turns: int,
    waits: list[float],
) -> Callable[[], int]:
    """An epoch of the package's loop; adds to ``waits`` the share spent on making batches."""
    batches = BalancedBatches(
        targets.numpy(), classes_per_batch=16, pictures_per_class=BATCH // 16, seed=0
    )
    records = train(
        task,
        pictures,
        targets,
        batches=batches,
        augment=Augment(**vars(AUGMENT)),
        optimiser=optimiser_of(task),
        schedule=lambda progress: 1.0,
        epochs=1 + turns,
        clip=5.0,
        seed=0,
        precision=precision,
    )

    def epoch() -> int:
        begun = time.perf_counter()
        wait = sum(record.wait_s for record in itertools.islice(records, len(batches)))
        waits.append(wait / (time.perf_counter() - begun))
        return len(batches) * BATCH

    return epoch


def plain_loop(root: Path, channels: int, side: int) -> Callable[[], int]:
    """An epoch of the loop that a tutorial would write."""
    grey = [transforms.Grayscale()] if channels == 1 else []
    loader = DataLoader(
        ImageFolder(root, transforms.Compose([*grey, *random_changes()])),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    task = build(channels, side).train()
    optimiser = optimiser_of(task)

    def epoch() -> int:
        done = 0
        for pictures, targets in loader:
            optimiser.zero_grad()
            task(pictures, targets).backward()
            optimiser.step()
            done += len(pictures)
        return done

    return epoch


def bare_loop(
    channels: int, side: int, pictures: Tensor, targets: Tensor, precision: torch.dtype
) -> Callable[[], int]:
    """As many steps as an epoch has, all on one batch that is ready."""
    task = build(channels, side).to(memory_format=torch.channels_last).train()
    optimiser = optimiser_of(task)
    every = len(pictures) // BATCH
    batch = (pictures[::every][:BATCH].float() / 255).contiguous(memory_format=torch.channels_last)
    wanted = targets[::every][:BATCH]

    def epoch() -> int:
        for _ in range(every):
            optimiser.zero_grad()
            with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
                loss = task(batch, wanted)
            loss.backward()
            optimiser.step()
        return every * BATCH

    return epoch


def tell(name: str, count: int, turns: int, found: dict[str, Any]) -> None:
    """Print one case."""
    rates = "   ".join(f"{k} {v:.0f}" for k, v in found["pictures_per_s"].items())
    print(f"{name}, {count} pictures, {turns} turns, saccade in {found['precision']}")
    print(f"  pictures per second   {rates}")
    print(f"  saccade to plain {found['to_plain']:.2f}   saccade to bare {found['to_bare']:.2f}")
    batch = found["batch_share"]
    print(f"  a step: {batch:.0%} making the batch, {1 - batch:.0%} learning", flush=True)
    print(f"  saccade decodes all pictures once, {found['decode_s']:.2f} s, not counted above")


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
