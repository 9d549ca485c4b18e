"""Masks as what a network learns: all of one size, as one tensor."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from saccade.data.batches import DECODE_THREADS, require_memory
from saccade.errors import InputError
from saccade.values import Sample, TrueMask, UInt8Array


def mask_targets(samples: Sequence[Sample], size_hw: tuple[int, int]) -> Tensor:
    """Return (n, H, W) uint8: numbers of classes, or VOID, of the nearest pixel of each mask.

    Raises InputError for a sample without a mask, for a mask that cannot be read, and where all
    take more memory than pictures may.
    """
    require_memory((len(samples), 1, *size_hw))
    targets = torch.empty((len(samples), *size_hw), dtype=torch.uint8)

    def fill(row: int) -> None:
        targets[row] = torch.from_numpy(resize_mask(mask_of(samples[row]).read(), size_hw))

    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        list(pool.map(fill, range(len(samples))))
    return targets


def mask_of(sample: Sample) -> TrueMask:
    """Return the mask of a sample, that must have one."""
    if sample.mask is None:
        raise InputError(f"{sample.path} has no mask, which a segmenter learns and is judged by")
    return sample.mask


def resize_mask(mask: UInt8Array, size_hw: tuple[int, int]) -> UInt8Array:
    """(H, W) uint8 → that size: each pixel is the one nearest to its middle, of two the later."""
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size_hw, mask.shape, strict=True)
    )
    found: UInt8Array = mask[rows[:, None], columns]
    return found
