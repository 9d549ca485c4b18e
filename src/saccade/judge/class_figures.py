"""A classifier's figures, class by class and over all, each with its interval.

Shares of pictures that are drawn one by one have Wilson's interval; whatever else, and whatever is
drawn in groups, has one from how far resampled pictures spread: see ``judge/resampling.py``.
A mean recall or precision spreads too little where a class has few pictures and none is wrong; its
interval is widened to that of a mean of independent shares: G. Y. Zou and A. Donner, "Construction
of confidence limits about effect measures", 2008, eq. 3, of the limits of the single classes. What
a class has too few of to tell are groups, where pictures are drawn in groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import holding, wilson_interval
from saccade.judge.answers import Answers
from saccade.judge.class_draws import ClassDraws, Figures
from saccade.judge.resampling import effective_interval, logit_interval, spread
from saccade.metrics.classification import Margins, confusion_matrix
from saccade.values import IntArray, Interval


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
    """The answers, what they amount to, and how far their figures spread."""

    def __init__(
        self,
        answers: Answers,
        classes: Sequence[str],
        groups: Sequence[str] | None,
        level: float,
    ) -> None:
        self.classes, self.groups, self.level = classes, groups, level
        self.n, k = len(answers.truth), len(classes)
        confusion = confusion_matrix(answers.truth, answers.given, classes=k)
        self.draws = ClassDraws(answers, Margins.of(confusion))
        self.right, self.shown, self.answered = (
            counts.tolist()
            for counts in (confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0))
        )
        self.units = self.n if groups is None else len(set(groups))
        self.units_shown, self.units_other = _units(answers.truth, groups, k)
        self.units_answered, _ = _units(answers.given, groups, k)

    def figures(self, *, seed: int, resamples: int) -> ClassFigures:
        draws = self.draws.draws(groups=self.groups, seed=seed, resamples=resamples)
        whole, wide = self.draws.whole(), {name: spread(drawn) for name, drawn in draws.items()}
        per_class = self._per_class(whole, wide)
        known = self.units_shown[self.units_shown > 0]
        even = min(int(known.min()) * len(known), self.units)

        def mean(name: str, low: float = 0.0) -> Interval | None:
            value = float(whole[name][0, 0])
            if np.isnan(value):
                return None
            deviation = float(wide[name][0])
            return effective_interval(
                value, deviation, n=self.units, even=even, level=self.level, low=low
            )

        accuracy, macro_f1 = mean("accuracy"), mean("macro_f1")
        balanced = _widened(mean("balanced"), [one.recall for one in per_class])
        assert accuracy is not None and balanced is not None and macro_f1 is not None
        return ClassFigures(
            accuracy=self._share(accuracy, sum(self.right), self.n),
            balanced_accuracy=balanced,
            macro_f1=macro_f1,
            matthews=mean("matthews", -1.0),
            macro_precision=_widened(mean("macro_precision"), [one.precision for one in per_class]),
            weighted_precision=mean("weighted_precision"),
            weighted_f1=mean("weighted_f1"),
            macro_auc=self._area(whole, wide, "macro_auc"),
            macro_average_precision=self._area(whole, wide, "macro_average_precision"),
            per_class=per_class,
        )

    def _per_class(
        self, whole: Figures, wide: Mapping[str, NDArray[np.float64]]
    ) -> tuple[ClassScore, ...]:
        def mean(name: str, k: int, units: int, n: int) -> Interval:
            value, deviation = float(whole[name][0, k]), float(wide[name][k])
            return effective_interval(value, deviation, n=n, even=units, level=self.level)

        def share(name: str, k: int, count: int, units: int) -> Interval | None:
            return self._share(mean(name, k, units, units), self.right[k], count) if count else None

        def f1(k: int) -> Interval | None:
            units = max(1, int(self.units_shown[k]))
            n = self.units if self.groups is None else units
            return mean("f1", k, units, n) if self.shown[k] + self.answered[k] else None

        return tuple(
            ClassScore(
                label=label,
                pictures=self.shown[k],
                answered=self.answered[k],
                recall=share("recall", k, self.shown[k], int(self.units_shown[k])),
                precision=share("precision", k, self.answered[k], int(self.units_answered[k])),
                f1=f1(k),
                auc=self._area(whole, wide, "auc", k),
                average_precision=self._area(whole, wide, "average_precision", k),
            )
            for k, label in enumerate(self.classes)
        )

    def _share(self, found: Interval, right: int, n: int) -> Interval:
        """Wilson's interval where pictures are drawn one by one, else the one found."""
        return wilson_interval(right, n, self.level) if self.groups is None else found

    def _area(
        self,
        whole: Figures,
        wide: Mapping[str, NDArray[np.float64]],
        name: str,
        k: int | None = None,
    ) -> Interval | None:
        ranked = self.draws.ranked
        if not ranked or (k is not None and k not in ranked):
            return None
        place = 0 if k is None else ranked.index(k)
        of = ranked if k is None else [k]
        fewest = int(np.minimum(self.units_shown, self.units_other)[of].min()) * len(of)
        return logit_interval(
            float(whole[name].ravel()[place]),
            float(wide[name][place]),
            n=self.units,
            fewest=min(fewest, self.units),
            level=self.level,
        )


def _units(numbers: IntArray, groups: Sequence[str] | None, k: int) -> tuple[IntArray, IntArray]:
    """How many pictures, or groups, have each of the ``numbers`` (n,) below k; how many another."""
    if groups is None:
        having = np.bincount(numbers, minlength=k)
        return having, len(numbers) - having
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    pairs = np.unique(group * k + numbers)
    of_group = pairs // k
    alone = np.bincount(of_group)[of_group] == 1
    only = np.bincount(pairs[alone] % k, minlength=k)
    return np.bincount(pairs % k, minlength=k), len(np.unique(of_group)) - only


def _widened(found: Interval | None, parts: Sequence[Interval | None]) -> Interval | None:
    """A mean over classes, widened to what the intervals of its ``parts`` allow."""
    if found is None:
        return None
    limits = [one for one in parts if one is not None]
    below = sqrt(sum((one.value - one.low) ** 2 for one in limits)) / len(limits)
    above = sqrt(sum((one.high - one.value) ** 2 for one in limits)) / len(limits)
    low, high = min(found.low, found.value - below), max(found.high, found.value + above)
    return holding(found.value, max(0.0, low), min(1.0, high), found.n, found.level)
