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
    within = list(_stars(vectors, codes, np.unique(pairs[own])))
    across = _strongest(codes, pairs[~own], alike[~own])
    return sorted(within, key=_order), sorted(across, key=_order)


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
