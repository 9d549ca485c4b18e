"""How well groups agree with whom pictures show: over all pairs of pictures.

A pair is right when both say that it shows one identity. Adjusted Rand: Hubert and Arabie,
"Comparing partitions", Journal of Classification, 1985, by scikit-learn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.values import Float64Array


@dataclass(frozen=True, slots=True)
class Cells:
    """Pictures by group and identity: each of n pictures is in one of c ``cells`` (n,).

    ``of_group`` and ``of_identity`` (c,) tell which group and which identity a cell is of.
    """

    cells: NDArray[np.int64]
    of_group: NDArray[np.int64]
    of_identity: NDArray[np.int64]


def cells(groups: ArrayLike, identities: Sequence[str] | ArrayLike) -> Cells:
    """Sort pictures by their group (n,) and the identity (n,) that they show."""
    group, identity = np.asarray(groups), np.asarray(identities)
    if group.ndim != 1 or group.shape != identity.shape or not len(group):
        raise InputError(
            f"a group and an identity for each picture are needed; got {group.shape} and "
            f"{identity.shape}"
        )
    _, which = np.unique(group, return_inverse=True)
    _, whose = np.unique(identity, return_inverse=True)
    pairs, found = np.unique(np.stack([which, whose], axis=1), axis=0, return_inverse=True)
    return Cells(found.ravel().astype(np.int64), pairs[:, 0], pairs[:, 1])


def pairwise(sorted_by: Cells, counts: NDArray[np.number] | None = None) -> Float64Array:
    """Return precision, recall and F1 over pairs of pictures: (3,), or (3, b) for ``counts``.

    ``counts`` (n, b): how often each picture counts, as in a bootstrap; a picture makes no pair
    with itself. NaN where there is no pair: of one group (precision), of one identity (recall).
    """
    n = len(sorted_by.cells)
    weights = np.ones((n, 1)) if counts is None else np.asarray(counts, np.float64)
    both = _sums(sorted_by.cells, weights)
    squares = (weights**2).sum(axis=0)
    together, grouped, alike = (
        ((_sums(of, both) ** 2).sum(axis=0) - squares) / 2
        for of in (np.arange(len(both)), sorted_by.of_group, sorted_by.of_identity)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.stack([together / grouped, together / alike, 2 * together / (grouped + alike)])
    return found[:, 0] if counts is None else found


def adjusted_rand(groups: ArrayLike, identities: Sequence[str] | ArrayLike) -> float:
    """Return the adjusted Rand index: 1 for the same partition, 0 on average by chance."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(np.asarray(identities), np.asarray(groups)))


def _sums(where: NDArray[np.int64], weights: Float64Array) -> Float64Array:
    """Sum rows (n, b) that go to the same place: (places, b)."""
    found = np.zeros((int(where.max()) + 1, weights.shape[1]))
    np.add.at(found, where, weights)
    return found
