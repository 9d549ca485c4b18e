"""``robustness``: how a model's score falls as pictures are disturbed more and more.

The curves, and their means over the strengths, are those of Hendrycks and Dietterich, ICLR 2019
(arXiv:1903.12261), section 4. We differ: every point has an interval, the fall is told against the
same pictures undisturbed, and beside the model stands the nearest neighbour on pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.augment.disturbances import DISTURBANCES, Disturbance
from saccade.judge.drops import (
    SHARES,
    Floats,
    Groups,
    drop_text,
    paired_drop,
    score_interval,
)
from saccade.judge.plain import plain
from saccade.values import Broken, Interval


@dataclass(frozen=True, slots=True)
class Point:
    """One strength: the score, and how much worse it is than undisturbed (above 0 is worse)."""

    strength: float
    score: Interval
    worse: Interval


@dataclass(frozen=True, slots=True)
class Curve:
    """One disturbance; ``points`` by rising strength, of which one is ``undisturbed``.

    ``mean``: the score averaged over the other strengths, and ``worse``: how much worse that is.
    ``sentence``: from where on the score falls, and how far.
    """

    disturbance: str
    unit: str
    undisturbed: float
    points: tuple[Point, ...]
    mean: Interval
    worse: Interval
    sentence: str


@dataclass(frozen=True, slots=True)
class Robustness:
    """How a model stands disturbances.

    ``figure``: accuracy, rank-1, or an error; ``mean`` averages the curves' means, and ``worse``
    says how much worse that is than ``undisturbed``. ``n`` of an interval counts ``units``.
    ``nearest``: the same of the nearest neighbour on pixels; None when ``notes`` say why.
    ``broken`` names the pictures that were left out.
    """

    figure: str
    units: str
    pictures: int
    undisturbed: Interval
    mean: Interval
    worse: Interval
    curves: tuple[Curve, ...]
    nearest: "Robustness | None" = None
    notes: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def sentence(self) -> str:
        """The mean over all disturbances, and how far that is below undisturbed."""
        over = f"over {len(self.curves)} disturbance{'s' if len(self.curves) > 1 else ''}"
        return f"{over}, {self.figure} {drop_text(self.worse, self.figure)} on average"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        nearest = None if self.nearest is None else self.nearest.to_dict()
        return {**plain(self), "nearest": nearest, "sentence": self.sentence}


def judge_robustness(
    before: Floats,
    after: Mapping[str, Mapping[float, Floats]],
    *,
    figure: str,
    pictures: int,
    groups: Groups = None,
) -> Robustness:
    """Judge scores (s,), one a picture or search: undisturbed, and by disturbance and strength.

    ``groups`` (s,) name the identity of each search; all its searches are resampled together.
    """
    means = {name: np.mean([*found.values()], axis=0) for name, found in after.items()}
    whole = np.mean([*means.values()], axis=0)
    curves = [
        _curve(name, before, found, means[name], figure, groups) for name, found in after.items()
    ]
    return Robustness(
        figure=figure,
        units="pictures" if groups is None else "identities",
        pictures=pictures,
        undisturbed=score_interval(before, figure=figure, groups=groups),
        mean=score_interval(whole, figure=figure, groups=groups),
        worse=paired_drop(before, whole, figure=figure, groups=groups),
        curves=tuple(curves),
    )


def _curve(
    name: str,
    before: Floats,
    after: Mapping[float, Floats],
    mean: Floats,
    figure: str,
    groups: Groups,
) -> Curve:
    row = DISTURBANCES[name]
    points = [
        Point(
            strength,
            score_interval(scores, figure=figure, groups=groups),
            paired_drop(before, scores, figure=figure, groups=groups),
        )
        for strength, scores in after.items()
    ]
    start = score_interval(before, figure=figure, groups=groups)
    points.append(Point(row.undisturbed, start, Interval(0.0, 0.0, 0.0, start.n)))
    points.sort(key=lambda point: point.strength)
    return Curve(
        disturbance=name,
        unit=row.unit,
        undisturbed=row.undisturbed,
        points=tuple(points),
        mean=score_interval(mean, figure=figure, groups=groups),
        worse=paired_drop(before, mean, figure=figure, groups=groups),
        sentence=_sentence(row, points, figure),
    )


def _sentence(row: Disturbance, points: Sequence[Point], figure: str) -> str:
    """Both ways from undisturbed: the weakest strength with a fall that is shown, the strongest."""
    middle = [point.strength for point in points].index(row.undisturbed)
    ways = (points[:middle][::-1], points[middle + 1 :])
    return "; ".join(_way(row, way, figure) for way in ways if way)


def _way(row: Disturbance, points: Sequence[Point], figure: str) -> str:
    last = points[-1]
    first = next((point for point in points if point.worse.low > 0), None)
    if first is None:
        word = "fall" if figure in SHARES else "rise"
        return f"is not shown to {word} up to {row.at.format(last.strength)}"
    said = f"{drop_text(first.worse, figure)} at {row.at.format(first.strength)}"
    if first is last:
        return said
    return f"{said}, {drop_text(last.worse, figure)} at {row.at.format(last.strength)}"
