"""Splits of a data set."""

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
