"""Found boxes judged group by group of the pictures: where is a detector worse?

A group's figures are those of its pictures alone: its found boxes are matched and ranked by
themselves, and a category that none of its pictures shows is left out of its means.
"""

from collections.abc import Sequence

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes, of_pictures
from saccade.intervals import LEVEL
from saccade.judge.box_intervals import intervals_of, units_of
from saccade.judge.by_group import ByGroup, judge_by_group
from saccade.judge.detection import RESAMPLES
from saccade.judge.detection_scores import FEW_BOXES
from saccade.metrics.coco import FIRST_FIGURES, match_coco
from saccade.values import Interval


def detection_by_group(
    true: TrueBoxes,
    found: FoundBoxes,
    values: Sequence[str],
    *,
    column: str,
    categories: int,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> ByGroup:
    """Return FIRST_FIGURES of the pictures with each of the ``values`` (pictures,) of ``column``.

    ``groups`` (pictures,) name what belongs together and is drawn whole. Raises InputError where
    all values are one.
    """

    def judge(places: list[int], level: float) -> dict[str, Interval]:
        own = of_pictures(true, places, len(values))
        given = of_pictures(found, places, len(values))
        if own.crowd.all():
            return {}
        intervals = intervals_of(
            match_coco(own, given, categories=categories, areas=("all",)).first,
            units_of(len(places), _some(groups, places)),
            boxes=len(given.score) + len(own.area),
            seed=seed,
            resamples=resamples,
            level=level,
        )
        named = zip(FIRST_FIGURES, intervals, strict=True)
        return {name: interval for name, interval in named if interval is not None}

    wanted = np.bincount(true.picture[~true.crowd], minlength=len(values))

    def weak(places: list[int]) -> bool:
        return int(wanted[places].sum()) < FEW_BOXES

    units = f"{'pictures' if groups is None else 'groups of pictures'} and {FEW_BOXES} true boxes"
    return judge_by_group(judge, values, column=column, units=units, level=level, weak=weak)


def _some(groups: Sequence[str] | None, places: Sequence[int]) -> list[str] | None:
    return None if groups is None else [groups[place] for place in places]
