"""The audit log: a chain of hashes in which no entry can be changed or taken out unseen.

Each entry's hash is SHA-256 over the hash before it and its own content. An entry holds numbers,
counts and times, no name and nothing biometric, so that ``forget`` never has to rewrite it. Every
change of the gallery writes one entry and raises the generation by one: the generation is the
length of the log, and an entry cut from the end is missed too.
"""

import hashlib
import json
import sqlite3
from typing import NamedTuple

START = bytes(32)
FIELDS = "number, at, action, identity, first_picture, last_picture, pictures"


class Entry(NamedTuple):
    """One change: what, when (ISO 8601, UTC), and which numbers it touched."""

    number: int
    at: str
    action: str
    identity: int | None = None
    first_picture: int | None = None
    last_picture: int | None = None
    pictures: int = 0


def append(
    connection: sqlite3.Connection,
    action: str,
    *,
    at: str,
    identity: int | None = None,
    picture_ids: tuple[int, int] | None = None,
    pictures: int = 0,
) -> tuple[int, str]:
    """Write one entry and raise the generation; returns the new generation and the hash in hex.

    ``picture_ids`` are the first and the last picture number that were touched.
    """
    last = connection.execute(
        "SELECT number, hash FROM log ORDER BY number DESC LIMIT 1"
    ).fetchone() or (0, START)
    first_picture, last_picture = picture_ids or (None, None)
    entry = Entry(last[0] + 1, at, action, identity, first_picture, last_picture, pictures)
    digest = _hash(last[1], entry)
    connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*entry, digest))
    connection.execute("UPDATE meta SET generation = ?", (entry.number,))
    return entry.number, digest.hex()


def since(connection: sqlite3.Connection, generation: int) -> list[Entry]:
    """Return the entries after a generation, the oldest first."""
    rows = connection.execute(f"SELECT {FIELDS} FROM log WHERE number > ?", (generation,))
    return [Entry(*fields) for fields in rows]


def digest(connection: sqlite3.Connection, generation: int) -> str:
    """Return the hash of the entry of a generation in hexadecimal; empty when there is none."""
    row = connection.execute("SELECT hash FROM log WHERE number = ?", (generation,)).fetchone()
    return row[0].hex() if row else ""


def problems(connection: sqlite3.Connection) -> list[str]:
    """Return what is wrong with the chain, in sentences; an empty list when it is intact."""
    before, length = START, 0
    rows = connection.execute(f"SELECT {FIELDS}, hash FROM log ORDER BY number")
    for *fields, found in rows:
        length += 1
        if fields[0] != length:
            return [f"log entry {length} is missing"]
        if found != _hash(before, Entry(*fields)):
            return [f"log entry {length} does not fit its hash"]
        before = found
    generation = connection.execute("SELECT generation FROM meta").fetchone()[0]
    if generation != length:
        return [f"the log has {length} entries, the generation is {generation}"]
    return []


def _hash(before: bytes, entry: Entry) -> bytes:
    return hashlib.sha256(before + json.dumps(entry).encode()).digest()
