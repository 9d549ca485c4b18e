"""Which names and contents are surely new: spares look-ups, while very many rows are enrolled.

The index of names has keys of 16 bits (docs/decisions/0002-forget-in-place.md), so that in a
gallery of two million identities a look-up reads forty names; the keys of sources are random, so
that each look-up reads another page. Here everything that is enrolled sets one bit of a table in
memory; what has no bit is new. The others are looked up. (Bloom, "Space/time trade-offs in hash
coding with allowable errors", 1970, with one hash function.)

What was forgotten keeps its bit. A table follows what other processes enrol and rename, and is told
what its own transaction enrols: if that one fails, so that the gallery is not what it was told,
take a new table.
"""

import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np

from saccade.gallery import log, source_keys, store
from saccade.values import IntArray

TABLE_BYTES = 1 << 24  # 2 million names set 1.5 % of its bits
CHUNK_ROWS = 8192


class _Bits:
    """A table of bits, and the highest number of a row that is in it."""

    def __init__(self) -> None:
        self._table = np.zeros(TABLE_BYTES, dtype=np.uint8)
        self._last = 0

    def _there(self, places: IntArray) -> list[int]:
        """The positions of the places whose bit is set."""
        bits = (self._table[places >> 3] >> (places & 7)) & 1
        return np.flatnonzero(bits).tolist()

    def _add(self, places: IntArray, last: int) -> None:
        np.bitwise_or.at(self._table, places >> 3, (1 << (places & 7)).astype(np.uint8))
        self._last = last


class KnownNames(_Bits):
    """The names of one gallery. Every method works inside a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self._generation: int | None = None

    def possible(self, connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
        """Return the names that may be enrolled; the rest certainly are not."""
        self._follow_renames(connection)
        rows = connection.execute(
            "SELECT i.number, n.content FROM identities i JOIN names n ON n.slot = i.name "
            "WHERE i.number > ? ORDER BY i.number",
            (self._last,),
        )
        while chunk := rows.fetchmany(CHUNK_ROWS):
            found = (bytes(name).rstrip(b"\0").decode("utf-8", "replace") for _, name in chunk)
            self._add(_name_places(found), chunk[-1][0])
        return [names[row] for row in self._there(_name_places(names))]

    def _follow_renames(self, connection: sqlite3.Connection) -> None:
        """Note new names of identities that were read before; they keep their numbers."""
        generation = store.read_meta(connection).generation
        if self._generation is not None:
            changes = log.since(connection, self._generation)
            renamed = {change.identity for change in changes if change.action == "rename"}
            found = store.identity_names(connection, [one for one in renamed if one is not None])
            self._add(_name_places(found.values()), self._last)
        self._generation = generation

    def add(self, names: Sequence[str], last: int) -> None:
        """Note names that this transaction enrols; ``last`` is the highest of their numbers."""
        self._add(_name_places(names), last)


class KnownSources(_Bits):
    """The contents of one gallery, by their SHA-256. Every method works inside a transaction."""

    def possible(self, connection: sqlite3.Connection, sources: Sequence[bytes]) -> list[bytes]:
        """Return the contents that may be enrolled; the rest certainly are not."""
        rows = connection.execute(
            "SELECT number, source_key FROM pictures WHERE number > ? ORDER BY number",
            (self._last,),
        )
        while chunk := rows.fetchmany(CHUNK_ROWS):
            keys = np.array([key for _, key in chunk], dtype=np.int64)
            self._add(_key_places(keys), chunk[-1][0])
        places = _key_places(source_keys.keys(sources))
        return [sources[row] for row in self._there(places)]

    def add(self, sources: Sequence[bytes], last: int) -> None:
        """Note contents that this transaction enrols; ``last`` is the highest picture number."""
        self._add(_key_places(source_keys.keys(sources)), last)


def _name_places(names: Iterable[str]) -> IntArray:
    """The bit of each name: Python's own hash of a text, the same within a process."""
    return np.array([hash(name) for name in names], dtype=np.int64) & (8 * TABLE_BYTES - 1)


def _key_places(keys: IntArray) -> IntArray:
    """The bit of each 32-bit key, which is random enough as it is."""
    return keys & (8 * TABLE_BYTES - 1)
