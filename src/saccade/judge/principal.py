"""The directions in which rows vary most, found quickly for long rows.

Halko, Martinsson, Tropp, "Finding Structure with Randomness", SIAM Review 53, 2011, algorithm 4.4,
by scikit-learn, on a sample of the rows. The directions have length 1: what varies most counts
most, as it does between the rows themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.utils.extmath import randomized_svd

from saccade.values import Float32Array, UInt8Array

SAMPLE = 5_000
BLOCK = 2_048
TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Directions:
    """``mean`` (d,) and ``turned`` (d, k): rows (n, d) → (n, k) of length 1."""

    mean: Float32Array
    turned: Float32Array

    def __call__(self, rows: Float32Array) -> Float32Array:
        """(n, d) → (n, k), rows of length 1."""
        return length_one(np.asarray((rows - self.mean) @ self.turned, np.float32))


def principal(
    small: UInt8Array, rows_of: Callable[[UInt8Array], Float32Array], *, most: int
) -> Directions:
    """Return at most ``most`` directions of ``rows_of`` a sample of pictures (n, c, h, w)."""
    chosen = np.linspace(0, len(small) - 1, min(len(small), SAMPLE)).astype(np.int64)
    rows = np.concatenate([rows_of(small[chosen[block]]) for block in blocks(len(chosen))])
    mean = rows.mean(axis=0)
    kept = min(most, *rows.shape)
    found = randomized_svd(rows - mean, kept, n_iter=4, random_state=0)[2]
    return Directions(mean, np.ascontiguousarray(found.T, np.float32))


def blocks(count: int) -> list[slice]:
    """Return slices of at most BLOCK rows that cover ``count``."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def length_one(rows: Float32Array) -> Float32Array:
    """(n, d) → the same of Euclidean length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.maximum(lengths, TINY), np.float32)
