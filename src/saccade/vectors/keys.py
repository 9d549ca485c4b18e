"""Keys: a score and its row in one integer, so that the larger key is the better match.

Equal scores go by the lower row. Rows stay below 2**32.
"""

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float32Array, IntArray

ROW_BITS = np.int64(0xFFFFFFFF)
NO_KEY = np.iinfo(np.int64).min  # below the key of every score

Keys = NDArray[np.int64]


def encode(scores: Float32Array, rows: IntArray) -> Keys:
    """Pack (score, row) in one integer each.

    The high half is the float32 pattern, its negatives flipped so that integers sort as the floats
    do; the low half counts down with the row, which settles ties. Adding 0.0 turns -0.0 into 0.0.
    """
    pattern = (scores + np.float32(0.0)).view(np.int32)
    ordered = pattern ^ ((pattern >> 31) & np.int32(0x7FFFFFFF))
    return (ordered.astype(np.int64) << 32) | (ROW_BITS - rows)


def decode(keys: Keys) -> tuple[Float32Array, IntArray]:
    """Return the scores and the rows that ``encode`` packed."""
    ordered = (keys >> 32).astype(np.int32)
    pattern = ordered ^ ((ordered >> 31) & np.int32(0x7FFFFFFF))
    return pattern.view(np.float32), ROW_BITS - (keys & ROW_BITS)


def largest(keys: Keys, k: int) -> Keys:
    """Return the k largest keys of each row of (q, n), largest first; all of them when n < k."""
    if keys.shape[1] > k:
        keys = np.partition(keys, keys.shape[1] - k, axis=1)[:, -k:]
    return np.sort(keys, axis=1)[:, ::-1]
