"""Learning rates by name: each gives the share of the highest rate at a place in the run.

Called with ``progress`` (0 to 1, the share of the steps that are done once this one is) and
``warm_up`` (the share of the run in which the rate rises, below 1). They hold no state, so a
resumed run goes on with the same rates.
"""

import math

FINAL_SHARE = 1e-3


def one_cycle(progress: float, *, warm_up: float) -> float:
    """Return the share of the highest rate at ``progress`` (0 to 1) through the run.

    Rises as half a cosine over the first ``warm_up`` share, then falls as half a cosine to
    FINAL_SHARE. Smith, "A disciplined approach", 2018, arXiv:1803.09820; we differ: cosine flanks
    and a fixed momentum.
    """
    if progress < warm_up:
        return FINAL_SHARE + (1 - FINAL_SHARE) * (1 - math.cos(math.pi * progress / warm_up)) / 2
    return FINAL_SHARE + (1 - FINAL_SHARE) * _half_cosine(progress, warm_up)


def cosine(progress: float, *, warm_up: float) -> float:
    """Return a share that rises on a straight line, then falls as half a cosine to 0.

    Loshchilov and Hutter, "SGDR", 2017, arXiv:1608.03983, eq. 5, with one period and least rate 0;
    the warm-up is that of Goyal et al., 2017, arXiv:1706.02677, section 2.2.
    """
    return progress / warm_up if progress < warm_up else _half_cosine(progress, warm_up)


def constant(progress: float, *, warm_up: float) -> float:
    """Return a share that rises on a straight line, then stays 1: for runs of open length."""
    return progress / warm_up if progress < warm_up else 1.0


def _half_cosine(progress: float, warm_up: float) -> float:
    """1 at the end of the warm-up, 0 at the end of the run."""
    fall = (progress - warm_up) / (1 - warm_up)
    return (1 + math.cos(math.pi * min(fall, 1.0))) / 2
