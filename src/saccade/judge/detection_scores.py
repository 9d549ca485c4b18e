"""What is told of found boxes: their figures, in words, and as plain numbers.

How they are made: ``judge/detection.py``.
"""

from dataclasses import dataclass
from typing import Any

from saccade.data.box_sets import Counted
from saccade.judge.box_intervals import FEW_UNITS
from saccade.judge.by_group import ByGroup
from saccade.judge.plain import as_json, plain
from saccade.metrics.coco import FIRST_FIGURES
from saccade.values import Broken, Interval

FEW_BOXES = 30  # true boxes of a category; below, its figures have no interval
FEW_MISTAKES = 10  # of a kind; below, what it costs has no interval


@dataclass(frozen=True, slots=True)
class BoxFigure:
    """A figure by its name; ``true``: how many boxes it asks for.

    ``value`` is None where there is none, so that it is not defined; ``interval`` too where a range
    of areas has fewer than FEW_BOXES.
    """

    name: str
    true: int
    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class BoxClass:
    """One category: true boxes that must be found, found boxes, and its figures, by name.

    A value is None where the category has no true box; an interval is None too where it has fewer
    than FEW_BOXES, ``few``.
    """

    label: str
    true: int
    found: int
    few: bool
    values: dict[str, float | None]
    intervals: dict[str, Interval | None]


@dataclass(frozen=True, slots=True)
class BoxMistake:
    """One kind of mistake: how many, and by how much AP50 rises without them.

    ``interval`` is None for fewer than FEW_MISTAKES, too few to tell. "false positives" and
    "false negatives" are all found boxes that are wrong, and all true ones that none hits.
    """

    kind: str
    count: int
    cost: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class DetectionScores:
    """How well boxes are found.

    ``units``: pictures or groups, that were drawn; ``figures``: those of COCO, then of VOC;
    ``outside``: found boxes that lie wholly outside their picture. ``curves``: by overlap, the
    mean precision of the categories at 101 recalls. ``worst``: numbers of the pictures with most
    mistakes. ``broken``: the pictures that were left out; ``counted``: what of true boxes was, or
    was read otherwise than it stands there.
    """

    pictures: int
    units: str
    true: int
    crowd: int
    found: int
    outside: int
    figures: tuple[BoxFigure, ...]
    per_class: tuple[BoxClass, ...]
    mistakes: tuple[BoxMistake, ...]
    curves: dict[str, tuple[float, ...]]
    worst: tuple[int, ...]
    seed: int
    resamples: int
    by_group: ByGroup | None = None
    broken: tuple[Broken, ...] = ()
    counted: tuple[Counted, ...] = ()

    def figure(self, name: str) -> Interval | None:
        """Return a figure by its name, such as "AP50"."""
        return next(one.interval for one in self.figures if one.name == name)

    @property
    def headline(self) -> tuple[tuple[str, Interval], ...]:
        """The first figures to print, by name; those that are not defined are left out."""
        found = ((name, self.figure(name)) for name in FIRST_FIGURES)
        return tuple((name, one) for name, one in found if one is not None)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures: what of true boxes did not count."""
        return tuple(one.sentence for one in self.counted)

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        drawn = self.headline[0][1].n
        groups = "" if self.units == "pictures" else f" in {drawn:,} {self.units}"
        shown = sum(one.true > 0 for one in self.per_class)
        return f"{self.true:,} boxes of {shown:,} classes, {self.pictures:,} pictures{groups}"

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        said = []
        n = self.headline[0][1].n
        if n < FEW_UNITS:
            said.append(f"only {n} {self.units}: too few for the intervals to be trusted")
        absent = sum(one.true == 0 for one in self.per_class)
        if absent:
            said.append(f"{absent} classes have no true box and are left out of the means")
        if self.true < FEW_BOXES:
            said.append(f"only {self.true} true boxes: too few to tell much")
        few = sum(one.few for one in self.per_class)
        if few:
            said.append(f"{few} classes have fewer than {FEW_BOXES} true boxes: too few")
        if self.outside:
            said.append(
                f"{self.outside:,} found boxes lie outside their picture: were they made for other "
                "sizes?"
            )
        return "; ".join(said)

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes: plain numbers, lists and dicts."""
        whole: dict[str, Any] = plain(self)
        whole["figures"] = {one.pop("name"): one for one in whole["figures"]}
        return whole
