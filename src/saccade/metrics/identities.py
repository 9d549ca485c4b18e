"""Labels to identity numbers, and the checks that every figure needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError
from saccade.values import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """Who n pictures show.

    ``names``: (m,) distinct labels, sorted. ``codes``: (n,) int64, each picture's place in
    ``names``. ``counts``: (m,) int64, pictures of each identity.
    """

    names: tuple[str, ...]
    codes: IntArray
    counts: IntArray


def number_identities(labels: Sequence[str] | NDArray[np.generic]) -> Identities:
    """Give every distinct label a number, in sorted order.

    Raises InputError when there is no label, or they are not one flat sequence.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or array.size == 0:
        raise InputError(
            "labels must be one flat, non-empty sequence, one label a picture; "
            f"got shape {array.shape}"
        )
    names, codes, counts = np.unique(array, return_inverse=True, return_counts=True)
    return Identities(tuple(str(name) for name in names), codes.astype(np.int64), counts)


def finite_scores(scores: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return ``scores`` as a flat float64 array; InputError when empty or not finite."""
    array = np.asarray(scores, dtype=np.float64).ravel()
    if array.size == 0:
        raise InputError(f"there are no {what} scores; at least one is needed")
    if not np.isfinite(array).all():
        raise InputError(f"{what} scores hold NaN or infinity; check the embedder's vectors")
    return array
