"""Pictures that are not this one: what ``find`` never offers for them and for their near copies.

A rejection is a vector and an identity. A search whose vector is as near to it as a copy of the
rejected picture would be gets that identity no more. The limit, where none was
chosen, is ``near_copies.NEAR``.
"""

import sqlite3
from dataclasses import dataclass

import numpy as np

from saccade.errors import InputError
from saccade.gallery.database import DamageError
from saccade.gallery.merges import Merges
from saccade.gallery.near_copies import NEAR
from saccade.gallery.rows import decode_vectors
from saccade.values import Float32Array, IntArray

LEAST_NEAR, MOST_NEAR = 0.5, 0.999  # above, float16 and another order of sums could part two equals
NEAR_CHOICE = "reject_near"
BLOCK_QUERIES = 256


@dataclass(frozen=True, slots=True)
class Rejections:
    """Vectors (r, d) of length 1 and, for each, the identity (r,) that it does not show."""

    vectors: Float32Array
    identities: IntArray
    near: float

    @classmethod
    def read(cls, connection: sqlite3.Connection, dimension: int) -> "Rejections":
        """Read all of them."""
        rows = connection.execute(
            "SELECT r.identity, v.content FROM rejections r JOIN vectors v ON v.slot = r.vector"
        ).fetchall()
        vectors = decode_vectors([content for _, content in rows], dimension)
        identities = np.array([identity for identity, _ in rows], np.int64)
        return cls(vectors, identities, read_near(connection))

    def of(self, queries: Float32Array, merges: Merges) -> list[IntArray]:
        """Return for each query (q, d) of length 1 the identities that it must not be offered."""
        if not len(self.identities):
            return [self.identities] * len(queries)
        whose = merges.of(self.identities)
        found = []
        for start in range(0, len(queries), BLOCK_QUERIES):
            near = queries[start : start + BLOCK_QUERIES] @ self.vectors.T >= self.near
            found += [np.unique(whose[row]) for row in near]
        return found


def read_near(connection: sqlite3.Connection) -> float:
    """Return the cosine from which a picture counts as a copy, of this gallery."""
    row = connection.execute("SELECT value FROM choices WHERE name = ?", (NEAR_CHOICE,)).fetchone()
    try:
        return NEAR if row is None else near_value(float(row[0]))
    except (ValueError, InputError) as error:
        raise DamageError(f"its choice {NEAR_CHOICE} cannot be read") from error


def near_value(near: float) -> float:
    """Return the limit; raises InputError when it is out of range."""
    if not LEAST_NEAR <= near <= MOST_NEAR:  # asked so, NaN fails too
        raise InputError(
            f"the cosine of near copies must be between {LEAST_NEAR} and {MOST_NEAR}, got {near}"
        )
    return float(near)
