"""Which unlabelled pictures to label next: those the model is unsure of, and no near-copies.

How unsure: the margin between the two likeliest classes (Scheffer, Decomain, Wrobel, "Active Hidden
Markov Models for Information Extraction", IDA 2001), or the entropy of all (Shannon, 1948). The
most unsure are parted into groups by k-means, each counting as much as it is unsure, and the
picture in the middle of each group is offered: Zhdanov, "Diverse mini-batch Active Learning", 2019,
arXiv:1901.05954. k-centre greedy (Sener and Savarese, ICLR 2018) was tried and offered what is odd
rather than what teaches. We differ: directions of features are compared, and exact copies are left
out first.
"""

import numpy as np

from saccade.errors import InputError
from saccade.values import Float32Array, Float64Array, IntArray

UNSURE = ("margin", "entropy")
POOL = 5  # times as many unsure ones as are wanted, to choose different ones from
DIGITS = 4  # of features of length 1; alike in all of them, two pictures are copies
LEAST = 1e-6  # that a picture counts which the model has no doubt of


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
    choice is among the ``pool`` · ``count`` highest, the most unsure first; None: among all, those
    that stand for most others first. Fewer rows come where all the rest are copies.
    """
    from sklearn.cluster import KMeans  # Slow to load.

    rows = _directions(features)
    weights = np.ones(len(rows)) if doubts is None else doubts + LEAST
    order = np.argsort(-weights, kind="stable")
    _, distinct = np.unique(rows[order].round(DIGITS), axis=0, return_index=True)
    among = order[np.sort(distinct)]
    among = among if doubts is None else among[: pool * count]
    if len(among) <= count:
        return among
    found = KMeans(count, n_init=1, random_state=0).fit(rows[among], sample_weight=weights[among])
    apart = ((rows[among] - found.cluster_centers_[found.labels_]) ** 2).sum(1)
    groups = [np.flatnonzero(found.labels_ == group) for group in range(count)]
    groups = [group for group in groups if len(group)]
    if doubts is None:
        groups.sort(key=len, reverse=True)
    middles = np.array([group[apart[group].argmin()] for group in groups])
    return np.asarray(among[middles if doubts is None else np.sort(middles)], np.int64)


def _directions(features: Float32Array) -> Float32Array:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)
