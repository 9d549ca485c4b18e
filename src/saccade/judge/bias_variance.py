"""Error into bias and variance: models that learned from bootstrap samples, asked the same.

Squared error: S. Geman, E. Bienenstock and R. Doursat, "Neural networks and the bias/variance
dilemma", Neural Computation 4, 1992, eq. 4. 0-1 loss: P. Domingos, "A unified bias-variance
decomposition", ICML 2000, theorems 2 and 3: the main answer is the one given most often; the bias
is its loss, the variance how often an answer differs from it. Where the main answer is right,
variance adds to the error (unbiased variance); where it is wrong it takes away, by as much as the
differing answers are right (biased variance): error = bias + c2 variance, with c2 = 1 or -P(right |
differs). Both count noise, errors in the labels, as bias.
We differ: squared bias, from few models, is freed of the variance of their mean, and the variance
taken over models - 1; their sum is the error all the same. For 0-1 loss no such correction is
known: with few models the bias is a little high. Equal counts: the first of the answers, by number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.judge.intervals import intervals_of_means
from saccade.judge.plain import plain
from saccade.values import Interval

FloatArray = NDArray[np.float64]
ZERO_ONE, SQUARED = "0-1 loss", "squared error"
FEWEST_MODELS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The parts of each unit's error, (n,) float64 each.

    ``error`` is ``bias`` + ``variance``. For 0-1 loss ``variance`` is ``unbiased`` - ``biased``,
    how often answers are wrong where the main one is right, less how often they are right where it
    is wrong, and ``disagreement`` how often they differ from the main answer; None for squares.
    """

    error: FloatArray
    bias: FloatArray
    variance: FloatArray
    unbiased: FloatArray | None = None
    biased: FloatArray | None = None
    disagreement: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The mean error of ``bags`` models on the same units, and its parts, with their intervals.

    ``loss``: "0-1 loss" or "squared error"; ``units``: what was resampled for the intervals, as
    ``n`` says. ``excess``: bias less variance. The others as in ``Parts``.
    """

    folder: Path
    loss: str
    bags: int
    units: str
    error: Interval
    bias: Interval
    variance: Interval
    excess: Interval
    unbiased: Interval | None = None
    biased: Interval | None = None
    disagreement: Interval | None = None

    @property
    def larger(self) -> str:
        """The part that is shown to be larger, "bias" or "variance"; empty for neither."""
        if self.excess.low <= 0 <= self.excess.high:
            return ""
        return "bias" if self.excess.low > 0 else "variance"

    @property
    def sentence(self) -> str:
        """Say which part is larger, and what is likely to help."""
        if not self.error.value:
            return "No error was made, so there is none to take apart."
        share = f"{100 * self.variance.value / self.error.value:.0f} % of the error is variance"
        if not self.larger:
            return f"{share}; neither part is shown to be larger."
        if self.larger == "bias":
            return (
                f"{share}, the larger part is bias: likely to help are more capacity, other "
                "features, longer training, or less regularisation; errors in the labels count as "
                "bias too."
            )
        return (
            f"{share}, the larger part: likely to help are more pictures, stronger "
            "regularisation, or several models that answer together."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        said = {"larger": self.larger, "sentence": self.sentence}
        return {**plain(self), "folder": str(self.folder), **said}


def squared_parts(estimates: ArrayLike, truth: ArrayLike) -> Parts:
    """Take the squared error apart; ``estimates`` (B, n) of B models, ``truth`` (n,).

    Raises InputError for fewer than two models, or shapes that do not fit.
    """
    said, true = _checked(estimates, truth, np.float64)
    centre, models = said.mean(axis=0), len(said)
    variance = said.var(axis=0, ddof=1)
    bias = (centre - true) ** 2 - variance / models
    return Parts(((said - true) ** 2).mean(axis=0), bias, variance)


def zero_one_parts(answers: ArrayLike, truth: ArrayLike) -> Parts:
    """Take the 0-1 loss apart; ``answers`` (B, n) numbers from 0 of B models, ``truth`` (n,).

    Raises InputError for fewer than two models, or shapes that do not fit.
    """
    said, true = _checked(answers, truth, np.int64)
    main = _most_frequent(said)
    wrong, differs = (said != true).mean(axis=0), (said != main).mean(axis=0)
    bias = (main != true).astype(np.float64)
    unbiased = np.where(bias == 0, differs, 0.0)
    biased = np.where(bias == 1, 1 - wrong, 0.0)
    return Parts(wrong, bias, unbiased - biased, unbiased, biased, differs)


def judge_parts(
    parts: Parts,
    groups: ArrayLike | None,
    *,
    folder: Path,
    bags: int,
    units: str,
    seed: int = 0,
) -> Decomposition:
    """Return the means of ``parts`` with intervals.

    ``groups`` (n,): what belongs together and is resampled whole; None: each unit for itself.
    """
    named = {
        name: rows
        for name in Parts.__dataclass_fields__
        if (rows := getattr(parts, name)) is not None
    }
    named["excess"] = parts.bias - parts.variance
    columns = np.stack(list(named.values()), axis=1)
    number = np.arange(len(columns)) if groups is None else np.asarray(groups)
    _, number = np.unique(number, return_inverse=True)
    counts = np.bincount(number).astype(np.float64)
    sums = np.zeros((len(counts), columns.shape[1]))
    np.add.at(sums, number, columns)
    found = dict(zip(named, intervals_of_means(sums, counts, seed=seed), strict=True))
    loss = SQUARED if parts.unbiased is None else ZERO_ONE
    return Decomposition(folder=folder, loss=loss, bags=bags, units=units, **found)


def figure_rows(found: Decomposition) -> list[tuple[str, Interval, str]]:
    """Return each part with its name, its interval, and what it is."""
    rows: Sequence[tuple[str, Interval | None, str]] = (
        ("error", found.error, "what one such model is wrong by, on average"),
        ("bias", found.bias, "what remains wrong when all models answer together"),
        ("variance", found.variance, "what the draw of the pictures and of the seed adds"),
        ("unbiased", found.unbiased, "variance where the models together are right: it harms"),
        ("biased", found.biased, "variance where they are wrong: it helps"),
        ("disagreement", found.disagreement, "how often one model differs from them all together"),
    )
    return [(name, figure, text) for name, figure, text in rows if figure is not None]


def written(found: Interval) -> str:
    """Write a part with its interval: squares can be of any size."""
    value, low, high = (round(each, 12) + 0.0 for each in (found.value, found.low, found.high))
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _most_frequent(answers: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the value that stands most often in each column of (B, n), the lowest of equals."""
    best = np.zeros(answers.shape[1], np.int64)
    most = np.zeros(answers.shape[1], np.int64)
    for value in np.unique(answers):  # Rising, so that the first of equals stays.
        count = (answers == value).sum(axis=0)
        best = np.where(count > most, value, best)
        most = np.maximum(count, most)
    return best


def _checked(
    said: ArrayLike, truth: ArrayLike, kind: type[np.generic]
) -> tuple[NDArray[Any], NDArray[Any]]:
    rows, true = np.asarray(said, kind), np.asarray(truth, kind)
    if rows.ndim != 2 or true.shape != rows.shape[1:] or not true.size:
        raise InputError(f"answers must be (models, n), truth (n,); got {rows.shape}, {true.shape}")
    if len(rows) < FEWEST_MODELS:
        raise InputError(f"bias and variance need {FEWEST_MODELS} models or more; got {len(rows)}")
    return rows, true
