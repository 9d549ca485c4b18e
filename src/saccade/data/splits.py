"""Splits of a data set."""

from collections.abc import Sequence

import numpy as np


def hold_out_classes(
    labels: Sequence[str], *, share: float, seed: int
) -> tuple[set[str], set[str]]:
    """Split the distinct ``labels`` into (kept, held out), disjoint.

    ``share`` of the classes, rounded, and at least two, are held out when at least two remain;
    none with a share of 0 or fewer than four classes. The draw depends on the sorted labels and
    the seed.
    """
    classes = sorted(set(labels))
    count = max(2, round(share * len(classes)))
    if share == 0 or len(classes) - count < 2:
        return set(classes), set()
    order = np.random.default_rng(seed).permutation(len(classes))
    held = {classes[place] for place in order[:count]}
    return set(classes) - held, held
