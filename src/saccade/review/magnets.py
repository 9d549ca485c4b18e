"""Pictures that attract strangers: alike to pictures of several other identities at once.

Such hubs (Radovanović, Nanopoulos and Ivanović, "Hubs in space", JMLR 2010) come from crops that
show no face, or too little of one: an embedder puts all of them in one place, and each matches
everyone who has one.
"""

import numpy as np

from saccade.values import Float32Array, IntArray

STRANGERS = 5  # other identities, all of which a magnet matches
ODD = 6.0  # robust deviations beyond what is usual
ROBUST = 1.4826  # times the median absolute deviation: the deviation, of a normal distribution
LEAST_DEVIATION = 0.005


def magnets(alike: Float32Array, usual: Float32Array, *, threshold: float | None) -> IntArray:
    """Return the rows that attract strangers, the strongest first.

    ``alike`` (n, STRANGERS or more): each row's best matches with different other identities, best
    first (``neighbours.strangers``). ``usual`` (s,): the last of STRANGERS, of rows of this gallery
    (``neighbours.stranger_of_some``). A magnet matches STRANGERS of them far better than is usual,
    and at ``threshold`` or better where there is one.
    """
    fifth = alike[:, STRANGERS - 1].astype(np.float64)
    middle = np.median(usual)
    deviation = max(ROBUST * np.median(np.abs(usual - middle)), LEAST_DEVIATION)
    least = middle + ODD * deviation
    if threshold is not None:
        least = max(least, threshold)
    found = np.flatnonzero(fifth >= least)
    return found[np.argsort(-fifth[found], kind="stable")]
