"""What is told of a classifier: its figures, in words, and as plain numbers.

How they are made: ``judge/classification.py``.
"""

from dataclasses import dataclass
from typing import Any

from saccade.judge.answers import Abstention, Cell, WrongAnswer
from saccade.judge.by_group import ByGroup
from saccade.judge.calibration import Calibration
from saccade.judge.class_curves import ClassCurve
from saccade.judge.class_figures import ClassFigures
from saccade.judge.operating_point import OperatingPoint
from saccade.judge.plain import as_json, plain
from saccade.judge.tree import TreeScores
from saccade.values import Broken, Interval

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


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
