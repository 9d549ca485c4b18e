"""Masks judged group by group of the pictures: where is a model worse?

A group's figures are those of its pictures alone: a class that neither mask of any of them shows is
left out of its means.
"""

from collections.abc import Sequence

from saccade.intervals import LEVEL
from saccade.judge.box_intervals import units_of
from saccade.judge.by_group import ByGroup, judge_by_group
from saccade.judge.mask_counts import FIGURES, Counts, by_unit, intervals_of_sums
from saccade.values import Interval


def segmentation_by_group(
    counts: Counts,
    values: Sequence[str],
    *,
    column: str,
    groups: Sequence[str] | None = None,
    level: float = LEVEL,
) -> ByGroup:
    """Return FIGURES of the pictures with each of the ``values`` (n,) of ``column``.

    ``groups`` as for ``judge_counts``. Raises InputError where all values are one.
    """

    def judge(places: list[int], level: float) -> dict[str, Interval]:
        own = None if groups is None else [groups[place] for place in places]
        sums = by_unit(counts.sums[places], units_of(len(places), own))
        found = intervals_of_sums(sums, len(counts.confusion), level)
        named = zip(FIGURES, found, strict=False)
        return {name: one for name, one in named if one is not None}

    units = "pictures" if groups is None else "groups of pictures"
    return judge_by_group(judge, values, column=column, units=units, level=level)
