"""The plainest competitor on a run's own ground: the training picture whose pixels are nearest."""

import math

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from saccade import scan
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken
from saccade.errors import InputError
from saccade.tasks.model import Model
from saccade.tasks.neighbours import MOST_NUMBERS
from saccade.values import IntArray, Sample


class PixelNeighbours:
    """The readable ones of ``samples``, to be compared with by the L2 distance of their bytes.

    Of a classifier only those of its classes. Raises InputError where none is left.
    """

    def __init__(self, samples: list[Sample], model: Model) -> None:
        if model.classes is not None:
            samples = [sample for sample in samples if sample.label in model.classes]
        pictures, reasons = load_readable(samples, size_hw=model.size_hw, channels=model.channels)
        self.samples, _ = part_broken(samples, reasons)
        if not self.samples:
            raise InputError("none of the pictures that the run has learned from can be read")
        self.rows = _bytes(pictures)

    def nearest(self, pictures: Tensor) -> IntArray:
        """(n, c, H, W) uint8 of the model's size → the place in ``samples`` of each one's nearest.

        Of equally near pictures the first counts.
        """
        threads = torch.get_num_threads()
        asked = _bytes(pictures)
        _, places = scan.neighbours(
            scan.kernel(), self.rows.numpy(), asked.numpy(), 1, "l2", threads=threads
        )
        return places[:, 0].astype(np.int64)


def _bytes(pictures: Tensor) -> Tensor:
    """(n, c, H, W) uint8 → (n, numbers) uint8, made smaller where the search takes no more."""
    numbers = math.prod(pictures.shape[1:])
    if numbers > MOST_NUMBERS:
        share = math.sqrt(MOST_NUMBERS / numbers)
        sides = [max(1, int(share * side)) for side in pictures.shape[2:]]
        pictures = v2.functional.resize(pictures, sides, antialias=True)
    return pictures.flatten(1).contiguous()
