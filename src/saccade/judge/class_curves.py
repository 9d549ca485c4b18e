"""The curves of single classes against all others: ROC and precision-recall, with thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.judge.answers import Answers
from saccade.judge.class_figures import ClassScore
from saccade.metrics.ranking import Ranking

DRAWN = 5  # classes
POINTS = 200  # of a curve; more cannot be told apart


@dataclass(frozen=True, slots=True)
class ClassCurve:
    """One class: at each of ``thresholds``, falling, what its probability or more accepts.

    ``recall``: of its pictures, the share accepted; ``false_alarms``: of the others;
    ``precision``: of those accepted, the share that shows it. At most POINTS of the curve's.
    """

    label: str
    thresholds: tuple[float, ...]
    recall: tuple[float, ...]
    false_alarms: tuple[float, ...]
    precision: tuple[float, ...]


def class_curves(answers: Answers, per_class: Sequence[ClassScore]) -> tuple[ClassCurve, ...]:
    """Return the curves of at most DRAWN classes, those told apart worst; of two, the rarer."""
    if answers.shares is None:
        return ()
    ranked = [(one.auc.value, place) for place, one in enumerate(per_class) if one.auc is not None]
    if len(per_class) == 2:
        ranked = sorted(ranked, key=lambda one: per_class[one[1]].pictures)[:1]
    found = []
    for _, place in sorted(ranked)[:DRAWN]:
        curve = Ranking.of(answers.truth == place, answers.shares[:, place]).curve()
        kept = np.unique(np.linspace(0, len(curve.recall) - 1, POINTS).round().astype(int))
        found.append(
            ClassCurve(
                per_class[place].label,
                *(
                    tuple(map(float, values[kept]))
                    for values in (
                        curve.thresholds,
                        curve.recall,
                        curve.false_alarms,
                        curve.precision,
                    )
                ),
            )
        )
    return tuple(found)
