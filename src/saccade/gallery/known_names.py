"""Which names are surely new: spares a look-up for each, while very many rows are enrolled.

The index of names has keys of 16 bits (docs/decisions/0002-forget-in-place.md), so that in a
gallery of two million identities a look-up reads forty names. Here every enrolled name sets one bit
of a table in memory; a name whose bit is not set is new. The others are looked up. (Bloom,
"Space/time trade-offs in hash coding with allowable errors", 1970, with one hash function.)
"""

import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np

from saccade.values import IntArray

TABLE_BYTES = 1 << 24  # 2 million names set 1.5 % of its bits


class KnownNames:
    """The names of one gallery; follows what other processes enrol. Forgotten names stay in it."""

    def __init__(self) -> None:
        self._table = np.zeros(TABLE_BYTES, dtype=np.uint8)
        self._last = 0

    def possible(self, connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
        """Return the names that may be enrolled; the rest certainly are not."""
        self._catch_up(connection)
        places = _places(names)
        there = (self._table[places >> 3] >> (places & 7)) & 1
        return [names[row] for row in np.flatnonzero(there).tolist()]

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT i.number, n.content FROM identities i JOIN names n ON n.slot = i.name "
            "WHERE i.number > ? ORDER BY i.number",
            (self._last,),
        )
        while chunk := rows.fetchmany(8192):
            self._last = chunk[-1][0]
            places = _places(
                bytes(name).rstrip(b"\0").decode("utf-8", "replace") for _, name in chunk
            )
            np.bitwise_or.at(self._table, places >> 3, (1 << (places & 7)).astype(np.uint8))


def _places(names: Iterable[str]) -> IntArray:
    """The bit of each name: Python's own hash of a text, the same within a process."""
    return np.array([hash(name) for name in names], dtype=np.int64) & (8 * TABLE_BYTES - 1)
