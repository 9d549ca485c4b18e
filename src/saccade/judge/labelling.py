"""Which unlabelled pictures to label next: those the model is unsure of, and no near-copies.

How unsure: the margin between the two likeliest classes (Scheffer, Decomain, Wrobel, "Active Hidden
Markov Models for Information Extraction", IDA 2001), or the entropy of all (Shannon, 1948). Among
the most unsure, k-centre greedy (Gonzalez, 1985; Sener and Savarese, "Active Learning for
Convolutional Neural Networks: A Core-Set Approach", ICLR 2018, algorithm 1): each further picture
is the one farthest from all chosen. We differ: what is labelled already is not known here, so the
first is the most unsure one; a picture that is a copy of one chosen is never offered.
"""

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.values import Float32Array, Float64Array, IntArray

UNSURE = ("margin", "entropy")
POOL = 5  # times as many unsure ones as are wanted, to choose different ones from
SAME = 1e-6  # squared distance of features of length 1; below, they are copies


def unsure(probabilities: Float32Array, *, by: str) -> Float64Array:
    """(n, classes), rows that sum to 1 → (n,) in [0, 1]: 0 for sure, 1 for no idea.

    ``by`` "margin": 1 less the difference of the two largest; "entropy": over that of equal shares.
    """
    shares = probabilities.astype(np.float64)
    if by == "margin":
        largest = np.sort(shares, axis=1)[:, -2:]
        return np.asarray(1.0 - (largest[:, 1] - largest[:, 0]), np.float64)
    if by == "entropy":
        logs = np.log(np.where(shares > 0, shares, 1.0))
        return np.asarray(-(shares * logs).sum(1) / np.log(shares.shape[1]), np.float64)
    raise InputError(f"unsure by '{by}' is not known; known: {', '.join(UNSURE)}")


def choose_next(
    features: Float32Array, doubts: Float64Array | None, *, count: int, pool: int = POOL
) -> IntArray:
    """Return the rows to label, at most ``count``, in the order to label them.

    ``features`` (n, d); their directions are compared. ``doubts`` (n,), higher for less sure: the
    choice is among the ``pool`` · ``count`` highest; None: among all, beginning with the most
    typical one. Fewer rows come where all the rest are copies.
    """
    rows = _directions(features)
    if doubts is None:
        among = np.arange(len(rows))
        first = int((rows @ rows.mean(0)).argmax())
    else:
        among = np.argsort(-doubts, kind="stable")[: pool * count]
        first = 0
    return among[k_centre(rows[among], first=first, count=count)]


def k_centre(rows: NDArray[np.floating], *, first: int, count: int) -> IntArray:
    """(n, d) → at most ``count`` rows, ``first``, then each time the farthest from all chosen.

    It ends early where all others are within SAME of one chosen.
    """
    chosen = [first]
    nearest = _squared(rows, first)
    while len(chosen) < min(count, len(rows)):
        farthest = int(nearest.argmax())
        if nearest[farthest] <= SAME:
            break
        chosen.append(farthest)
        nearest = np.minimum(nearest, _squared(rows, farthest))
    return np.array(chosen, np.int64)


def _squared(rows: NDArray[np.floating], row: int) -> NDArray[np.floating]:
    return np.asarray(((rows - rows[row]) ** 2).sum(1))


def _directions(features: Float32Array) -> Float32Array:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)
