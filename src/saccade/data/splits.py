"""Splits of a data set: whole classes, or a share of each class."""

from collections import Counter
from collections.abc import Sequence

import numpy as np


def hold_out_classes(
    labels: Sequence[str], *, share: float, seed: int
) -> tuple[set[str], set[str]]:
    """Split the distinct ``labels`` (one a picture) into (kept, held out), disjoint.

    ``share`` of the classes, rounded, and at least two, are drawn from those with two pictures or
    more, for only they can be searched. None are held out with a share of 0, or when fewer than two
    could be drawn or would remain. The draw depends on the labels and the seed.
    """
    counts = Counter(labels)
    eligible = sorted(label for label, count in counts.items() if count > 1)
    number = min(max(2, round(share * len(counts))), len(eligible))
    if share == 0 or number < 2 or len(counts) - number < 2:
        return set(counts), set()
    order = np.random.default_rng(seed).permutation(len(eligible))
    held = {eligible[place] for place in order[:number]}
    return set(counts) - held, held


def hold_out_pictures(labels: Sequence[str], *, share: float, seed: int) -> set[int]:
    """Return the places in ``labels`` (one a picture) of the pictures held out, class by class.

    Of each class with two pictures or more, ``share`` of its pictures, rounded, at least one and
    never all; of a class with one picture, none. With a share of 0 none are held out. The draw
    depends on the labels and the seed.
    """
    draw = np.random.default_rng(seed)
    names = np.asarray(labels)
    held: set[int] = set()
    for label in sorted(set(labels)):
        places = draw.permutation(np.flatnonzero(names == label))
        number = min(max(1, round(share * len(places))), len(places) - 1)
        held.update(int(place) for place in places[: number if share else 0])
    return held
