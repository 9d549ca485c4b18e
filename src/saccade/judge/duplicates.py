"""Pictures that are there twice: the same pixels, or one picture saved, cut, moved or scaled anew.

Exact: the same SHA-256 of the decoded pixels, whatever the file. Near: pairs that the search of
``near_pictures`` proposes and the comparison of ``same_picture`` confirms. How alike two copies
must be is set by the data: well below how alike their most similar other pictures are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from saccade.data.first_look import Looked
from saccade.judge.near_pictures import hash_pairs, merged, pixel_pairs, vector_pairs
from saccade.judge.same_picture import (
    LARGEST,
    changes,
    differences,
    scaled_differences,
)
from saccade.values import Float32Array, IntArray

MOST = 0.03  # difference of two copies, at most; of two photographs of one place it is above 0.05
SHARE = 0.08  # and this share of the usual difference to the most similar other picture
ALIKE = 0.98  # cosine of two pictures, one of them cut or moved, that may be copies
LIKELY = 0.2  # difference up to which a move or a cut may make copies of other pictures
LIKELY_SCALED = 0.4  # and up to which another size may
FEWEST = 30  # pictures from which a usual difference is taken


@dataclass(frozen=True, slots=True)
class Copy:
    """A picture that shows what ``kept`` shows, rows both; ``difference``: of their gradients.

    ``exact``: all pixels are equal; a near copy may differ by 0 too, being only brighter.
    """

    picture: int
    kept: int
    difference: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Copies:
    """All copies, and the ``limit`` of the difference up to which pictures count as such."""

    copies: tuple[Copy, ...]
    limit: float


def find_copies(
    looked: Looked, rows: IntArray, *, priority: NDArray[np.int64], threads: int = 1
) -> Copies:
    """Return the copies among the pictures ``rows`` (m,), surest first.

    ``priority`` (n,): of several copies the one with the highest stays, then the largest, then the
    first. Every copy was compared with the one that stays, directly.
    """
    area = looked.sides.prod(axis=1)
    order = rows[np.lexsort((rows, -area[rows], -priority[rows]))]
    single, exact = _equal(looked, order)
    near, limit = _near(looked, single, threads)
    found = sorted(exact + near, key=lambda one: (not one.exact, one.difference, one.picture))
    return Copies(tuple(found), limit)


def _equal(looked: Looked, order: IntArray) -> tuple[IntArray, list[Copy]]:
    """The rows that stay, in their order, and those whose pixels are equal to one of them."""
    first: dict[bytes, int] = {}
    copies = []
    for row in order.tolist():
        kept = first.setdefault(looked.digests[row].tobytes(), row)
        if kept != row:
            copies.append(Copy(row, kept, 0.0, exact=True))
    return np.array(list(first.values()), np.int64), copies


def _near(looked: Looked, order: IntArray, threads: int) -> tuple[list[Copy], float]:
    """Copies among the rows ``order``, of which earlier ones stay, and the limit."""
    if len(order) < 2:
        return [], MOST
    small, sides = looked.small[order], looked.sides[order]
    pixel = (small.shape[2] / looked.usual[0], small.shape[3] / looked.usual[1])
    proposed = [hash_pairs(small), pixel_pairs(small, pixel=pixel, threads=threads)]
    if looked.vectors is not None:
        proposed.append(vector_pairs(looked.vectors[order], threads=threads))
    likely = merged(proposed)
    pairs, compared = likely.pairs, _Comparison(small, sides, pixel)
    found = compared(pairs, thorough=likely.alike >= ALIKE)
    limit = _limit(pairs, found, len(order))
    groups = _joined(pairs[found <= limit], len(order))
    copies = []
    for group in groups:
        rest = group
        while len(rest) > 1:
            against = np.stack([np.full(len(rest) - 1, rest[0]), rest[1:]], axis=1)
            apart = compared(against, thorough=np.ones(len(against), bool))
            copies += [
                Copy(int(order[row]), int(order[rest[0]]), max(0.0, float(value)), exact=False)
                for row, value in zip(rest[1:], apart, strict=True)
                if value <= limit
            ]
            rest = rest[1:][apart > limit]
    return copies, limit


class _Comparison:
    """How different pairs of rows are; what is costly is tried where it may change the answer."""

    def __init__(
        self, small: NDArray[np.uint8], sides: IntArray, pixel: tuple[float, float]
    ) -> None:
        self.small, self.sides = small, sides
        self.axes = [changes(small.shape[2], pixel[0]), changes(small.shape[3], pixel[1])]
        self.few_pixels = sides.max(axis=1) <= LARGEST * max(small.shape[2:])

    def __call__(self, pairs: IntArray, *, thorough: NDArray[np.bool_]) -> Float32Array:
        found = differences(self.small, pairs, [axis[:1] for axis in self.axes])
        if len(self.axes[0]) > 1 or len(self.axes[1]) > 1:
            chosen = np.flatnonzero(thorough | (found <= LIKELY))
            more = differences(self.small, pairs[chosen], self.axes)
            found[chosen] = np.minimum(found[chosen], more)
        scaled = self.few_pixels[pairs].any(axis=1) & (found <= LIKELY_SCALED)
        scaled &= (self.sides[pairs[:, 0]] != self.sides[pairs[:, 1]]).any(axis=1)
        chosen = np.flatnonzero(scaled)
        more = scaled_differences(self.small, pairs[chosen], self.sides)
        found[chosen] = np.minimum(found[chosen], more)
        return found


def _limit(pairs: IntArray, found: Float32Array, count: int) -> float:
    """The largest difference of copies, by the usual one to the most similar other picture."""
    nearest = np.full(count, np.inf)
    other = found > MOST
    for side in (0, 1):
        np.minimum.at(nearest, pairs[other, side], found[other])
    usual = nearest[np.isfinite(nearest)]
    return MOST if len(usual) < FEWEST else min(MOST, SHARE * float(np.median(usual)))


def _joined(pairs: IntArray, count: int) -> list[IntArray]:
    """Rows that pairs join, a group each, rising."""
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, group = connected_components(links, directed=False)
    rows = np.unique(pairs)
    order = rows[np.argsort(group[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(group[order])) + 1
    return np.split(order, ends) if len(order) else []
