"""Judge a regressor: how far its numbers are from the truth, target by target.

Intervals come from how far the figures of resampled pictures spread: see
``judge/resampling.py``. Draws in which a target never varies have no R² and
are left out of its interval. Errors that are all alike have no spread, and an interval without
width. A few errors much larger than all others make the intervals of RMSE and R² too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from saccade.errors import InputError
from saccade.intervals import LEVEL, holding
from saccade.judge.by_group import ByGroup
from saccade.judge.intervals import (
    RESAMPLES,
    check_settings,
    resampled_means,
)
from saccade.judge.plain import as_json, plain
from saccade.judge.resampling import error_interval, spread
from saccade.metrics.regression import Moments, moment_rows
from saccade.values import Broken, Float64Array, Interval

FEW = 30  # pictures or groups; with fewer, an interval says little
WORST = 24


@dataclass(frozen=True, slots=True)
class TargetScore:
    """One target: its errors in its own unit, and the ``mean`` and ``deviation`` of its truth.

    ``r2`` is None where the truth never varies.
    """

    name: str
    mae: Interval
    rmse: Interval
    r2: Interval | None
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class WorstEstimate:
    """A picture (its number) that was estimated badly: a number for each target, in their order."""

    picture: int
    truth: tuple[float, ...]
    estimate: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RegressionScores:
    """How near a regressor's numbers are.

    ``mae``, ``rmse`` and ``r2`` are means over the targets; ``r2`` is None where the truth of one
    never varies. ``worst``: at most WORST pictures, the largest error first, measured in the
    truth's deviations and averaged over the targets. ``truth`` and ``estimates``: (pictures,
    targets) float64. ``groups``: how many groups of pictures were drawn for the intervals, None
    where each picture was. ``broken`` names the pictures that were left out.
    """

    pictures: int
    mae: Interval
    rmse: Interval
    r2: Interval | None
    per_target: tuple[TargetScore, ...]
    worst: tuple[WorstEstimate, ...]
    truth: Float64Array
    estimates: Float64Array
    seed: int
    resamples: int
    groups: int | None = None
    by_group: ByGroup | None = None
    broken: tuple[Broken, ...] = ()

    @property
    def headline(self) -> tuple[tuple[str, str], ...]:
        """The first figures to print, by name."""
        if len(self.per_target) == 1:
            return _lines(self.per_target[0], "")
        mean = () if self.r2 is None else (("R2, mean", _four_digits(self.r2)),)
        targets = (line for one in self.per_target for line in _lines(one, f" of {one.name}"))
        return *mean, *targets

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures: none."""
        return ()

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        drawn = "" if self.groups is None else f"{self.groups:,} groups of "
        return f"{drawn}{self.pictures:,} pictures"

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        told = []
        unproved = [one.name for one in self.per_target if one.r2 is None or one.r2.low <= 0]
        if unproved:
            names = ", ".join(unproved)
            told.append(f"not shown to be better than always answering the mean: {names}")
        if self.mae.n < FEW:
            told.append(f"only {self.basis}: too few to tell much")
        return "; ".join(told)

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts."""
        return dict(plain(self, but=("truth", "estimates")))


def judge_regression(
    estimates: ArrayLike,
    truth: ArrayLike,
    *,
    targets: Sequence[str],
    groups: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> RegressionScores:
    """Judge ``estimates`` against ``truth``, (n, k) each, columns in the order of ``targets``.

    ``groups`` (n,): pictures of one group are alike and drawn together. Pictures must not be those
    trained on, or the figures flatter. Raises InputError for fewer than two pictures or groups,
    two shapes, or a number that is not finite.
    """
    check_settings(resamples, level)
    true, said = np.asarray(truth, np.float64), np.asarray(estimates, np.float64)
    n, k = len(true), len(targets)
    if n < 2:
        raise InputError(f"judging numbers needs two pictures or more. Got {n}; add some")
    if true.shape != (n, k):
        raise InputError(f"truth must be ({n}, {k}), a column a target; got shape {true.shape}")
    rows = moment_rows(true, said)
    whole = Moments.of(rows.mean(axis=0))
    sums, counts = _units(rows, groups)
    drawn = Moments.of(resampled_means(sums, counts, seed, resamples))
    mae, rmse, r2 = (
        _intervals(
            getattr(whole, name)(),
            getattr(drawn, name)(),
            len(counts),
            level,
            rises=name == "r2",
        )
        for name in ("mae", "rmse", "r2")
    )
    mean, deviation = true.mean(axis=0).tolist(), true.std(axis=0)
    return RegressionScores(
        pictures=n,
        mae=mae[-1],
        rmse=rmse[-1],
        r2=_defined(r2[-1]),
        per_target=tuple(
            TargetScore(name, mae[i], rmse[i], _defined(r2[i]), mean[i], float(deviation[i]))
            for i, name in enumerate(targets)
        ),
        worst=_worst(true, said, deviation),
        truth=true,
        estimates=said,
        seed=seed,
        resamples=resamples,
        groups=None if groups is None else len(counts),
    )


def _units(rows: Float64Array, groups: Sequence[str] | None) -> tuple[Float64Array, Float64Array]:
    """What is drawn: the sums of each picture or group (m, k), and its pictures (m,)."""
    if groups is None:
        return rows, np.ones(len(rows))
    if len(set(groups)) < 2:
        raise InputError("all pictures are of one group, which says nothing of others; add some")
    place = np.unique(np.asarray(groups), return_inverse=True)[1]
    counts = np.bincount(place).astype(np.float64)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, place, rows)
    return sums, counts


def _intervals(
    values: Float64Array, draws: Float64Array, n: int, level: float, *, rises: bool
) -> list[Interval]:
    """Return an interval a target, then that of their mean; ``values`` (k,), ``draws`` (…, k).

    ``rises``: more is better, up to 1, and what lacks to 1 is taken for the error. Draws that are
    NaN are left out.
    """
    found = []
    wide = spread(np.column_stack([draws, draws.mean(axis=1)]))
    for value, deviation in zip([*values, values.mean()], wide, strict=True):
        if not rises:
            found.append(error_interval(float(value), float(deviation), n=n, level=level))
            continue
        lacks = error_interval(float(1 - value), float(deviation), n=n, level=level)
        found.append(holding(value, 1 - lacks.high, 1 - lacks.low, n, level))
    return found


def _defined(found: Interval) -> Interval | None:
    return None if np.isnan(found.value) else found


def _worst(
    truth: Float64Array, estimates: Float64Array, spread: Float64Array
) -> tuple[WorstEstimate, ...]:
    units = np.where(spread > 0, spread, 1.0)
    sizes = (np.abs(estimates - truth) / units).mean(axis=1)
    return tuple(
        WorstEstimate(int(n), tuple(truth[n].tolist()), tuple(estimates[n].tolist()))
        for n in np.argsort(-sizes, kind="stable")[:WORST]
    )


def _lines(one: TargetScore, of: str) -> tuple[tuple[str, str], ...]:
    figures = (("MAE", one.mae), ("RMSE", one.rmse), ("R2", one.r2))
    return tuple((f"{name}{of}", _four_digits(found)) for name, found in figures if found)


def _four_digits(found: Interval) -> str:
    """The figure with its interval; its unit may make it small or large."""
    return f"{found.value:.4g} [{found.low:.4g}, {found.high:.4g}]"
