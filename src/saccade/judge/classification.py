"""Judge a classifier: how often it is right, class by class, and when it may stay silent.

Intervals: shares of pictures (accuracy, precision, recall) are exact binomial, Clopper and Pearson,
1934; balanced accuracy and macro F1 are percentiles of a bootstrap over pictures (Efron and
Tibshirani, 1993, chapter 13). Pictures of one truth and one answer are alike to these figures, so
that a draw of n pictures is one multinomial draw of the matrix's cells.
We differ where nothing can be resampled: when every picture is answered right, so that a draw has
no spread, the bound is that of k·m right answers, for k classes of which the rarest has m pictures.
(All right has the chance Π rᵢ^nᵢ ≤ Π rᵢ^m ≤ (mean r)^(k·m), by the means' inequality.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.class_tree import ClassTree
from saccade.errors import InputError
from saccade.intervals import LEVEL, binomial_interval, holding
from saccade.judge.intervals import (
    RESAMPLES,
    all_right,
    check_settings,
    none_right,
    percentile_bounds,
)
from saccade.judge.plain import as_json, plain
from saccade.judge.tree import TreeScores, judge_tree
from saccade.metrics.classification import Margins, confusion_matrix
from saccade.names import suggest
from saccade.values import Broken, IntArray, Interval

WORST = 24
AT_LEAST = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
BLOCK_CELLS = 1 << 22  # resamples × cells drawn at once


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: ``pictures`` show it, ``answered`` were given its name; None where there is none.

    ``recall``: of those that show it, the share answered right; ``precision``: of those given its
    name, the share that is right.
    """

    label: str
    pictures: int
    answered: int
    recall: Interval | None
    precision: Interval | None
    f1: float | None


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
    """A picture (its number) that was given a wrong class, with the probabilities of both."""

    picture: int
    truth: str
    truth_probability: float
    answer: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationScores:
    """How well a classifier answers.

    ``classes``: those of the model, in its order. ``confusion``: counts, row the true class, column
    the answer. ``chance``: accuracy of always naming the commonest class. ``wrong`` pictures were
    answered wrong; ``mistakes`` are at most WORST of them, surest first. ``typical``: for each
    class its picture that was answered right with the highest probability, -1 for none. ``tree``:
    how far mistakes lie, where the classes have a tree. ``broken`` names the pictures that were
    left out.
    """

    pictures: int
    classes: tuple[str, ...]
    shown_classes: int
    chance: float
    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    wrong: int
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    abstention: tuple[Abstention, ...]
    mistakes: tuple[WrongAnswer, ...]
    typical: tuple[int, ...]
    seed: int
    resamples: int
    tree: TreeScores | None = None
    broken: tuple[Broken, ...] = ()

    @property
    def headline(self) -> tuple[tuple[str, Interval], ...]:
        """The first figures to print, by name."""
        distance = self.tree and self.tree.mistakes
        return (
            ("accuracy", self.accuracy),
            ("balanced accuracy", self.balanced_accuracy),
            ("macro F1", self.macro_f1),
            *((("mistake distance", distance),) if distance else ()),
        )

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        return f"{self.pictures} pictures of {self.shown_classes} classes"

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        return ""

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts.

        ``confusion_rates`` is the confusion matrix as shares of its rows; a row of an absent class
        is all 0.
        """
        rates = [[count / max(1, sum(row)) for count in row] for row in self.confusion]
        return {**plain(self), "confusion_rates": rates}


def judge_classification(
    probabilities: NDArray[np.floating],
    labels: Sequence[str],
    *,
    classes: Sequence[str],
    tree: ClassTree | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> ClassificationScores:
    """Judge ``probabilities`` (n, k), columns in the order of ``classes``, against ``labels`` (n,).

    A class of the model may be absent from ``labels``; all are leaves of ``tree``, if one is given.
    Pictures must not be those trained on, or the figures flatter. Raises InputError for no picture,
    or a label that is no class.
    """
    check_settings(resamples, level)
    truth = numbered(labels, classes)
    shares = np.asarray(probabilities, np.float64)
    if shares.shape != (len(truth), len(classes)) or not np.isfinite(shares).all():
        raise InputError(
            f"probabilities must be ({len(truth)}, {len(classes)}) finite numbers, "
            f"a row a picture; got shape {shares.shape}"
        )
    answers = shares.argmax(axis=1)
    confusion = confusion_matrix(truth, answers, classes=len(classes))
    right, surest = answers == truth, shares.max(axis=1)
    balanced, macro = _bootstrapped(confusion, seed=seed, resamples=resamples, level=level)
    shown = confusion.sum(axis=1)
    return ClassificationScores(
        pictures=len(truth),
        classes=tuple(classes),
        shown_classes=int((shown > 0).sum()),
        chance=float(shown.max() / len(truth)),
        accuracy=binomial_interval(int(right.sum()), len(truth), level),
        balanced_accuracy=balanced,
        macro_f1=macro,
        wrong=int((~right).sum()),
        per_class=_per_class(confusion, classes, level),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        abstention=tuple(_abstention(surest, right, limit, level) for limit in AT_LEAST),
        mistakes=_mistakes(shares, truth, answers, classes),
        typical=_typical(surest, right, truth, len(classes)),
        seed=seed,
        resamples=resamples,
        tree=None
        if tree is None
        else judge_tree(
            truth,
            answers,
            tree=tree,
            classes=classes,
            seed=seed,
            resamples=resamples,
            level=level,
        ),
    )


def numbered(labels: Sequence[str], classes: Sequence[str]) -> IntArray:
    """Return (n,) int64: each label's place in ``classes``.

    Raises InputError, naming the label, for one that is no class, and for no label.
    """
    place = {name: number for number, name in enumerate(classes)}
    if len(labels) == 0:
        raise InputError("there is no picture to judge; give at least one")
    for label in labels:
        if label not in place:
            raise InputError(
                f"class '{label}' is not one that the model has learned "
                f"({suggest(label, classes)}); leave its pictures out, or train again with them"
            )
    return np.array([place[label] for label in labels], dtype=np.int64)


def _per_class(confusion: IntArray, classes: Sequence[str], level: float) -> tuple[ClassScore, ...]:
    margins = Margins.of(confusion)
    right, shown, answered = (
        column.tolist() for column in (margins.right, margins.shown, margins.answered)
    )
    f1 = margins.f1()
    return tuple(
        ClassScore(
            label=label,
            pictures=shown[k],
            answered=answered[k],
            recall=binomial_interval(right[k], shown[k], level) if shown[k] else None,
            precision=binomial_interval(right[k], answered[k], level) if answered[k] else None,
            f1=None if np.isnan(f1[k]) else float(f1[k]),
        )
        for k, label in enumerate(classes)
    )


def _bootstrapped(
    confusion: IntArray, *, seed: int, resamples: int, level: float
) -> tuple[Interval, Interval]:
    """Return balanced accuracy and macro F1."""
    whole = Margins.of(confusion)
    values = np.array([whole.balanced_accuracy(), whole.macro_f1()])
    draws = np.concatenate(
        [
            np.stack([block.balanced_accuracy(), block.macro_f1()], axis=1)
            for block in _draws(confusion, np.random.default_rng(seed), resamples)
        ]
    )
    low, high = percentile_bounds(draws, level)
    shown = confusion.sum(axis=1)
    even = int((shown > 0).sum() * shown[shown > 0].min())
    first, second = (
        _interval(values[i], low[i], high[i], n=int(shown.sum()), even=even, level=level)
        for i in (0, 1)
    )
    return first, second


def _draws(confusion: IntArray, rng: np.random.Generator, resamples: int) -> Any:
    """Yield the Margins of blocks of resampled matrices, (block, classes) each."""
    rows, columns = np.nonzero(confusion)
    counts = confusion[rows, columns]
    everyone = np.arange(len(confusion))
    shown = (rows[:, None] == everyone).astype(np.float64)
    answered = (columns[:, None] == everyone).astype(np.float64)
    block = max(1, BLOCK_CELLS // (len(counts) + len(confusion)))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.multinomial(counts.sum(), counts / counts.sum(), size=size)
        yield Margins(drawn @ (shown * answered), drawn @ shown, drawn @ answered)


def _interval(
    value: float, low: float, high: float, *, n: int, even: int, level: float
) -> Interval:
    """An estimate with no spread gets the bound of the module's head, or the whole range."""
    if low < high:
        return holding(value, low, high, n, level)
    if value == 1.0:
        return holding(1.0, all_right(even, level).low, 1.0, n, level)
    if value == 0.0:
        return holding(0.0, 0.0, none_right(even, level).high, n, level)
    return holding(value, 0.0, 1.0, n, level)


def _abstention(
    surest: NDArray[np.float64], right: NDArray[np.bool_], limit: float, level: float
) -> Abstention:
    kept = surest >= limit
    count, correct = int(kept.sum()), int((kept & right).sum())
    accuracy = binomial_interval(correct, count, level) if count else None
    return Abstention(limit, count / len(kept), accuracy)


def _mistakes(
    shares: NDArray[np.float64], truth: IntArray, answers: IntArray, classes: Sequence[str]
) -> tuple[WrongAnswer, ...]:
    wrong = np.flatnonzero(answers != truth)
    surest = wrong[np.argsort(-shares[wrong, answers[wrong]], kind="stable")][:WORST]
    return tuple(
        WrongAnswer(
            picture=int(number),
            truth=classes[truth[number]],
            truth_probability=float(shares[number, truth[number]]),
            answer=classes[answers[number]],
            probability=float(shares[number, answers[number]]),
        )
        for number in surest
    )


def _typical(
    surest: NDArray[np.float64], right: NDArray[np.bool_], truth: IntArray, classes: int
) -> tuple[int, ...]:
    found = [-1] * classes
    for number in np.argsort(surest, kind="stable"):
        if right[number]:
            found[truth[number]] = int(number)
    return tuple(found)
