"""Near copies among the pictures of a gallery: of one identity, and of two.

Copies of copies drift, so what may be removed is always a copy of the one that stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saccade.gallery.near_copies import COPY
from saccade.review.findings import rows_by
from saccade.values import Float32Array, IntArray

ROUNDING = 1e-5  # by which another order of sums can lower a cosine


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows of which the first is the oldest, and each other a copy of it.

    ``cosine``: the least of any copy with the first.
    """

    rows: tuple[int, ...]
    cosine: float


def copies_within(
    vectors: Float32Array, codes: IntArray, places: IntArray, cosines: Float32Array
) -> list[Copies]:
    """Return the copies within identities, the most alike first.

    ``vectors`` (n, d) of length 1 and ``codes`` (n,), oldest first; ``places``, ``cosines`` of
    ``neighbours.nearest``.
    """
    pairs, _ = _pairs(places, cosines)
    own = codes[pairs[:, 0]] == codes[pairs[:, 1]]
    return sorted(_stars(vectors, codes, np.unique(pairs[own])), key=_order)


def copies_across(
    codes: IntArray, places: IntArray, cosines: Float32Array, magnets: IntArray
) -> list[Copies]:
    """Return of each two identities the pair of rows that is most alike, where it is a copy.

    Two ``magnets`` are no copies: they only lie in one place.
    """
    pairs, alike = _pairs(places, cosines)
    real = codes[pairs[:, 0]] != codes[pairs[:, 1]]
    real &= ~np.isin(pairs, magnets).all(axis=1)
    return sorted(_strongest(codes, pairs[real], alike[real]), key=_order)


def _pairs(places: IntArray, cosines: Float32Array) -> tuple[IntArray, Float32Array]:
    rows, columns = np.nonzero(cosines >= COPY)
    return np.sort(np.stack([rows, places[rows, columns]], axis=1), axis=1), cosines[rows, columns]


def _stars(vectors: Float32Array, codes: IntArray, copied: IntArray) -> Iterator[Copies]:
    """Of each identity: its oldest row stays with those that are its own copies, and so on.

    ``copied`` (c,): rising rows that are a copy of any other.
    """
    _, whose = np.unique(codes[copied], return_inverse=True)
    for rows in rows_by(whose, int(whose.max(initial=-1)) + 1):
        left = copied[rows]
        while len(left) > 1:
            oldest, left = left[0], left[1:]
            alike = vectors[left] @ vectors[oldest]
            near = alike >= COPY - ROUNDING
            if near.any():
                yield Copies((int(oldest), *left[near].tolist()), float(alike[near].min()))
            left = left[~near]


def _strongest(codes: IntArray, pairs: IntArray, alike: Float32Array) -> list[Copies]:
    """Of each two identities the pair of rows that is most alike."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -alike))
    _, first = np.unique(np.sort(codes[pairs[order]], axis=1), axis=0, return_index=True)
    return [Copies(tuple(pairs[place].tolist()), float(alike[place])) for place in order[first]]


def _order(one: Copies) -> tuple[float, tuple[int, ...]]:
    return -one.cosine, one.rows
