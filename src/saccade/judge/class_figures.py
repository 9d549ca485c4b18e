"""A classifier's figures, class by class and over all, each with its interval.

Shares of pictures that are drawn one by one have Wilson's interval; whatever else, and whatever is
drawn in groups, has one from how far resampled pictures spread: see ``judge/resampling.py``.
A mean recall or precision spreads too little where a class has few pictures and none is wrong; its
interval is widened to that of a mean of independent shares: G. Y. Zou and A. Donner, "Construction
of confidence limits about effect measures", 2008, eq. 3, of Wilson's limits.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import holding, wilson_interval
from saccade.judge.answers import Answers
from saccade.judge.resampling import (
    effective_interval,
    logit_interval,
    resampled_counts,
    spread,
)
from saccade.metrics.classification import Margins, confusion_matrix
from saccade.metrics.ranking import Ranking
from saccade.values import Interval

MOST_RANKED = 1 << 33  # pictures × classes × resamples of rankings; fewer resamples above
FEWEST = 100  # resamples of rankings
Figures = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: ``pictures`` show it, ``answered`` were given its name; None: not defined.

    ``recall``: of those that show it, the share answered right; ``precision``: of those given its
    name, the share that is right; ``f1``: the harmonic mean of both. ``auc``: the chance that a
    picture of the class has a higher probability of it than one of another class;
    ``average_precision``: the mean precision over the recall.
    """

    label: str
    pictures: int
    answered: int
    recall: Interval | None
    precision: Interval | None
    f1: Interval | None
    auc: Interval | None = None
    average_precision: Interval | None = None


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The means over the classes; None: not defined.

    "macro": the mean over classes, "weighted": by their pictures, classes without the figure left
    out. Micro averages are the accuracy, as every picture has one class and gets one answer.
    """

    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    matthews: Interval | None
    macro_precision: Interval | None
    weighted_precision: Interval | None
    weighted_f1: Interval | None
    macro_auc: Interval | None
    macro_average_precision: Interval | None
    per_class: tuple[ClassScore, ...] = field(default=())


def class_figures(
    answers: Answers,
    classes: Sequence[str],
    *,
    groups: Sequence[str] | None,
    seed: int,
    resamples: int,
    level: float,
) -> ClassFigures:
    """Return all figures of ``answers``; pictures of one of the ``groups`` (n,) count together."""
    return _Judged(answers, classes, groups, level).figures(seed=seed, resamples=resamples)


class _Judged:
    """The answers, what they amount to, and how their figures are resampled."""

    def __init__(
        self,
        answers: Answers,
        classes: Sequence[str],
        groups: Sequence[str] | None,
        level: float,
    ) -> None:
        self.answers, self.classes, self.groups, self.level = answers, classes, groups, level
        self.k, self.n = len(classes), len(answers.truth)
        self.units = self.n if groups is None else len(set(groups))
        self.confusion = confusion_matrix(answers.truth, answers.given, classes=self.k)
        self.margins = Margins.of(self.confusion)
        self.shown = self.confusion.sum(axis=1)
        self.ranked = [
            number
            for number in range(self.k)
            if answers.shares is not None and 0 < self.shown[number] < self.n
        ]
        shares = answers.shares
        self.rankings = [
            Ranking.of(answers.truth == number, shares[:, number])
            for number in self.ranked
            if shares is not None
        ]

    def figures(self, *, seed: int, resamples: int) -> ClassFigures:
        whole = {**self._of_margins(self.margins), **self._of_rankings(np.ones((self.n, 1)))}
        draws = self._draws(seed, resamples)
        wide = {name: spread(drawn) for name, drawn in draws.items()}

        def mean(name: str, low: float = 0.0) -> Interval | None:
            value = float(whole[name][0, 0])
            if np.isnan(value):
                return None
            return self._mean(value, float(wide[name][0]), low)

        accuracy, macro_f1 = mean("accuracy"), mean("macro_f1")
        balanced = self._widened(mean("balanced"), self.shown)
        assert accuracy is not None and balanced is not None and macro_f1 is not None
        return ClassFigures(
            accuracy=self._share(accuracy, int(self.margins.right.sum()), self.n),
            balanced_accuracy=balanced,
            macro_f1=macro_f1,
            matthews=mean("matthews", -1.0),
            macro_precision=self._widened(mean("macro_precision"), self.confusion.sum(axis=0)),
            weighted_precision=mean("weighted_precision"),
            weighted_f1=mean("weighted_f1"),
            macro_auc=self._area(whole, wide, "macro_auc"),
            macro_average_precision=self._area(whole, wide, "macro_average_precision"),
            per_class=self._per_class(whole, wide),
        )

    def _draws(self, seed: int, resamples: int) -> Figures:
        """Every figure of every resample, (resamples, …) by its name; of rankings maybe fewer."""
        right, shown, answered = (self._indicator(part) for part in ("right", "truth", "given"))
        most = max(FEWEST, MOST_RANKED // max(1, self.n * len(self.ranked)))
        found: list[Figures] = []
        ranked = 0
        with ThreadPoolExecutor(max_workers=min(4, cpu_count() or 1)) as pool:
            for counts in resampled_counts(
                self.n, groups=self.groups, seed=seed, resamples=resamples
            ):
                parts = ((one @ counts).T.astype(np.float64) for one in (right, shown, answered))
                figures = self._of_margins(Margins(*parts))
                if ranked < most:
                    figures = {**figures, **self._of_rankings(counts, pool)}
                    ranked += counts.shape[1]
                found.append(figures)
        names = found[0].keys()
        return {n: np.concatenate([one[n] for one in found if n in one]) for n in names}

    def _indicator(self, which: str) -> Any:
        """Sparse (classes, pictures): 1 where the picture counts for the class."""
        from scipy.sparse import csr_matrix  # Slow to load.

        rows = self.answers.given if which == "given" else self.answers.truth
        ones = self.answers.right if which == "right" else np.ones(self.n)
        places = (rows, np.arange(self.n))
        return csr_matrix((ones.astype(np.float32), places), shape=(self.k, self.n))

    def _of_margins(self, margins: Margins) -> Figures:
        precision, f1 = margins.precision(), margins.f1()
        figures = {
            "accuracy": margins.accuracy(),
            "balanced": margins.balanced_accuracy(),
            "macro_f1": margins.macro_f1(),
            "matthews": margins.matthews(),
            "macro_precision": margins.macro_precision(),
            "weighted_precision": margins.weighted(precision),
            "weighted_f1": margins.weighted(f1),
        }
        many = {"recall": margins.recall(), "precision": precision, "f1": f1}
        return {
            **{name: np.atleast_1d(one)[:, None] for name, one in figures.items()},
            **{name: np.atleast_2d(one) for name, one in many.items()},
        }

    def _of_rankings(
        self, counts: NDArray[np.floating], pool: ThreadPoolExecutor | None = None
    ) -> Figures:
        if not self.rankings:
            return {}
        run = map if pool is None else pool.map
        areas = list(run(Ranking.areas, self.rankings, repeat(counts)))
        auc, precision = (np.stack(one, axis=1) for one in zip(*areas, strict=True))
        macro = {"macro_auc": auc, "macro_average_precision": precision}
        means = {name: _nanmean(one)[:, None] for name, one in macro.items()}
        return {**means, "auc": auc, "average_precision": precision}

    def _per_class(
        self, whole: Mapping[str, NDArray[np.floating]], wide: Mapping[str, NDArray[np.float64]]
    ) -> tuple[ClassScore, ...]:
        right, shown, answered = (
            np.asarray(part).tolist()
            for part in (self.margins.right, self.margins.shown, self.margins.answered)
        )

        def share(name: str, k: int, count: int) -> Interval | None:
            if not count:
                return None
            found = self._mean(float(whole[name][0, k]), float(wide[name][k]), even=count)
            return self._share(found, right[k], count)

        return tuple(
            ClassScore(
                label=label,
                pictures=shown[k],
                answered=answered[k],
                recall=share("recall", k, shown[k]),
                precision=share("precision", k, answered[k]),
                f1=self._mean(float(whole["f1"][0, k]), float(wide["f1"][k]), even=shown[k] or 1)
                if shown[k] + answered[k]
                else None,
                auc=self._area(whole, wide, "auc", k),
                average_precision=self._area(whole, wide, "average_precision", k),
            )
            for k, label in enumerate(self.classes)
        )

    def _mean(
        self, value: float, deviation: float, low: float = 0.0, even: int | None = None
    ) -> Interval:
        few = int(self.shown[self.shown > 0].min() * (self.shown > 0).sum())
        count = min(few if even is None else even, self.units)
        return effective_interval(
            value, deviation, n=self.units, even=count, level=self.level, low=low
        )

    def _share(self, found: Interval, right: int, n: int) -> Interval:
        """Wilson's interval where pictures are drawn one by one, else the one found."""
        return wilson_interval(right, n, self.level) if self.groups is None else found

    def _widened(self, found: Interval | None, counts: NDArray[np.generic]) -> Interval | None:
        """A mean over classes of the share right of ``counts``, as the module's head says."""
        if found is None:
            return None
        limits = [
            wilson_interval(int(right), int(n), self.level)
            for right, n in zip(self.confusion.diagonal(), counts, strict=True)
            if n
        ]
        below = np.sqrt(sum((one.value - one.low) ** 2 for one in limits)) / len(limits)
        above = np.sqrt(sum((one.high - one.value) ** 2 for one in limits)) / len(limits)
        low, high = min(found.low, found.value - below), max(found.high, found.value + above)
        return holding(found.value, max(0.0, low), min(1.0, high), found.n, self.level)

    def _area(
        self,
        whole: Mapping[str, NDArray[np.floating]],
        wide: Mapping[str, NDArray[np.float64]],
        name: str,
        k: int | None = None,
    ) -> Interval | None:
        if not self.ranked or (k is not None and k not in self.ranked):
            return None
        place = 0 if k is None else self.ranked.index(k)
        value = float(whole[name].ravel()[place])
        shown = self.shown[self.ranked if k is None else [k]]
        fewest = int(np.minimum(shown, self.n - shown).min()) * (1 if k is not None else len(shown))
        return logit_interval(
            value,
            float(wide[name][place]),
            n=self.units,
            fewest=min(fewest, self.units),
            level=self.level,
        )


def _nanmean(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """(b,): the mean of each row of (b, k), NaN left out; NaN where nothing is left."""
    counted = ~np.isnan(values)
    total, many = np.where(counted, values, 0.0).sum(axis=1), counted.sum(axis=1)
    means: NDArray[np.float64] = np.full(len(values), np.nan)
    np.divide(total, many, out=means, where=many > 0)
    return means
