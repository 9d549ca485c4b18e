"""The files of enrolled pictures, kept in the gallery where it was made so.

What has no file of its own, as a crop of a photo, is kept as a PNG of its pixels: the photo would
keep the faces of others, and forgetting one of them would have to spare it or take them all.

Only with them can everything be embedded again. Every function works inside a transaction.
"""

import io
import sqlite3
from collections.abc import Sequence

from PIL import Image

from saccade.gallery import slots
from saccade.gallery.database import DamageError
from saccade.values import UInt8Array

KEEP, YES = "keep_originals", "yes"
LENGTH_BYTES = 8  # of the file, in front of it: its slot is padded


def kept_by(connection: sqlite3.Connection) -> bool:
    """True for a gallery that keeps the files of new pictures."""
    row = connection.execute("SELECT value FROM choices WHERE name = ?", (KEEP,)).fetchone()
    return row is not None and row[0] == YES


def of_pixels(picture: UInt8Array) -> bytes:
    """Return a PNG of (H, W, 3) uint8 RGB, bit for bit."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()


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
