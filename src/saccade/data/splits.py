"""Splits of a data set, each decided by its labels or groups and the seed alone.

Stratified and grouped splits and folds as in scikit-learn's ``model_selection``; we differ in that
a stratified split never takes a class's last picture away from training.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from saccade.errors import InputError
from saccade.values import IntArray


def hold_out_classes(
    labels: Sequence[str], *, share: float, seed: int
) -> tuple[set[str], set[str]]:
    """Split the distinct ``labels`` (one a picture) into (kept, held out), disjoint.

    ``share`` of the classes, rounded, and at least two, are drawn from those with two pictures or
    more, for only they can be searched; two at least remain. None are held out with a share of 0,
    or when fewer than two could be. The draw depends on the labels and the seed.
    """
    counts = Counter(labels)
    eligible = sorted(label for label, count in counts.items() if count > 1)
    number = min(max(2, round(share * len(counts))), len(eligible), len(counts) - 2)
    if share == 0 or number < 2:
        return set(counts), set()
    order = np.random.default_rng(seed).permutation(len(eligible))
    held = {eligible[place] for place in order[:number]}
    return set(counts) - held, held


def stratified_split(
    labels: Sequence[str], *, share: float, seed: int, least: int = 0
) -> tuple[IntArray, IntArray]:
    """Split pictures into (kept, held out): their places in ``labels``, int64, rising.

    Of a class of m pictures, floor or ceil of ``share`` * m are held out, but never all of them; in
    sum round(``share`` * n), unless classes of one picture stand in the way. ``least``: held out of
    each class with more pictures than that, however small a share above 0 is. Raises InputError for
    a share outside of [0, 1).
    """
    _check_share(share)
    draw = np.random.default_rng(seed)
    places = _places(labels)
    wanted = [share * len(rows) for rows in places]
    fewest = least if share else 0
    held = [
        min(max(int(want), fewest), len(rows) - 1)
        for want, rows in zip(wanted, places, strict=True)
    ]
    # Largest remainder; the draw settles ties.
    rest = [want - int(want) for want in wanted]
    missing = round(share * len(labels)) - sum(held)
    for number in np.lexsort((draw.random(len(places)), -np.array(rest))).tolist():
        below = held[number] < min(wanted[number], len(places[number]) - 1)
        if missing > 0 and rest[number] > 0 and below:
            held[number] += 1
            missing -= 1
    chosen = [draw.permutation(rows)[:size] for rows, size in zip(places, held, strict=True)]
    return _parted(len(labels), np.concatenate([np.zeros(0, np.int64), *chosen]))


def grouped_split(groups: Sequence[str], *, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Split pictures into (kept, held out), places rising, so that no group stands on both sides.

    ``share`` of the groups, rounded, but at least one and not all, are held out; none with a share
    of 0. Raises InputError for a share outside of [0, 1), or a single group that would be parted.
    """
    _check_share(share)
    places = _places(groups)
    if share == 0:
        return _parted(len(groups), np.zeros(0, np.int64))
    if len(places) < 2:
        raise InputError(
            f"a grouped split needs at least two groups. Got {len(places)} instead; "
            "choose another column"
        )
    number = min(max(1, round(share * len(places))), len(places) - 1)
    order = np.random.default_rng(seed).permutation(len(places))[:number]
    return _parted(len(groups), np.concatenate([places[place] for place in order.tolist()]))


def stratified_folds(labels: Sequence[str], *, folds: int, seed: int) -> list[IntArray]:
    """Return the held-out places of each fold, rising: every picture stands in exactly one.

    The folds' sizes differ by at most one, and so do the numbers of each class in them. A class
    with fewer pictures than folds is missing from some.
    """
    _check_folds(folds, len(labels), "pictures")
    draw = np.random.default_rng(seed)
    dealt = np.concatenate([draw.permutation(rows) for rows in _places(labels)])
    return [np.sort(dealt[first::folds]) for first in range(folds)]


def grouped_folds(groups: Sequence[str], *, folds: int, seed: int) -> list[IntArray]:
    """Return the held-out places of each fold, rising, so that each group lies in one fold.

    The largest group that is left goes to the smallest fold, so that the folds' sizes differ by at
    most the largest group; the draw settles ties.
    """
    places = _places(groups)
    _check_folds(folds, len(places), "groups")
    order = np.random.default_rng(seed).permutation(len(places)).tolist()
    found: list[list[IntArray]] = [[] for _ in range(folds)]
    sizes = [0] * folds
    for number in sorted(order, key=lambda number: -len(places[number])):
        smallest = sizes.index(min(sizes))
        found[smallest].append(places[number])
        sizes[smallest] += len(places[number])
    return [np.sort(np.concatenate(parts)) for parts in found]


def nested_shares(labels: Sequence[str], *, shares: Sequence[float], seed: int) -> list[IntArray]:
    """Return places for each of the rising ``shares`` in (0, 1], each within the one after it.

    Of a label of m pictures ``taken_of(share, m)`` are taken, drawn by the seed.
    """
    draw = np.random.default_rng(seed)
    orders = [draw.permutation(rows) for rows in _places(labels)]
    return [
        np.sort(np.concatenate([rows[: taken_of(share, len(rows))] for rows in orders]))
        for share in shares
    ]


def taken_of(share: float, m: int) -> int:
    """Return ``share`` * m rounded, halves up, at least 1."""
    return max(1, int(share * m + 0.5))


def bootstrap_sample(labels: Sequence[str], *, seed: int) -> IntArray:
    """Return as many places as there are labels, drawn with replacement within each label, rising.

    Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 8.3,
    for several samples.
    """
    draw = np.random.default_rng(seed)
    return np.sort(np.concatenate([draw.choice(rows, len(rows)) for rows in _places(labels)]))


def _places(names: Sequence[str]) -> list[IntArray]:
    """The places of each distinct name, by name."""
    found: dict[str, list[int]] = {name: [] for name in sorted(set(names))}
    for place, name in enumerate(names):
        found[name].append(place)
    return [np.array(places, np.int64) for places in found.values()]


def _parted(n: int, held: IntArray) -> tuple[IntArray, IntArray]:
    chosen = np.zeros(n, bool)
    chosen[held] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _check_share(share: float) -> None:
    if not 0 <= share < 1:
        raise InputError(f"the share held out must be at least 0 and below 1. Got {share} instead")


def _check_folds(folds: int, n: int, what: str) -> None:
    if not 2 <= folds <= n:
        raise InputError(
            f"folds must be 2 to {n}, the number of {what}. Got {folds} instead; take fewer folds "
            "or more pictures"
        )
