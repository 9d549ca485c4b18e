"""Judge a classifier: how often it is right, class by class, how surely, and when it stays silent.

How each figure gets its interval: ``judge/class_figures.py``, ``judge/resampling.py``.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.class_tree import ClassTree
from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.judge.answers import AT_LEAST, WORST, Abstention, Answers, WrongAnswer
from saccade.judge.calibration import judge_calibration
from saccade.judge.class_curves import class_curves
from saccade.judge.class_figures import ClassScore, class_figures
from saccade.judge.classification_scores import FEW, ClassificationScores
from saccade.judge.intervals import RESAMPLES, check_settings
from saccade.judge.operating_point import OperatingPoint, Wanted, operating_point
from saccade.judge.tree import judge_tree
from saccade.metrics.classification import confusion_matrix
from saccade.names import suggest
from saccade.values import IntArray

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
