"""Open-set search: who is enrolled is found, who is not is called unknown; at what rates?

False positive and false negative identification rates, FPIR and FNIR: ISO/IEC 19795-1; P. Grother,
M. Ngan, K. Hanaoka, "Face Recognition Vendor Test, part 2: Identification", NISTIR 8271, section
3.1. Each search counts twice: with its identity enrolled, and, as a stranger's, with that one left
out. Searches of one identity are drawn together, and each draw finds its own thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.judge.protocol import OneShot
from saccade.judge.resampling import effective_interval, resampled_counts, spread
from saccade.values import Interval

RATES = (0.3, 0.1, 0.05, 0.03, 0.01, 0.003, 0.001)
FEWEST = 5  # false alarms that a rate must allow, or it cannot be told


@dataclass(frozen=True, slots=True)
class OpenSetPoint:
    """The share of strangers ``fpir`` that may be taken for somebody, and the threshold for that.

    A search is accepted above ``threshold``. ``fnir``: of the searches of who is enrolled, the
    share that finds nobody or somebody else first.
    """

    fpir: float
    threshold: float
    fnir: Interval


@dataclass(frozen=True, slots=True)
class OpenSet:
    """The points of the curve, where strangers are searched among ``enrolled`` identities."""

    enrolled: int
    searches: int
    points: tuple[OpenSetPoint, ...]

    @property
    def sentence(self) -> str:
        """The strictest point in words; empty without one."""
        if not self.points:
            return ""
        last = self.points[-1]
        return (
            f"with {self.enrolled:,} enrolled and {100 * last.fpir:g} % of strangers taken for "
            f"one of them, FNIR {last.fnir}"
        )


def judge_open_set(run: OneShot, *, seed: int, resamples: int, level: float) -> OpenSet:
    """Judge the searches of ``run`` at each of RATES that they can tell."""
    n = len(run.rank)
    rates = tuple(rate for rate in RATES if rate * n >= FEWEST)
    falling = np.argsort(-run.rival_similarity, kind="stable")
    found = np.where(run.rank == 1, run.similarity, -np.inf)
    searches = Searches(run.rival_similarity[falling], found[falling], rates)
    values, thresholds = searches.missed(np.ones((n, 1)))
    names = [str(one) for one in run.identity[falling].tolist()]
    draws = [
        searches.missed(counts)[0]
        for counts in resampled_counts(n, groups=names, seed=seed, resamples=resamples)
    ]
    wide = spread(np.concatenate(draws)) if rates else np.zeros(0)
    units = len(run.searched)
    return OpenSet(
        enrolled=len(run.names) - 1,
        searches=n,
        points=tuple(
            OpenSetPoint(
                rate,
                float(thresholds[0, place]),
                effective_interval(
                    float(values[0, place]), float(wide[place]), n=units, even=units, level=level
                ),
            )
            for place, rate in enumerate(rates)
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Searches in the order of their falling ``rival`` similarity (n,).

    ``found`` (n,): the similarity to their own identity, -inf where somebody else came first.
    """

    rival: NDArray[np.float64]
    found: NDArray[np.float64]
    rates: Sequence[float]

    def missed(
        self, counts: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return FNIR and threshold, (b, rates), of ``counts`` (n, b) of each search."""
        alarms = np.cumsum(counts, axis=0)
        order = np.argsort(self.found, kind="stable")
        below = np.cumsum(counts[order], axis=0)
        rising = self.found[order]
        shares, thresholds = [], []
        for rate in self.rates:
            allowed = (alarms <= rate * alarms[-1] * (1 + 1e-6)).sum(axis=0)
            # The next rival, or a tie with it, would be one too many: accept above it.
            threshold = self.rival[np.minimum(allowed, len(self.rival) - 1)]
            refused = np.searchsorted(rising, threshold, side="right")
            before = np.where(
                refused > 0, below[np.maximum(refused, 1) - 1, np.arange(counts.shape[1])], 0.0
            )
            shares.append(before / below[-1])
            thresholds.append(threshold)
        if not self.rates:
            return np.zeros((counts.shape[1], 0)), np.zeros((counts.shape[1], 0))
        return np.stack(shares, axis=1), np.stack(thresholds, axis=1)
