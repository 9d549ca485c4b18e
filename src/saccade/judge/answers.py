"""A classifier's answers, picture by picture: the surest mistakes, and when it stays silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.judge.resampling import share_intervals
from saccade.values import IntArray, Interval

WORST = 24
AT_LEAST = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
IN_CELL = 6  # pictures of a cell of the confusion matrix that are kept
CELLS = 100  # cells of which any are kept, those with most mistakes first


@dataclass(frozen=True, slots=True)
class Abstention:
    """What is left when answers below the probability ``at_least`` are withheld.

    ``answered``: share of pictures still answered; ``accuracy`` among them, None when there is
    none.
    """

    at_least: float
    answered: float
    accuracy: Interval | None


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A picture (its number) that was given a wrong class, with the probabilities of both.

    A probability is None where the answers came without.
    """

    picture: int
    truth: str
    truth_probability: float | None
    answer: str
    probability: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """Pictures in one cell of the confusion matrix: how many, and the numbers of the surest."""

    truth: int
    answer: int
    count: int
    pictures: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Numbers of the true classes and of those answered, (n,) each.

    ``sure`` (n,): the probability of each answer, and ``shares`` (n, k): those of all classes;
    None where the answers came without.
    """

    truth: IntArray
    given: IntArray
    sure: NDArray[np.float64] | None = None
    shares: NDArray[np.float64] | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,): whether each picture was given its class."""
        return np.asarray(self.truth == self.given)

    def of(self, places: IntArray) -> "Answers":
        """Return those of some pictures, by their numbers."""
        return Answers(
            self.truth[places],
            self.given[places],
            None if self.sure is None else self.sure[places],
            None if self.shares is None else self.shares[places],
        )

    def by_sureness(self) -> IntArray:
        """(n,): the pictures' numbers, the surest answer first."""
        return np.arange(len(self.truth)) if self.sure is None else _falling(self.sure)

    def abstention(self, **how: Any) -> tuple[Abstention, ...]:
        """Return what is left at each limit of AT_LEAST; nothing without probabilities.

        ``how``: groups, seed, resamples and level of ``share_intervals``.
        """
        if self.sure is None:
            return ()
        kept = self.sure[:, None] >= np.array(AT_LEAST)
        found = share_intervals(np.broadcast_to(self.right[:, None], kept.shape), kept, **how)
        answered = kept.mean(axis=0).tolist()
        return tuple(map(Abstention, AT_LEAST, answered, found))

    def mistakes(self, classes: Sequence[str]) -> tuple[WrongAnswer, ...]:
        """Return at most WORST wrong answers, surest first."""
        order = self.by_sureness()
        return tuple(
            WrongAnswer(
                picture=number,
                truth=classes[self.truth[number]],
                truth_probability=None
                if self.shares is None
                else float(self.shares[number, self.truth[number]]),
                answer=classes[self.given[number]],
                probability=None if self.sure is None else float(self.sure[number]),
            )
            for number in order[~self.right[order]][:WORST].tolist()
        )

    def typical(self, classes: int) -> tuple[int, ...]:
        """Return for each class its picture answered right most surely, -1 for none."""
        found = [-1] * classes
        for number in self.by_sureness()[::-1].tolist():
            if self.right[number]:
                found[self.truth[number]] = number
        return tuple(found)

    def cells(self, classes: int) -> tuple[Cell, ...]:
        """Return the cells of the confusion matrix with their surest pictures.

        At most CELLS of them, mistakes before right answers, those with most pictures first.
        """
        order = self.by_sureness()
        place = self.truth[order] * classes + self.given[order]
        cells, counts = np.unique(place, return_counts=True)
        on_diagonal = cells // classes == cells % classes
        chosen = np.lexsort((-counts, on_diagonal))[:CELLS]
        return tuple(
            Cell(
                int(cells[one] // classes),
                int(cells[one] % classes),
                int(counts[one]),
                tuple(order[np.flatnonzero(place == cells[one])[:IN_CELL]].tolist()),
            )
            for one in chosen
        )


def _falling(values: NDArray[np.float64]) -> IntArray:
    return np.argsort(-values, kind="stable")
