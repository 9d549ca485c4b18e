"""The nearest pictures of each picture of a gallery, by the scan."""

import numpy as np

from saccade.values import Float32Array, IntArray
from saccade.vectors.scan import ScanIndex

NEAREST = 24
BLOCK = 8192
SOME, SOME_AT_ONCE = 512, 16  # rows that are compared with all


def nearest(
    vectors: Float32Array, *, count: int = NEAREST, threads: int = 2
) -> tuple[IntArray, Float32Array]:
    """Return the rows most like each row (n, d) of length 1, and their cosines: (n, k) both.

    Best first, without the row itself; k is ``count``, or all others. A few may be missed, as the
    scan does.
    """
    n = len(vectors)
    k = min(count, n - 1)
    index = ScanIndex(vectors, threads=threads)
    places, cosines = np.zeros((n, k), np.int64), np.zeros((n, k), np.float32)
    for start in range(0, n, BLOCK):
        part = slice(start, min(n, start + BLOCK))
        similarities, found = index.find(vectors[part], k + 1)
        own = np.arange(part.start, part.stop)[:, None]
        # Of equal vectors another one may stand before the row itself, or in its place.
        order = np.argsort(found == own, axis=1, kind="stable")[:, :k]
        places[part] = np.take_along_axis(found, order, axis=1)
        cosines[part] = np.take_along_axis(similarities, order, axis=1)
    return places, cosines


def strangers(
    places: IntArray, cosines: Float32Array, codes: IntArray, *, most: int
) -> tuple[IntArray, Float32Array]:
    """Return of each row the other identities among its neighbours, and its best match with each.

    ``places``, ``cosines`` (n, k): of ``nearest``; ``codes`` (n,): identities. Both answers
    (n, most), best first; where there are no more, identity -1 and cosine -1.
    """
    who = np.full((len(places), most), -1, np.int64)
    alike = np.full((len(places), most), -1.0, np.float32)
    count = np.zeros(len(places), np.int64)
    for whose, cosine in zip(codes[places].T, cosines.T, strict=True):
        new = (whose != codes) & (who != whose[:, None]).all(axis=1) & (count < most)
        rows = np.flatnonzero(new)
        who[rows, count[rows]], alike[rows, count[rows]] = whose[rows], cosine[rows]
        count[rows] += 1
    return who, alike


def stranger_of_some(
    vectors: Float32Array, codes: IntArray, place: int, *, seed: int = 0
) -> Float32Array:
    """Return of some rows (s,) the best cosine with the identity in that place among the others.

    Exact, for the neighbours of a row need not hold so many strangers: of an identity with many
    pictures they are all its own. -1 where there are not so many others. ``codes`` (n,) from 0.
    """
    n, identities = len(vectors), int(codes.max()) + 1
    if identities <= place:
        return np.full(min(n, SOME), -1.0, np.float32)
    rows = np.random.default_rng(seed).choice(n, min(n, SOME), replace=False)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(identities))
    found = []
    for part in np.split(rows, range(SOME_AT_ONCE, len(rows), SOME_AT_ONCE)):
        best = np.maximum.reduceat((vectors[part] @ vectors.T)[:, order], starts, axis=1)
        best[np.arange(len(part)), codes[part]] = -1.0
        found.append(np.partition(best, identities - place, axis=1)[:, identities - place])
    return np.concatenate(found)
