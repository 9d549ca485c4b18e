"""Which pictures may be copies of one another: a few for each, out of any number.

Two ways, neither of which compares all with all. By a perceptual hash: the signs of the lowest
frequencies of a cosine transform, 64 bits (Zauner, "Implementation and Benchmarking of Perceptual
Image Hash Functions", 2010, section 3.2); hashes are sorted, begun at each quarter in turn, and
neighbours in that order are taken (Hernandez and Stolfo, "The Merge/Purge Problem for Large
Databases", SIGMOD 1995). By vectors: an embedder's, and plain pixels, blurred a little and brought
to their principal directions; their nearest are found by the scan. Where a pixel of the file is
large in the small picture, the search asks also for the picture moved and cut by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter1d

from saccade.judge.principal import blocks, length_one, principal
from saccade.judge.same_picture import Map, cut, moved
from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.scan import ScanIndex

NEAREST = 3
QUARTERS, WINDOW = 4, 3
HASH_SIDE = 8
BLUR = 0.7  # pixels of the small picture
DIRECTIONS = 64
LARGE_PIXEL = 0.5  # pixels of the small picture
MANY = 20_000  # from here on the search does not ask for cuts: they are 15 of its 20 questions


@dataclass(frozen=True, slots=True)
class Proposed:
    """Pairs of rows (p, 2), the lower first, each once; how alike, (p,): a cosine, 0 if unknown."""

    pairs: IntArray
    alike: Float32Array


def merged(proposals: Sequence[Proposed]) -> Proposed:
    """Return every pair of two rows once, sorted, as alike as anywhere."""
    pairs = np.sort(np.concatenate([one.pairs for one in proposals]), axis=1)
    alike = np.concatenate([one.alike for one in proposals])
    order = np.lexsort((-alike, pairs[:, 1], pairs[:, 0]))
    order = order[pairs[order, 0] != pairs[order, 1]]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(pairs[order], axis=0) != 0).any(axis=1)
    return Proposed(pairs[order[first]], alike[order[first]])


def hash_pairs(small: UInt8Array) -> Proposed:
    """Pictures (n, c, h, w) whose hashes stand close in some order."""
    bits = np.concatenate([_hashes(small[rows]) for rows in blocks(len(small))])
    step = bits.shape[1] // QUARTERS
    pairs = []
    for quarter in range(QUARTERS):
        turned = np.roll(bits, -quarter * step, axis=1)
        order = np.lexsort(np.packbits(turned, axis=1).T[::-1])
        pairs += [
            np.stack([order[:-ahead], order[ahead:]], axis=1) for ahead in range(1, WINDOW + 1)
        ]
    found = np.concatenate(pairs)
    return merged([Proposed(found, np.zeros(len(found), np.float32))])


def vector_pairs(vectors: Float32Array, *, threads: int) -> Proposed:
    """The NEAREST of each row (n, d) of length 1, by the scan."""
    found = merged([_nearest(ScanIndex(vectors, threads=threads), vectors)])
    # What an embedder finds alike, pixel by pixel need not be.
    return Proposed(found.pairs, np.zeros_like(found.alike))


def pixel_pairs(small: UInt8Array, *, pixel: tuple[float, float], threads: int) -> Proposed:
    """As ``vector_pairs``, of plain pixels, and of the pictures moved and cut.

    ``pixel``: how large one of the file is in ``small``, down and right.
    """
    directions = principal(small, lambda some: _rows(some.astype(np.float32)), most=DIRECTIONS)

    def vectors(change: tuple[Map, Map]) -> Float32Array:
        down, right = change
        found = [
            directions(_rows(down @ small[some].astype(np.float32) @ right.T))
            for some in blocks(len(small))
        ]
        return np.concatenate(found)

    height, width = small.shape[2:]
    asked = list(_asked((height, width), pixel, cuts=len(small) <= MANY))
    index = ScanIndex(vectors(asked[0]), threads=threads)
    return merged([_nearest(index, vectors(one)) for one in asked])


def _asked(
    size_hw: tuple[int, int], pixel: tuple[float, float], *, cuts: bool
) -> Iterator[tuple[Map, Map]]:
    """The changes of a picture that are searched for; first none."""
    same = [np.eye(n, dtype=np.float32) for n in size_hw]
    yield same[0], same[1]
    if max(pixel) < LARGE_PIXEL:
        return
    (height, width), (down, right) = size_hw, pixel
    # The opposite moves are found from the other picture of the pair.
    for rows, columns in ((0.0, right), (down, 0.0), (down, right), (down, -right)):
        yield moved(height, rows), moved(width, columns)
    if cuts:
        whole = product([same[0], *cut(height, down)], [same[1], *cut(width, right)])
        next(whole)
        yield from whole


def _nearest(index: ScanIndex, queries: Float32Array) -> Proposed:
    """Each query's row with those of its nearest."""
    pairs, alike = [], []
    for block in blocks(len(queries)):
        similarities, found = index.find(queries[block], NEAREST + 1)
        own = np.repeat(np.arange(block.start, block.start + len(found)), found.shape[1])
        pairs.append(np.stack([own, found.ravel()], axis=1))
        alike.append(similarities.ravel())
    return Proposed(np.concatenate(pairs), np.concatenate(alike))


def _hashes(small: UInt8Array) -> UInt8Array:
    """(n, bits) of 0 and 1."""
    grey = small.astype(np.float32).mean(axis=1)
    size = [max(HASH_SIDE, side) for side in grey.shape[1:]]
    low = dctn(grey, s=size, axes=(1, 2))[:, :HASH_SIDE, :HASH_SIDE].reshape(len(grey), -1)
    low[:, 0] = 0  # The mean of the picture says nothing of what it shows.
    return np.asarray(low > np.median(low, axis=1, keepdims=True), np.uint8)


def _rows(pictures: Float32Array) -> Float32Array:
    """(n, c, h, w) → (n, c·h·w): blurred, each with mean 0 and length 1."""
    for axis in (2, 3):
        pictures = gaussian_filter1d(pictures, BLUR, axis=axis, mode="nearest")
    rows = pictures.reshape(len(pictures), -1)
    return length_one(rows - rows.mean(axis=1, keepdims=True))
