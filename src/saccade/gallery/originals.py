"""The files of enrolled pictures, kept in the gallery where it was made so.

Only with them can everything be embedded again. Every function works inside a transaction.
"""

import sqlite3
from collections.abc import Sequence

from saccade.gallery import slots
from saccade.gallery.database import DamageError

KEEP, YES = "keep_originals", "yes"
LENGTH_BYTES = 8  # of the file, in front of it: its slot is padded


def kept_by(connection: sqlite3.Connection) -> bool:
    """True for a gallery that keeps the files of new pictures."""
    row = connection.execute("SELECT value FROM choices WHERE name = ?", (KEEP,)).fetchone()
    return row is not None and row[0] == YES


def add(connection: sqlite3.Connection, first: int, files: Sequence[bytes | None]) -> None:
    """Keep files of new pictures, numbered from ``first``; None where there is none."""
    there = [(number, file) for number, file in enumerate(files, first) if file is not None]
    contents = [len(file).to_bytes(LENGTH_BYTES, "little") + file for _, file in there]
    places = slots.put(connection, "originals", contents)
    rows = [(number, slot) for (number, _), slot in zip(there, places, strict=True)]
    slots.insert(connection, "kept_files", rows)


def read(connection: sqlite3.Connection, number: int) -> bytes | None:
    """Return the file of a picture; None when it is not kept."""
    row = connection.execute(
        "SELECT o.content FROM kept_files k JOIN originals o ON o.slot = k.original "
        "WHERE k.picture = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    content = bytes(row[0])
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    if length > len(content) - LENGTH_BYTES:
        raise DamageError("a kept file cannot be read")
    return content[LENGTH_BYTES : LENGTH_BYTES + length]
