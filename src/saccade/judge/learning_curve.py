"""The learning curve: the scores of models that learned from more and more pictures, judged.

Each size was trained several times and judged on the same pictures: ``judge/repeats.py`` has the
intervals, ``judge/power_law.py`` the law. What it expects at twice the pictures is drawn DRAWS
times: the mean scores from the normal distribution that the judging pictures give them together,
and beside it, for each size, the spread between its trainings, in t with as many degrees of freedom
as they have; the law is fitted to every draw. What two trainings disagree about counts in both,
which is a little too careful.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import LEVEL, holding
from saccade.judge.intervals import percentile_bounds
from saccade.judge.plain import plain
from saccade.judge.power_law import FEWEST, fit_power_law
from saccade.judge.repeats import Mean, alike, crossed, gap, number_interval, share_interval
from saccade.values import Interval

FloatArray = NDArray[np.float64]
DRAWS = 1000
LARGE = 0.05  # of a score: a gap that is worth closing, room that is worth filling
SHARES = ("accuracy", "rank-1")
OVER, UNDER, WELL, UNSURE = "over-fits", "under-fits", "fits", "cannot tell"


@dataclass(frozen=True, slots=True)
class Point:
    """One size: the share of the pictures, ``n`` of them (or classes), and the mean scores.

    ``train``: on the pictures learned from; ``held``: on those that are judged at every size;
    ``scores``: the latter of each training. ``law``: what the fitted law says of ``held``.
    """

    size: float
    n: int
    train: Interval
    held: Interval
    scores: tuple[float, ...]
    law: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """What the learning curve shows; ``figure`` names the score, higher is better.

    ``drawn`` and ``judged`` name the units that were drawn and judged. ``rise``: the score gained
    from the size before the largest; ``twice``: the score expected at twice the largest, and
    ``gain`` what that is more than the law says of the largest; ``gap``: training less held-out
    score there. ``validation``: the score on the pictures that chose the epoch, and ``flattered``
    by how much it is higher than the held-out one. None where there is no such figure.
    """

    folder: Path
    figure: str
    drawn: str
    judged: str
    points: tuple[Point, ...]
    gap: Interval
    rise: Interval | None = None
    twice: Interval | None = None
    gain: Interval | None = None
    validation: Interval | None = None
    flattered: Interval | None = None

    @property
    def fit(self) -> str:
        """Whether the largest models over-fit, under-fit, fit, or cannot be told.

        Over-fitting: the gap's interval is above 0, and the gap LARGE. Under-fitting: it is not,
        and the training score's interval ends more than LARGE below 1.
        """
        if self.gap.low > 0 and self.gap.value >= LARGE:
            return OVER
        if self.gap.value >= LARGE or self.gap.high > 2 * LARGE:
            return UNSURE
        return UNDER if self.points[-1].train.high < 1 - LARGE else WELL

    @property
    def rises(self) -> bool:
        """True when the last step of the curve is shown to go up."""
        return self.rise is not None and self.rise.low > 0

    @property
    def law_tells(self) -> bool:
        """True when ``twice`` is narrower than what was gained yet, or than 2 LARGE.

        The law has three constants: with as many sizes it passes through every one, and tells
        nothing.
        """
        if self.twice is None or len(self.points) <= FEWEST:
            return False
        gained = self.points[-1].held.value - self.points[0].held.value
        return self.twice.high - self.twice.low <= max(gained, 2 * LARGE)

    @property
    def sentences(self) -> list[str]:
        """What the curve shows, a sentence each, and last what is likely to help."""
        from saccade.judge.curve_wording import sentences  # It reads this file.

        return sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers, lists and dicts."""
        names = ("fit", "rises", "law_tells", "sentences")
        said = {name: getattr(self, name) for name in names}
        return {**plain(self), "folder": str(self.folder), **said}


def judge_curve(
    held: FloatArray,
    train: Sequence[Sequence[Sequence[float]]],
    validation: Sequence[Sequence[float]],
    *,
    sizes: Sequence[float],
    counts: Sequence[int],
    names: tuple[str, str, str],
    folder: Path,
    seed: int = 0,
) -> Curve:
    """Return the curve of s sizes with R trainings each.

    ``held``: (s, R, n) scores of n judged units, whose means are the scores; ``train``: summaries
    (see ``alike``) of the pictures learned from, size by size; ``validation``: of those that chose
    the epoch, of the largest size, or none. ``counts``: what each size is in units. ``names``: the
    figure, the units drawn, the units judged.
    """
    figure = names[0]
    scores = held.mean(axis=2)
    points = [
        Point(
            size,
            counts[place],
            interval(figure, alike(train[place])),
            interval(figure, crossed(held[place])),
            tuple(scores[place].tolist()),
        )
        for place, size in enumerate(sizes)
    ]
    last = points[-1]
    found: dict[str, Any] = {}
    if len(points) >= FEWEST:
        law, found["twice"], found["gain"] = _expected(held, counts, seed=seed)
        points = [replace(one, law=said) for one, said in zip(points, law, strict=True)]
    if len(points) > 1:
        found["rise"] = number_interval(crossed(held[-1] - held[-2]))
    if validation:
        found["validation"] = interval(figure, alike(validation))
        found["flattered"] = gap(found["validation"], last.held)
    return Curve(folder, *names, tuple(points), gap(last.train, last.held), **found)


def interval(figure: str, mean: Mean) -> Interval:
    """Return a score's interval: Wilson's for a share."""
    return share_interval(mean) if figure in SHARES else number_interval(mean)


def _expected(
    held: FloatArray, counts: Sequence[int], *, seed: int
) -> tuple[list[float], Interval, Interval]:
    """The law at each size; the score expected at twice the largest, and the gain to there."""
    errors, variances, draws = _drawn_errors(held, seed)
    n, twice = counts[-1], 2 * counts[-1]
    law, laws = (fit_power_law(counts, each, variances) for each in (errors, draws))
    units = held.shape[2]
    found = []
    for value, values in (
        (1 - law.error(twice), 1 - laws.error(twice)),
        (law.error(n) - law.error(twice), laws.error(n) - laws.error(twice)),
    ):
        low, high = percentile_bounds(values[:, None], LEVEL)
        found.append(holding(float(value), low[0], high[0], units, LEVEL))
    return [float(1 - law.error(count)) for count in counts], found[0], found[1]


def _drawn_errors(held: FloatArray, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean errors (s,), their variances for the fit (s,), and draws of the means (DRAWS, s)."""
    sizes, runs, units = held.shape
    draw = np.random.default_rng(seed)
    means = held.mean(axis=1)
    errors = 1 - means.mean(axis=1)
    of_pictures = np.cov(means) / units
    draws = draw.multivariate_normal(errors, of_pictures, DRAWS, method="eigh")
    between = np.zeros(sizes)
    if runs > 1:
        between = held.mean(axis=2).var(axis=1, ddof=1) / runs
        draws += draw.standard_t(runs - 1, (DRAWS, sizes)) * np.sqrt(between)
    # Few trainings tell little of their spread: the fit takes it as equal at all sizes.
    variances = np.diag(of_pictures) + between.mean()
    least = max(float(variances.max()) * 1e-3, 1e-12)
    return errors, np.maximum(variances, least), draws
