"""Whether two small pictures are one picture that was saved, cut, moved or scaled differently.

Along each axis such a change is a linear map of few kinds: a window that begins or ends a pixel
later, perhaps brought to the old size again, or another size and back. Each is done to one picture
as a program would do it, and the gradients of the two are correlated: Argyriou and Vlachos, "Using
gradient correlation for sub-pixel motion estimation of video sequences", ICASSP 2004. Gradients
leave out brightness, and count what is fine: there two pictures of one thing differ, and two copies
do not. We differ: the changes are done one by one, so that a digit that merely looks alike is not
bent into place.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from saccade.values import Float32Array, IntArray, UInt8Array

Map = Float32Array  # (m, n): n pixels of an axis → m
BLOCK_NUMBERS = 1 << 18  # of the pictures compared at a time: they stay in the cache
COARSE = 0.1  # a pixel of the file counts from here on, in pixels of the small picture
LARGEST = 4  # times the small picture: a size beyond it changes nothing that is seen here


def sampled(n: int, start: float, stop: float, m: int) -> Map:
    """(m, n): the window from ``start`` to ``stop`` of n pixels, brought to m of them.

    Bilinear, antialiased where it shrinks, as Pillow's BILINEAR: a triangle of weights.
    """
    scale = (stop - start) / m
    centre = start + (np.arange(m) + 0.5) * scale
    weights = 1 - np.abs(np.arange(n) + 0.5 - centre[:, None]) / max(scale, 1.0)
    weights = np.clip(weights, 0, None)
    weights[:, : int(np.floor(start))] = 0
    weights[:, int(np.ceil(stop)) :] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def resized(n: int, m: int) -> Map:
    """(n, n): n pixels brought to m, and back."""
    return sampled(m, 0, m, n) @ sampled(n, 0, n, m)


def moved(n: int, by: float) -> Map:
    """(n, n): the picture moved by ``by`` pixels; its border is repeated."""
    place = np.clip(np.arange(n) + by, 0, n - 1)
    weights = np.clip(1 - np.abs(np.arange(n) - place[:, None]), 0, None)
    return np.asarray(weights, np.float32)


def cut(n: int, pixel: float) -> list[Map]:
    """Return maps (n, n): a pixel cut off at the beginning, the end, both, and brought to n."""
    windows = ((pixel, 0.0), (0.0, pixel), (pixel, pixel))
    return [sampled(n, first, n - last, n) for first, last in windows]


def changes(n: int, pixel: float) -> list[tuple[Map, Map]]:
    """Return what is done to either picture along an axis: nothing first, moves, cuts of either."""
    same = np.eye(n, dtype=np.float32)
    if pixel < COARSE:
        return [(same, same)]
    late, early = sampled(n, pixel, n, n - 1), sampled(n, 0, n - pixel, n - 1)
    cuts = cut(n, pixel)
    pairs = [(same, same), (late, early), (early, late)]
    return pairs + [(one, same) for one in cuts] + [(same, one) for one in cuts]


def differences(
    small: UInt8Array, pairs: IntArray, axes: Sequence[Sequence[tuple[Map, Map]]]
) -> Float32Array:
    """(p,) in [0, 2]: 1 minus the best correlation of the gradients of pictures ``pairs`` (p, 2).

    ``small``: (n, c, h, w) uint8. ``axes``: what is tried along the height and along the width, as
    ``changes`` gives it; every change of the one with every change of the other. A picture without
    any gradient is like nothing.
    """
    best = np.full(len(pairs), 2.0, np.float32)
    for block in _blocks(len(pairs), small[0].size):
        first, second = (small[pairs[block, side]].astype(np.float32) for side in (0, 1))
        for (down_a, down_b), (right_a, right_b) in product(*axes):
            a = np.asarray(down_a @ first @ right_a.T, np.float32)
            b = np.asarray(down_b @ second @ right_b.T, np.float32)
            np.minimum(best[block], 1 - _correlation(a, b), out=best[block])
    return best


def scaled_differences(small: UInt8Array, pairs: IntArray, sides: IntArray) -> Float32Array:
    """(p,): as ``differences``, when either picture is brought to the other's size and back.

    ``sides`` (n, 2): heights and widths of the files.
    """
    best = np.full(len(pairs), 2.0, np.float32)
    height_width = np.array(small.shape[2:])
    for places in (pairs, pairs[:, ::-1]):
        wanted = np.round(height_width * sides[places[:, 1]] / sides[places[:, 0]])
        wanted = np.clip(wanted, 2, LARGEST * height_width).astype(np.int64)
        for size in np.unique(wanted, axis=0):
            chosen = np.flatnonzero((wanted == size).all(axis=1))
            same = [np.eye(n, dtype=np.float32) for n in height_width]
            back = [resized(int(n), int(m)) for n, m in zip(height_width, size, strict=True)]
            axes = [[(there, here)] for there, here in zip(back, same, strict=True)]
            best[chosen] = np.minimum(best[chosen], differences(small, places[chosen], axes))
    return best


def _blocks(count: int, size: int) -> Iterator[slice]:
    step = max(1, BLOCK_NUMBERS // size)
    return (slice(start, start + step) for start in range(0, count, step))


def _correlation(a: Float32Array, b: Float32Array) -> Float32Array:
    """(p,): of the gradients of (p, c, h, w) each."""
    first, second = _gradients(a), _gradients(b)
    together = np.einsum("ij,ij->i", first, second)
    lengths = np.einsum("ij,ij->i", first, first) * np.einsum("ij,ij->i", second, second)
    return np.asarray(together / np.sqrt(np.maximum(lengths, 1e-12)), np.float32)


def _gradients(pictures: Float32Array) -> Float32Array:
    count = len(pictures)
    down, right = np.diff(pictures, axis=2), np.diff(pictures, axis=3)
    return np.concatenate([down.reshape(count, -1), right.reshape(count, -1)], axis=1)
