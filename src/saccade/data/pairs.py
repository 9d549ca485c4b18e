"""Draws of pairs and triplets of pictures from their classes, for networks that compare.

Pairs: Koch, Zemel, Salakhutdinov, "Siamese Neural Networks for One-shot Image Recognition", 2015:
as many of one class as of two. Triplets: Schroff, Kalenichenko, Philbin, "FaceNet", 2015,
arXiv:1503.03832, section 3.1. We draw classes evenly, however many pictures they have.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.values import IntArray


class PicturePairs(NamedTuple):
    """Rows of two pictures each, (n,) int64, and whether they show one class, (n,) bool."""

    first: IntArray
    second: IntArray
    same: NDArray[np.bool_]


class PictureTriplets(NamedTuple):
    """Rows of an anchor, another picture of its class, and one of another class: (n,) int64."""

    anchor: IntArray
    positive: IntArray
    negative: IntArray


class SiameseDraws:
    """Pairs and triplets of rows of ``targets``, (n,) int64 classes, by the generator given.

    Raises InputError when no class has two pictures, or there is only one class.
    """

    def __init__(self, targets: IntArray) -> None:
        _, self.counts = np.unique(targets, return_counts=True)
        self.rows: IntArray = np.argsort(targets, kind="stable")  # class by class
        self.starts = np.cumsum(self.counts) - self.counts
        self.paired = np.flatnonzero(self.counts > 1)
        if len(self.counts) < 2:
            raise InputError(
                f"there is no pair of two classes: the pictures show {len(self.counts)}; "
                "add pictures of another class"
            )
        if len(self.paired) == 0:
            raise InputError(
                f"there is no pair of one class: each of {len(self.counts)} classes has one "
                "picture; add a second of some"
            )

    def pairs(self, count: int, draw: np.random.Generator) -> PicturePairs:
        """Return ``count`` pairs, every other one of one class, beginning with one."""
        _, first, second = self._two_of_one(count - count // 2, draw)
        chosen = draw.integers(len(self.counts), size=count // 2)
        rows = np.empty((2, count), np.int64)
        rows[:, 0::2] = first, second
        rows[:, 1::2] = self._one_of(chosen, draw), self._one_of_others(chosen, draw)
        return PicturePairs(rows[0], rows[1], np.arange(count) % 2 == 0)

    def triplets(self, count: int, draw: np.random.Generator) -> PictureTriplets:
        """Return ``count`` triplets; every class with two pictures or more gives anchors."""
        chosen, anchor, positive = self._two_of_one(count, draw)
        return PictureTriplets(anchor, positive, self._one_of_others(chosen, draw))

    def _two_of_one(
        self, count: int, draw: np.random.Generator
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Return classes with two pictures or more, and two unequal rows of each."""
        chosen = draw.choice(self.paired, count)
        counts = self.counts[chosen]
        first = draw.integers(counts)
        second = (first + draw.integers(1, counts)) % counts
        starts = self.starts[chosen]
        return chosen, self.rows[starts + first], self.rows[starts + second]

    def _one_of(self, chosen: IntArray, draw: np.random.Generator) -> IntArray:
        found: IntArray = self.rows[self.starts[chosen] + draw.integers(self.counts[chosen])]
        return found

    def _one_of_others(self, chosen: IntArray, draw: np.random.Generator) -> IntArray:
        classes = len(self.counts)
        step = draw.integers(1, classes, size=len(chosen))
        return self._one_of((chosen + step) % classes, draw)


SAMPLERS = {"pairs": SiameseDraws.pairs, "triplets": SiameseDraws.triplets}
