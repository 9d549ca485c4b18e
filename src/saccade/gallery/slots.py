"""Rows that never move and never change their length, so that zeroing one leaves no copy behind.

SQLite rewrites a page when rows beside a row come and go, and may leave old copies of *surviving*
rows in the page's free space; ``secure_delete`` does not clear those when the row is deleted later.
So a row on a shelf is only ever appended at the end or overwritten in place, by incremental blob
I/O, which cannot change a length. A wiped row is noted in ``free_slots`` and filled again by the
next content of the same length. Contents are padded with zero bytes to a multiple of the shelf's
grain, so that lengths repeat and say little.
"""

import sqlite3

GRAIN_BYTES = {"vectors": 1, "thumbnails": 512, "labels": 64, "names": 64}


def put(connection: sqlite3.Connection, shelf: str, content: bytes) -> int:
    """Store ``content`` in a free slot of its length or a new one; returns the slot."""
    grain = GRAIN_BYTES[shelf]
    padded = content.ljust(-(-len(content) // grain) * grain, b"\0")
    free = connection.execute(
        "SELECT slot FROM free_slots WHERE shelf = ? AND bytes = ? LIMIT 1", (shelf, len(padded))
    ).fetchone()
    if free is None:
        slot = connection.execute(f"INSERT INTO {shelf} (content) VALUES (?)", (padded,)).lastrowid
        if slot is None:
            raise sqlite3.DatabaseError("an insert gave no row number")
        return slot
    _overwrite(connection, shelf, free[0], padded)
    connection.execute(
        "DELETE FROM free_slots WHERE shelf = ? AND bytes = ? AND slot = ?",
        (shelf, len(padded), free[0]),
    )
    return int(free[0])


def wipe(connection: sqlite3.Connection, shelf: str, slot: int) -> None:
    """Overwrite the slot with zeros, in place, and mark it free."""
    length = _overwrite(connection, shelf, slot, None)
    connection.execute("INSERT INTO free_slots VALUES (?, ?, ?)", (shelf, length, slot))


def _overwrite(connection: sqlite3.Connection, shelf: str, slot: int, content: bytes | None) -> int:
    with connection.blobopen(shelf, "content", slot) as blob:
        length = len(blob)
        blob.write(bytes(length) if content is None else content)
    return length
