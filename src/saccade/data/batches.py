"""Pictures as one uint8 tensor, and the draws that make training batches of it."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from saccade.data.pictures import read_picture, resize
from saccade.errors import InputError, PictureError
from saccade.values import IntArray, Sample

MAX_BYTES = 8 << 30
DECODE_THREADS = 4


def load_pictures(
    samples: Sequence[Path | Sample], *, size_hw: tuple[int, int], channels: int
) -> Tensor:
    """Decode every picture once: (n, channels, H, W) uint8, in the order given.

    Raises PictureError naming the first that cannot be read, InputError when the pictures would
    take more than MAX_BYTES.
    """
    pictures, broken = load_readable(samples, size_hw=size_hw, channels=channels)
    for reason in broken.values():
        raise PictureError(reason)
    return pictures


def load_readable(
    samples: Sequence[Path | Sample], *, size_hw: tuple[int, int], channels: int
) -> tuple[Tensor, dict[int, str]]:
    """Decode every picture that can be: (m, channels, H, W) uint8, in the order given.

    Also returns why not, by the place in ``samples``, for each of the n - m that are left out.
    Raises InputError when the pictures would take more than MAX_BYTES.
    """
    height, width = size_hw
    require_memory((len(samples), channels, height, width))
    pictures = torch.empty((len(samples), channels, height, width), dtype=torch.uint8)

    def fill(row: int) -> str:
        try:
            pixels = resize(read_picture(samples[row]), size_hw, channels)
        except PictureError as error:
            return str(error)
        pictures[row] = torch.from_numpy(pixels)
        return ""

    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        reasons = list(pool.map(fill, range(len(samples))))
    broken = {row: reason for row, reason in enumerate(reasons) if reason}
    if broken:
        pictures = pictures[[row for row in range(len(samples)) if row not in broken]]
    return pictures, broken


def require_memory(shape: tuple[int, int, int, int]) -> None:
    """Raise InputError when pictures (n, c, H, W) uint8 would take more than MAX_BYTES."""
    count, _, height, width = shape
    size_bytes = math.prod(shape)
    if size_bytes > MAX_BYTES:
        raise InputError(
            f"{count:,} pictures of {height}x{width} take {size_bytes / 2**30:.0f} GiB, "
            f"more than {MAX_BYTES >> 30}; set a smaller data.size"
        )


class Batches(Protocol):
    """Draws of rows for training; the same for the same seed and epoch."""

    def __len__(self) -> int:
        """Batches an epoch."""

    def epoch(self, number: int) -> Iterator[IntArray]:
        """Yield the rows of each batch of epoch ``number``, (batch,) int64."""


class ShuffledBatches:
    """Each picture once an epoch, in a new order; the sizes of the batches differ by one at most.

    No batch is left with one picture, from which batch normalisation could learn nothing: of an odd
    number in twos, one batch has three.
    """

    def __init__(self, pictures: int, *, batch_size: int, seed: int) -> None:
        self.pictures, self.seed = pictures, seed
        self.batches = max(1, min(math.ceil(pictures / batch_size), pictures // 2))

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.batches

    def epoch(self, number: int) -> Iterator[IntArray]:
        """Yield the rows of each batch of epoch ``number``, int64."""
        order = np.random.default_rng((self.seed, number)).permutation(self.pictures)
        yield from np.array_split(order, self.batches)


class BalancedBatches:
    """Batches with the same number of pictures of each of a few classes.

    With fewer classes than ``classes_per_batch`` every class is in each batch and brings more
    pictures, so that the batch keeps its size. A class with too few pictures repeats them;
    augmentation makes the copies differ. The draws depend on the seed and the epoch only.
    """

    def __init__(
        self, targets: IntArray, *, classes_per_batch: int, pictures_per_class: int, seed: int
    ) -> None:
        self.rows = [np.flatnonzero(targets == target) for target in range(int(targets.max()) + 1)]
        self.classes = min(classes_per_batch, len(self.rows))
        self.pictures = classes_per_batch * pictures_per_class // self.classes
        self.batches = math.ceil(len(targets) / (self.classes * self.pictures))
        self.seed = seed

    def __len__(self) -> int:
        """Batches an epoch: as many as it takes to draw each picture once on average."""
        return self.batches

    def epoch(self, number: int) -> Iterator[IntArray]:
        """Yield the rows of each batch of epoch ``number``: (classes * pictures,) int64."""
        draw = np.random.default_rng((self.seed, number))
        order: list[int] = []
        for _ in range(self.batches):
            if len(order) < self.classes:
                rest = np.setdiff1d(np.arange(len(self.rows)), order)
                order = order + draw.permutation(rest).tolist()
            chosen, order = order[: self.classes], order[self.classes :]
            yield np.concatenate([self._draw(self.rows[label], draw) for label in chosen])

    def _draw(self, rows: IntArray, draw: np.random.Generator) -> IntArray:
        repeats = math.ceil(self.pictures / len(rows))
        return np.concatenate([draw.permutation(rows) for _ in range(repeats)])[: self.pictures]
