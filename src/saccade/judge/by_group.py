"""A model's figures group by group: who is served worse?

Differences between the best and the worst group are looked for among all pairs, so that one is
there by chance alone. The interval of a difference is made of the two groups' intervals (G. Y. Zou
and A. Donner, "Construction of confidence limits about effect measures", 2008, eq. 3), at a level
that allows for the number of pairs (Bonferroni).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

from saccade.errors import InputError
from saccade.intervals import LEVEL
from saccade.values import Interval

FEW = 30
Figures = Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One group: how many ``pictures``, and its figures by name; ``too_few`` to tell much.

    The figures are empty where there is nothing to judge them by.
    """

    group: str
    pictures: int
    figures: Figures
    too_few: bool


@dataclass(frozen=True, slots=True)
class ByGroup:
    """The figures of each group of a ``column``, and how far apart they are in ``figure``.

    ``spread``: the best group's figure minus the worst's among those with enough pictures, with an
    interval that allows for the ``pairs`` compared; None with fewer than two such groups.
    ``units``: what is drawn and must be enough, such as "pictures".
    """

    column: str
    figure: str
    groups: tuple[GroupFigures, ...]
    spread: Interval | None
    best: str
    worst: str
    pairs: int
    units: str

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.spread is None:
            return f"no two groups of “{self.column}” have {FEW} {self.units}: nothing can be said"
        gap = self.spread
        ends = f"({gap.low:.3f} to {gap.high:.3f}, allowing for {self.pairs} pairs)"
        if gap.low > 0:
            return f"{self.figure} differs by {gap.value:.3f} {ends}: “{self.best}”, “{self.worst}”"
        return f"no two groups of “{self.column}” are shown to differ in {self.figure} {ends}"


def judge_by_group(
    judge: Callable[[list[int], float], Figures],
    values: Sequence[str],
    *,
    column: str,
    units: str = "pictures",
    lower_is_better: bool = False,
    level: float = LEVEL,
) -> ByGroup:
    """Judge each group of pictures that have one of the ``values`` (n,) of ``column``.

    ``judge``: given the places of a group's pictures and a level, its figures; the first is
    compared, among groups whose figure stands on FEW ``units``. Raises InputError for a single
    group.
    """
    places: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        places.setdefault(value, []).append(place)
    if len(places) < 2:
        raise InputError(
            f"every picture has the same {column}, '{next(iter(places), '')}'; name a column that "
            "divides them with --by"
        )
    found = {group: judge(places[group], level) for group in sorted(places)}
    figure = next((name for figures in found.values() for name in figures), "")
    enough = [group for group, one in found.items() if one and one[figure].n >= FEW]
    pairs = max(1, len(list(combinations(enough, 2))))
    spread, best, worst = None, "", ""
    if len(enough) > 1:
        stricter = 1 - (1 - level) / pairs
        strict = {group: judge(places[group], stricter)[figure] for group in enough}
        ranked = sorted(enough, key=lambda group: strict[group].value, reverse=not lower_is_better)
        best, worst = ranked[0], ranked[-1]
        upper, lower = (best, worst) if not lower_is_better else (worst, best)
        spread = _difference(strict[upper], strict[lower], level)
    return ByGroup(
        column=column,
        figure=figure,
        groups=tuple(
            GroupFigures(group, len(places[group]), figures, group not in enough)
            for group, figures in found.items()
        ),
        spread=spread,
        best=best,
        worst=worst,
        pairs=pairs,
        units=units,
    )


def _difference(one: Interval, other: Interval, level: float) -> Interval:
    gap = one.value - other.value
    below = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    above = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(gap, gap - below, gap + above, one.n + other.n, level)
