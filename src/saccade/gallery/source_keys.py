"""Which contents a gallery has: found by 32 bits of their SHA-256, told apart by all of it.

The keys of new pictures go into ``recent_sources``, a block of them in order; many of them are
moved into ``sources``, in order again, so that its pages are written seldom. Why, stands in
docs/decisions/0010-sources-in-order.md. Every function works inside a transaction.
"""

import json
import sqlite3
from collections.abc import Sequence

import numpy as np

from saccade.gallery import slots
from saccade.gallery.schema import SOURCE_TABLES
from saccade.values import IntArray

SOURCE_BYTES = 32


def find(connection: sqlite3.Connection, sources: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
    """Return (picture number, identity number) of those contents that are enrolled."""
    if not sources:
        return {}
    # In order, so that neighbours in the tables are read together.
    wanted = json.dumps(np.sort(keys(sources)).tolist())
    found = {}
    for table in SOURCE_TABLES:
        rows = connection.execute(
            "SELECT l.content, p.number, p.identity FROM json_each(?) j "
            f"CROSS JOIN {table} s ON s.source_key = j.value "
            "JOIN pictures p ON p.number = s.picture JOIN labels l ON l.slot = p.label",
            (wanted,),
        )
        for label, number, identity in rows:
            found[label[:SOURCE_BYTES]] = (number, identity)
    return {source: found[source] for source in found.keys() & set(sources)}


def add(connection: sqlite3.Connection, first: int, new: IntArray) -> None:
    """Note the keys (n,) of new pictures, which are numbered from ``first``."""
    order = np.argsort(new)
    rows = zip(new[order].tolist(), (order + first).tolist(), strict=True)
    slots.insert(connection, "recent_sources", rows)


def remove(connection: sqlite3.Connection, pictures: Sequence[int]) -> None:
    """Delete the keys of pictures, before the pictures."""
    for table in SOURCE_TABLES:
        connection.execute(
            f"DELETE FROM {table} WHERE (source_key, picture) IN "
            "(SELECT source_key, number FROM pictures "
            "WHERE number IN (SELECT value FROM json_each(?)))",
            (json.dumps(list(pictures)),),
        )


def recent(connection: sqlite3.Connection) -> int:
    """Return the number of keys that were not moved yet."""
    return int(connection.execute("SELECT count(*) FROM recent_sources").fetchone()[0])


def move(connection: sqlite3.Connection) -> None:
    """Move the recent keys into the large table."""
    connection.execute("INSERT INTO sources SELECT source_key, picture FROM recent_sources")
    connection.execute("DELETE FROM recent_sources")


def keys(sources: Sequence[bytes]) -> IntArray:
    """Return the first 32 bits of each source hash, (n,) int64."""
    words = np.frombuffer(b"".join(sources), dtype=">u4")
    return words[:: SOURCE_BYTES // 4].astype(np.int64)
