"""Judge a forecaster: how far the frames that it says are from those that came.

Beside it stands who repeats the last frame seen, which is right wherever nothing moves (the
persistence forecast of Murphy, "Skill Scores Based on the Mean Square Error and Their
Relationships to the Correlation Coefficient", Monthly Weather Review 116, 1988): the ratio of both
errors is below 1 where the network has learned more than that. Windows of one sequence are alike,
so whole sequences are resampled: see ``judge/resampling.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.judge.by_group import ByGroup
from saccade.judge.intervals import RESAMPLES, check_settings, resampled_means
from saccade.judge.plain import as_json, plain
from saccade.judge.resampling import error_interval, spread
from saccade.values import Broken, Float64Array, Interval, UInt8Array

FEW = 30  # sequences; with fewer, an interval says little
SQUARED, ABSOLUTE = 0, 1  # kinds of error, in ``error_rows``
SAID, REPEATED = 0, 1  # whose error it is


@dataclass(frozen=True, slots=True)
class ErrorScore:
    """One kind of error, a mean over pixels in [0, 1]: of what was said, and of repeating.

    ``ratio`` is ``error`` by ``repeated``; None where nothing ever moves.
    """

    error: Interval
    repeated: Interval
    ratio: Interval | None


@dataclass(frozen=True, slots=True)
class StepScore:
    """The errors of the frames that are so many ``ahead`` of the last one seen, from 1 on."""

    ahead: int
    squared: ErrorScore
    absolute: ErrorScore


@dataclass(frozen=True, slots=True, eq=False)
class ForecastScores:
    """How near the frames are that a forecaster says.

    ``squared`` and ``absolute``: over all frames said; ``steps``: one frame ahead, two, and so on.
    ``errors``: the mean squared error of each window, (windows,) float64. ``sequences`` are what
    was drawn for the intervals. ``broken`` names the frames that were left out.
    """

    sequences: int
    windows: int
    seen: int
    squared: ErrorScore
    absolute: ErrorScore
    steps: tuple[StepScore, ...]
    errors: Float64Array
    seed: int
    resamples: int
    by_group: ByGroup | None = None
    broken: tuple[Broken, ...] = ()

    @property
    def headline(self) -> tuple[tuple[str, str], ...]:
        """The first figures to print, by name."""
        found = []
        for name, one in (("squared error", self.squared), ("absolute error", self.absolute)):
            found.append((name, _four_digits(one.error)))
            if one.ratio is not None:
                found.append((name.replace("error", "ratio"), str(one.ratio)))
        return tuple(found)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures: what the ratios mean, and how they go on."""
        if self.squared.ratio is None:
            return ("nothing moves: repeating the last frame makes no error",)
        said = (
            "ratio: the error divided by that of repeating the last frame seen; below 1 is better"
        )
        ratios = [f"{one.squared.ratio.value:.3f}" for one in self.steps if one.squared.ratio]
        return said, f"squared ratio, frame by frame ahead: {', '.join(ratios)}"

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        ahead = len(self.steps)
        return (
            f"{self.sequences:,} sequences, {self.windows:,} windows of {self.seen} frames given "
            f"and {ahead} said"
        )

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        told = []
        for name, one in (("squared", self.squared), ("absolute", self.absolute)):
            if one.ratio is not None and one.ratio.high >= 1:
                told.append(f"not shown to be better than repeating the last frame: {name} error")
        if self.sequences < FEW:
            told.append(f"only {self.sequences} sequences: too few to tell much")
        return "; ".join(told)

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts."""
        return dict(plain(self, but=("errors",)))


def judge_forecast(
    said: UInt8Array,
    truth: UInt8Array,
    last: UInt8Array,
    *,
    sequences: Sequence[str],
    seen: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> ForecastScores:
    """Judge frames ``said`` (n, ahead, c, H, W) uint8 against the ``truth``, of the same shape.

    ``last`` (n, c, H, W): the last frame that each window was given, of ``seen``; ``sequences``
    (n,) name where it comes from. Sequences must not be those trained on, or the figures flatter.
    Raises InputError for fewer than two sequences, or shapes that do not fit.
    """
    check_settings(resamples, level)
    n, ahead = said.shape[:2] if said.ndim == 5 else (0, 0)
    if said.ndim != 5 or truth.shape != said.shape or last.shape != (n, *said.shape[2:]):
        raise InputError(
            f"frames said and true must be (n, ahead, c, H, W) and the last seen (n, c, H, W); got "
            f"{said.shape}, {truth.shape} and {last.shape}"
        )
    names, place = np.unique(np.asarray(sequences), return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"judging a forecast needs two sequences or more, as one says nothing of others. Got "
            f"{len(names)}; add some, or divide a long one into folders"
        )
    rows = error_rows(said, truth, last)
    sums = np.zeros((len(names), rows[0].size))
    np.add.at(sums, place, rows.reshape(n, -1))
    counts = np.bincount(place).astype(np.float64)
    drawn = resampled_means(sums, counts, seed, resamples).reshape(-1, 2, 2, ahead)
    whole = rows.mean(axis=0)

    def score(kind: int, steps: slice) -> ErrorScore:
        at, draws = whole[kind, :, steps].mean(axis=1), drawn[:, kind, :, steps].mean(axis=2)
        return _score(at, draws, n=len(names), level=level)

    steps = tuple(
        StepScore(k + 1, *(score(kind, slice(k, k + 1)) for kind in (SQUARED, ABSOLUTE)))
        for k in range(ahead)
    )
    return ForecastScores(
        sequences=len(names),
        windows=n,
        seen=seen,
        squared=score(SQUARED, slice(None)),
        absolute=score(ABSOLUTE, slice(None)),
        steps=steps,
        errors=rows[:, SQUARED, SAID].mean(axis=1),
        seed=seed,
        resamples=resamples,
    )


def error_rows(said: UInt8Array, truth: UInt8Array, last: UInt8Array) -> Float64Array:
    """Return (n, 2, 2, ahead) float64: squared and absolute errors of what was said, of ``last``.

    Means over the pixels of a frame, black 0 and white 1; shapes as for ``judge_forecast``.
    """
    n, ahead = said.shape[:2]
    found = np.zeros((n, 2, 2, ahead))
    for row in range(n):  # A window at a time: float copies of all would take eight times as much.
        true = truth[row] / 255.0
        for place, one in enumerate((said[row], last[row][None])):
            off = (one / 255.0 - true).reshape(ahead, -1)
            found[row, SQUARED, place] = (off**2).mean(axis=1)
            found[row, ABSOLUTE, place] = np.abs(off).mean(axis=1)
    return found


def _score(at: Float64Array, draws: Float64Array, *, n: int, level: float) -> ErrorScore:
    """``at`` (2,): the error of what was said and of repeating; ``draws`` (b, 2) likewise."""
    wide = spread(draws)
    error, repeated = (
        error_interval(float(value), float(deviation), n=n, level=level)
        for value, deviation in zip(at, wide, strict=True)
    )
    if not at[1] > 0:
        return ErrorScore(error, repeated, None)
    moving = draws[draws[:, 1] > 0]
    ratios = spread((moving[:, 0] / moving[:, 1])[:, None])
    ratio = error_interval(float(at[0] / at[1]), float(ratios[0]), n=n, level=level)
    return ErrorScore(error, repeated, ratio)


def _four_digits(found: Interval) -> str:
    return f"{found.value:.4g} [{found.low:.4g}, {found.high:.4g}]"
