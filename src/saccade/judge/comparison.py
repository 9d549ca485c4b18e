"""Two models on the same pictures: is one better?

The difference of their means is resampled as one, picture by picture or group by group: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, section 8.3 for pairs; Davison and Hinkley,
1997, section 3.8, for whole groups. Each mean by itself has the interval that ``evaluate`` gives
it. Beside them, for answers that are right or wrong, the test of McNemar, Psychometrika 12, 1947:
of the pictures that one model alone has right, each model should have half. Its mid-p: Fagerland,
Lydersen, Laake, BMC Medical Research Methodology 13:91, 2013, eq. 3. We differ: where the test does
not tell the models apart, the interval is widened to hold 0; where few pictures differ, resampling
alone promises too much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.judge.drops import SHARES, grouped, score_interval
from saccade.judge.intervals import RESAMPLES, paired_bootstrap
from saccade.judge.plain import plain
from saccade.judge.speed import Speeds
from saccade.values import Interval

FEW = 30  # units; below, an interval says little
HIGHER = (*SHARES, "AP", "mean IoU")  # higher is better; the other figures are errors


@dataclass(frozen=True, slots=True)
class FigurePair:
    """A figure of both, and the ``difference``, b - a, with ``p`` of a paired test, if any."""

    figure: str
    a: Interval
    b: Interval
    difference: Interval
    p: float | None


@dataclass(frozen=True, slots=True)
class Compared:
    """How two models do on the same pictures.

    ``figure`` names the means ``a`` and ``b``, lower is better for an error; ``difference``: b - a.
    ``n`` of an interval counts the ``units`` that were resampled, pictures or groups. ``only_a``
    and ``only_b``: pictures that one alone has right, and ``p`` of McNemar's test; None for scores
    that are not right or wrong, or that come in groups. Of boxes and masks, ``p`` is of the test in
    ``paired_figures``, and ``others`` are told besides; ``speeds`` where they were measured.
    """

    figure: str
    units: str
    a: Interval
    b: Interval
    difference: Interval
    only_a: int | None = None
    only_b: int | None = None
    p: float | None = None
    others: tuple[FigurePair, ...] = ()
    speeds: Speeds | None = None

    @property
    def figures(self) -> tuple[FigurePair, ...]:
        """The figure that decides, then the ``others``."""
        return (FigurePair(self.figure, self.a, self.b, self.difference, self.p), *self.others)

    @property
    def better(self) -> str:
        """The model that is shown to be better, "A" or "B"; empty for neither."""
        if self.difference.low <= 0 <= self.difference.high:
            return ""
        higher = "B" if self.difference.low > 0 else "A"
        return higher if self.figure in HIGHER else {"A": "B", "B": "A"}[higher]

    @property
    def sentence(self) -> str:
        """The answer: which is better, by how much, or that neither is shown to be."""
        factor, unit = (100.0, " points") if self.figure in HIGHER else (-1.0, "")
        gains = [factor * v + 0.0 for v in (self.difference.value, *_ends(self.difference))]
        if not self.better:
            return f"B is not shown to be better or worse ({_range(gains[1:])}{unit})"
        gain, *ends = (abs(v) for v in gains)
        return f"{self.better} is better by {gain:.3g}{unit} ({_range(ends)})"

    @property
    def warning(self) -> str:
        """What the reader must know; empty for nothing."""
        few = self.difference.n < FEW
        return f"only {self.difference.n} {self.units}: too few to tell much" if few else ""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {**plain(self), "better": self.better, "sentence": self.sentence}


def compare_scores(
    a: ArrayLike,
    b: ArrayLike,
    *,
    figure: str,
    groups: Sequence[str] | None = None,
    units: str = "groups",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Compared:
    """Compare scores (n,) of two models, one a picture or search, in the same order.

    ``groups`` (n,) name what belongs together and is resampled whole, called ``units``; without,
    each picture stands for itself. ``figure`` in SHARES: scores are 0 or 1, higher is better; else
    they are errors. Raises InputError where the numbers differ, or there are fewer than two units.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise InputError(
            f"two models need as many scores, at least one; got {first.shape} and {second.shape}"
        )
    how: dict[str, Any] = {"seed": seed, "resamples": resamples, "level": level}
    parts_a, parts_b = grouped(first, groups), grouped(second, groups)
    called = "pictures" if groups is None else units
    if len(parts_a) < 2:
        raise InputError(f"comparing needs two {called} or more, as one says nothing of others")
    difference = paired_bootstrap(parts_b, parts_a, **how)
    if figure in SHARES:
        low, high = max(difference.low, -1.0), min(difference.high, 1.0)
        difference = replace(difference, low=low, high=high)
    elif np.ptp(second - first) == 0:  # No bound is known to an error.
        difference = replace(difference, low=difference.value, high=difference.value)
    found = Compared(
        figure,
        called,
        score_interval(first, figure=figure, groups=groups, **how),
        score_interval(second, figure=figure, groups=groups, **how),
        difference,
    )
    if groups is not None or figure not in SHARES:
        return found
    only_a, only_b = int((first > second).sum()), int((second > first).sum())
    p, seen = mcnemar_p(only_a, only_b), found.difference
    if p >= 1.0 - level:
        seen = replace(seen, low=min(seen.low, 0.0), high=max(seen.high, 0.0))
    return replace(found, difference=seen, only_a=only_a, only_b=only_b, p=p)


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Return how likely a split as uneven is by chance: two-sided mid-p; 1 for equal numbers."""
    from scipy.stats import binom  # Slow to load.

    fewer, differing = min(only_a, only_b), only_a + only_b
    return float(2 * binom.cdf(fewer, differing, 0.5) - binom.pmf(fewer, differing, 0.5))


def _ends(found: Interval) -> tuple[float, float]:
    return found.low, found.high


def _range(ends: Sequence[float]) -> str:
    return f"{min(ends):.3g} to {max(ends):.3g}"
