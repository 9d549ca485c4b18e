"""Closed-set identification: the place of the right identity in the answer to a search.

Sources: P. J. Phillips, P. Grother and R. Micheals, "Evaluation methods in face recognition"
(Handbook of Face Recognition, 2011); ISO/IEC 19795-1, "Biometric performance testing and
reporting", for rank-k identification rate and the cumulative match characteristic (CMC).
We differ: ties are counted against the query, so that an embedder which maps every picture to the
same vector earns nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError, SettingError
from saccade.metrics.identities import number_identities
from saccade.values import IntArray

Labels = Sequence[str] | NDArray[np.generic]


def ranks(
    similarities: NDArray[np.floating],
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    tie: float = 0.0,
) -> IntArray:
    """Return (q,) int64: the rank of each query's identity, 1 = first, 0 = not in the gallery.

    ``similarities``: (q, g), higher is more alike. Identities are ranked, not pictures: an
    identity's score is that of its best picture. Another identity within ``tie`` of the right one
    stands before it. Raises InputError for shapes that do not fit, and for NaN.
    """
    table = np.asarray(similarities)
    expected = (len(query_labels), len(gallery_labels))
    if table.shape != expected or 0 in expected:
        raise InputError(
            f"similarities have shape {table.shape}; {expected[0]} query labels and {expected[1]} "
            "gallery labels ask for that shape, with at least one of each"
        )
    if np.isnan(table).any():
        raise InputError("similarities hold NaN; check the embedder's vectors")
    known = number_identities(gallery_labels)
    order = np.argsort(known.codes, kind="stable")
    starts = np.concatenate(([0], np.cumsum(known.counts)[:-1]))
    best = np.maximum.reduceat(table[:, order], starts, axis=1)
    return _ranks_of(best, _columns(query_labels, gallery_labels), tie)


def rank_k_accuracy(ranks: ArrayLike, k: int) -> float:
    """Return the share of queries, in [0, 1], whose identity is among the first ``k``.

    Source: rank-k identification rate, ISO/IEC 19795-1. A rank of 0 (not in the gallery) is a miss.
    """
    if k < 1:
        raise SettingError(f"k must be 1 or more; got {k}")
    found = _checked(ranks)
    return float(np.mean((found >= 1) & (found <= k)))


def cmc(ranks: ArrayLike, max_rank: int) -> NDArray[np.float64]:
    """Return (max_rank,) float64: the rank-k accuracy for k = 1 … max_rank; it never falls.

    Source: cumulative match characteristic, ISO/IEC 19795-1.
    """
    if max_rank < 1:
        raise SettingError(f"max_rank must be 1 or more; got {max_rank}")
    found = _checked(ranks)
    counts = np.bincount(found[(found >= 1) & (found <= max_rank)], minlength=max_rank + 1)
    return np.cumsum(counts[1:]) / len(found)


def _columns(query_labels: Labels, gallery_labels: Labels) -> IntArray:
    """Return each query's place among the gallery's sorted identities, -1 when absent."""
    names = np.unique(np.asarray(gallery_labels))
    asked = np.asarray(query_labels)
    places = np.minimum(np.searchsorted(names, asked), len(names) - 1)
    return np.where(names[places] == asked, places, -1).astype(np.int64)


def _ranks_of(best: NDArray[np.floating], columns: IntArray, tie: float) -> IntArray:
    queries = np.arange(len(columns))
    own = best[queries, columns]
    others = best >= (own - tie)[:, None]
    others[queries, columns] = False
    return np.where(columns < 0, 0, 1 + others.sum(axis=1)).astype(np.int64)


def _checked(ranks: ArrayLike) -> IntArray:
    array = np.asarray(ranks, dtype=np.int64)
    if array.ndim != 1 or array.size == 0 or (array < 0).any():
        raise InputError("ranks must be one flat, non-empty sequence of numbers from 0 up")
    return array
