"""Near copies among the pictures of a gallery: of one identity, and of two.

Copies of copies drift, so what may be removed is always a copy of the one that stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from saccade.gallery.near_copies import COPY
from saccade.values import Float32Array, IntArray

ROUNDING = 1e-5  # by which another order of sums can lower a cosine


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows of which the first is the oldest, and each other a copy of it.

    ``cosine``: the least of any copy with the first.
    """

    rows: tuple[int, ...]
    cosine: float


def near_copies(
    vectors: Float32Array,
    codes: IntArray,
    places: IntArray,
    cosines: Float32Array,
    magnets: IntArray,
) -> tuple[list[Copies], list[Copies]]:
    """Return the copies within identities, and pairs across two; the most alike first.

    ``vectors`` (n, d) of length 1 and ``codes`` (n,), oldest first; ``places``, ``cosines`` of
    ``neighbours.nearest``. Of two identities one pair is told, the most alike. Two ``magnets`` are
    no copies: they only lie in one place.
    """
    rows, columns = np.nonzero(cosines >= COPY)
    pairs = np.sort(np.stack([rows, places[rows, columns]], axis=1), axis=1)
    real = ~np.isin(pairs, magnets).all(axis=1)
    pairs, alike = pairs[real], cosines[rows, columns][real]
    own = codes[pairs[:, 0]] == codes[pairs[:, 1]]
    within = list(_stars(vectors, pairs[own]))
    across = _strongest(codes, pairs[~own], alike[~own])
    return sorted(within, key=_order), sorted(across, key=_order)


def _stars(vectors: Float32Array, pairs: IntArray) -> Iterator[Copies]:
    """Part each chain of copies: its oldest stays with those that are its own copies, and so on."""
    if not len(pairs):
        return
    linked, ends = np.unique(pairs, return_inverse=True)
    first, second = ends.reshape(pairs.shape).T
    links = csr_array((np.ones(len(pairs), np.int8), (first, second)), shape=(len(linked),) * 2)
    count, chain = connected_components(links, directed=False)
    order = np.argsort(chain, kind="stable")
    for part in np.split(order, np.cumsum(np.bincount(chain, minlength=count))[:-1]):
        left = linked[part]
        while len(left) > 1:
            oldest, left = left[0], left[1:]
            alike = vectors[left] @ vectors[oldest]
            copied = alike >= COPY - ROUNDING
            if copied.any():
                yield Copies((int(oldest), *left[copied].tolist()), float(alike[copied].min()))
            left = left[~copied]


def _strongest(codes: IntArray, pairs: IntArray, alike: Float32Array) -> list[Copies]:
    """Of each two identities the pair of rows that is most alike."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -alike))
    _, first = np.unique(np.sort(codes[pairs[order]], axis=1), axis=0, return_index=True)
    return [Copies(tuple(pairs[place].tolist()), float(alike[place])) for place in order[first]]


def _order(one: Copies) -> tuple[float, tuple[int, ...]]:
    return -one.cosine, one.rows
