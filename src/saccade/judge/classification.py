"""Judge a classifier: how often it is right, class by class, how surely, and when it stays silent.

How each figure gets its interval: ``judge/class_figures.py``, ``judge/resampling.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.class_tree import ClassTree
from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.judge.answers import AT_LEAST, WORST, Abstention, Answers, Cell, WrongAnswer
from saccade.judge.by_group import ByGroup
from saccade.judge.calibration import Calibration, judge_calibration
from saccade.judge.class_curves import ClassCurve, class_curves
from saccade.judge.class_figures import ClassFigures, ClassScore, class_figures
from saccade.judge.intervals import RESAMPLES, check_settings
from saccade.judge.operating_point import OperatingPoint, Wanted, operating_point
from saccade.judge.plain import as_json, plain
from saccade.judge.tree import TreeScores, judge_tree
from saccade.metrics.classification import confusion_matrix
from saccade.names import suggest
from saccade.values import Broken, IntArray, Interval

__all__ = [
    "AT_LEAST",
    "FEW",
    "WORST",
    "Abstention",
    "Answers",
    "ClassScore",
    "ClassificationScores",
    "Wanted",
    "WrongAnswer",
    "judge_answers",
    "judge_classification",
    "numbered",
]

FEW = 30  # pictures or groups; with fewer, an interval says little
UNEVEN = 0.9  # share of one class from which accuracy says little


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClassificationScores(ClassFigures):
    """How well a classifier answers.

    ``classes``: those of the model, in its order. ``confusion``: counts, row the true class, column
    the answer; ``cells``: pictures in it. ``chance``: accuracy of always naming ``commonest``.
    ``wrong`` pictures were answered wrong; ``mistakes`` are at most WORST of them, surest first.
    ``typical``: for each class its picture that was answered right with the highest probability, -1
    for none. ``groups``: how many groups of pictures were drawn for the intervals, None where each
    picture was. ``tree``: how far mistakes lie, where the classes have a tree. ``broken`` names the
    pictures that were left out.
    """

    pictures: int
    classes: tuple[str, ...]
    shown_classes: int
    chance: float
    commonest: str
    wrong: int
    confusion: tuple[tuple[int, ...], ...]
    cells: tuple[Cell, ...]
    abstention: tuple[Abstention, ...]
    mistakes: tuple[WrongAnswer, ...]
    typical: tuple[int, ...]
    seed: int
    resamples: int
    groups: int | None = None
    curves: tuple[ClassCurve, ...] = ()
    calibration: Calibration | None = None
    operating_point: OperatingPoint | None = None
    tree: TreeScores | None = None
    by_group: ByGroup | None = None
    broken: tuple[Broken, ...] = ()

    @property
    def headline(self) -> tuple[tuple[str, Interval], ...]:
        """The first figures to print, by name; those that are not defined are left out."""
        named = (
            ("accuracy", self.accuracy),
            ("balanced accuracy", self.balanced_accuracy),
            ("macro F1", self.macro_f1),
            ("MCC", self.matthews),
            ("AUC", self.macro_auc),
            ("mistake distance", None if self.tree is None else self.tree.mistakes),
        )
        return tuple((name, found) for name, found in named if found is not None)

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        drawn = "" if self.groups is None else f"{_counted(self.groups, 'group')} of "
        pictures = _counted(self.pictures, "picture")
        return f"{drawn}{pictures} of {_counted(self.shown_classes, 'class', 'classes')}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures."""
        sure, point = self.calibration, self.operating_point
        return (
            *(() if sure is None else (sure.sentence,)),
            *(() if point is None else (point.sentence,)),
        )

    @property
    def misleads(self) -> str:
        """Why accuracy alone misleads here; empty where it does not."""
        better = self.accuracy.low > self.chance
        if self.shown_classes > 1 and not better:
            return (
                f"accuracy misleads: always answering “{self.commonest}” would be right for "
                f"{_percent(self.chance)}, and this was not shown to be better"
            )
        if self.shown_classes > 1 and self.chance >= UNEVEN:
            return (
                f"accuracy misleads: {_percent(self.chance)} of the pictures are of the class "
                f"“{self.commonest}”; look at balanced accuracy and MCC"
            )
        if self.balanced_accuracy.high < self.accuracy.low:
            return (
                "accuracy misleads: it hides classes that are answered badly; look at balanced "
                "accuracy and at each class"
            )
        return ""

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        return "; ".join(self.warnings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the figures must know, one sentence each."""
        told = [self.misleads] if self.misleads else []
        undefined = [
            name
            for name, found in (("MCC", self.matthews), ("AUC", self.macro_auc))
            if found is None and (name == "MCC" or self.abstention)
        ]
        if undefined and self.shown_classes == 1:
            told.append(f"all pictures are of one class: {' and '.join(undefined)} not defined")
        elif "MCC" in undefined:
            told.append("all answers are alike: MCC not defined")
        if self.accuracy.n < FEW:
            told.append(f"only {self.basis}: too few to tell much")
        return tuple(told)

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts.

        ``confusion_rates`` is the confusion matrix as shares of its rows; a row of an absent class
        is all 0.
        """
        rates = [[count / max(1, sum(row)) for count in row] for row in self.confusion]
        told = {"confusion_rates": rates, "misleads": self.misleads}
        return {**plain(self), **told}


def judge_classification(
    probabilities: NDArray[np.floating],
    labels: Sequence[str],
    *,
    classes: Sequence[str],
    tree: ClassTree | None = None,
    groups: Sequence[str] | None = None,
    wanted: Wanted | None = None,
    temperature: float | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> ClassificationScores:
    """Judge ``probabilities`` (n, k), columns in the order of ``classes``, against ``labels`` (n,).

    A class of the model may be absent from ``labels``; all are leaves of ``tree``, if one is given.
    ``groups`` (n,): pictures of one group are alike and drawn together. ``wanted``: what an alarm
    for one class may cost. ``temperature``: what the probabilities were made with, to be told.
    Pictures must not be those trained on, or the figures flatter. Raises InputError for no picture,
    or a label that is no class.
    """
    truth = numbered(labels, classes)
    shares = np.asarray(probabilities, np.float64)
    if shares.shape != (len(truth), len(classes)) or not np.isfinite(shares).all():
        raise InputError(
            f"probabilities must be ({len(truth)}, {len(classes)}) finite numbers, "
            f"a row a picture; got shape {shares.shape}"
        )
    if shares.min() < 0 or shares.max() > 1 + 1e-6:
        raise InputError(
            f"probabilities must be from 0 to 1; found {shares.min():g} to {shares.max():g}"
        )
    sure = np.minimum(shares.max(axis=1), 1.0)
    answers = Answers(truth, shares.argmax(axis=1), sure, shares)
    return judge_answers(
        answers,
        classes=classes,
        tree=tree,
        groups=groups,
        wanted=wanted,
        temperature=temperature,
        seed=seed,
        resamples=resamples,
        level=level,
    )


def judge_answers(
    answers: Answers,
    *,
    classes: Sequence[str],
    tree: ClassTree | None = None,
    groups: Sequence[str] | None = None,
    wanted: Wanted | None = None,
    temperature: float | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> ClassificationScores:
    """Judge ``answers`` that may come without probabilities; all else as judge_classification."""
    check_settings(resamples, level)
    truth, n, k = answers.truth, len(answers.truth), len(classes)
    if groups is not None and len(groups) != n:
        raise InputError(f"{n} pictures need as many groups; got {len(groups)}")
    how: dict[str, Any] = {"seed": seed, "resamples": resamples}
    drawn: dict[str, Any] = {"groups": groups, "level": level, **how}
    figures = class_figures(answers, classes, **drawn)
    confusion = confusion_matrix(truth, answers.given, classes=k)
    shown = confusion.sum(axis=1)
    return ClassificationScores(
        **{one.name: getattr(figures, one.name) for one in fields(figures)},
        pictures=n,
        classes=tuple(classes),
        shown_classes=int((shown > 0).sum()),
        chance=float(shown.max() / n),
        commonest=classes[int(shown.argmax())],
        wrong=int((~answers.right).sum()),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        cells=answers.cells(k),
        abstention=answers.abstention(**drawn),
        mistakes=answers.mistakes(classes),
        typical=answers.typical(k),
        groups=None if groups is None else len(set(groups)),
        curves=class_curves(answers, figures.per_class),
        calibration=judge_calibration(answers, temperature=temperature, **drawn),
        operating_point=_operating_point(answers, classes, wanted, **drawn),
        tree=None
        if tree is None
        else judge_tree(truth, answers.given, tree=tree, classes=classes, **drawn),
        **how,
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


def _operating_point(
    answers: Answers, classes: Sequence[str], wanted: Wanted | None, **how: Any
) -> OperatingPoint | None:
    if wanted is None:
        return None
    if answers.shares is None:
        raise InputError(
            f"an operating point of '{wanted.label}' needs the probability of every class"
        )
    place = int(numbered([wanted.label], classes)[0])
    return operating_point(answers.truth == place, answers.shares[:, place], wanted, **how)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
