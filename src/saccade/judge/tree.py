"""How far a classifier's mistakes lie from the truth, along the edges of a tree of classes.

The mean distance of the mistakes is that of Bertinetto et al., "Making Better Mistakes", 2020,
arXiv:1912.09393, section 4; we differ: distances are counted in edges, up to what both classes
belong to and down again. Intervals are percentiles of a bootstrap over pictures, or groups of them
(Efron and Tibshirani, 1993, chapter 13). Where draws have no spread, the mistakes get the whole
range of distances; answers that are all right get the exact bound on the share of mistakes, Clopper
and Pearson, 1934, each as far as can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.class_tree import ClassTree
from saccade.intervals import holding
from saccade.judge.intervals import none_right, percentile_bounds, resampled_means
from saccade.values import IntArray, Interval


@dataclass(frozen=True, slots=True)
class TreeScores:
    """Distances in edges of the tree.

    ``mistakes``: mean over the wrong answers, None without one; ``answers``: over all, right ones
    count 0; ``guessed``: what ``mistakes`` would be, had every wrong class been as likely.
    ``at_distance``: pairs of a distance and how many mistakes lie at it. ``order``: the places of
    the classes, those of one kind side by side.
    """

    mistakes: Interval | None
    answers: Interval
    guessed: float | None
    at_distance: tuple[tuple[int, int], ...]
    order: tuple[int, ...]


def judge_tree(
    truth: IntArray,
    answers: IntArray,
    *,
    tree: ClassTree,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
    seed: int,
    resamples: int,
    level: float,
) -> TreeScores:
    """Judge ``answers`` (n,) against ``truth`` (n,), places in ``classes``, leaves of ``tree``.

    Pictures of one of the ``groups`` (n,) are drawn together.
    """
    distances = tree.distances(classes)
    found = distances[truth, answers]
    wrong = found[found > 0]
    lengths = np.unique(distances).tolist()  # 0 comes first
    span = (lengths[:2][-1], lengths[-1])
    unit = np.arange(len(found)) if groups is None else np.unique(groups, return_inverse=True)[1]
    mistakes: Interval | None = None
    guessed: float | None = None
    if len(wrong):
        mistakes = _mean(wrong, unit[found > 0], span, seed, resamples, level)
        over_all = _mean(found, unit, (0, span[1]), seed, resamples, level)
        others = distances[truth[found > 0]].sum(axis=1) / (len(classes) - 1)
        guessed = float(others.mean())
    else:
        units = int(unit.max()) + 1
        most = none_right(units, level).high
        over_all = holding(0.0, 0.0, span[1] * most, units, level)
    sizes, counts = np.unique(wrong, return_counts=True)
    return TreeScores(
        mistakes=mistakes,
        answers=over_all,
        guessed=guessed,
        at_distance=tuple(zip(sizes.tolist(), counts.tolist(), strict=True)),
        order=tuple(tree.order(classes)),
    )


def _mean(
    distances: IntArray,
    unit: IntArray,
    span: tuple[int, int],
    seed: int,
    resamples: int,
    level: float,
) -> Interval:
    """The mean of distances (n,), n at least 1, with its interval; ``unit`` (n,) is drawn whole."""
    place = np.unique(unit, return_inverse=True)[1]
    sums, counts = (np.bincount(place, one).astype(np.float64) for one in (distances, None))
    n = len(counts)
    draws = resampled_means(sums[:, None], counts, seed, resamples)
    low, high = percentile_bounds(draws, level)
    if low[0] == high[0]:
        return holding(distances.mean(), *span, n, level)
    return holding(distances.mean(), low[0], high[0], n, level)
