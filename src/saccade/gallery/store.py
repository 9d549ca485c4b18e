"""Rows of a gallery: identities, pictures, settings. Every function works inside a transaction."""

import datetime
import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from saccade.errors import InputError
from saccade.gallery import slots
from saccade.gallery.database import DamageError

SOURCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Meta:
    """The settings of a gallery; ``generation`` grows by one with every change."""

    dimension: int
    fingerprint: str
    embedder: str
    threshold: float | None
    generation: int


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored of one picture.

    ``source`` is the SHA-256 of the file's bytes, ``vector`` the float16 bytes (little-endian),
    ``thumbnail`` a JPEG or None.
    """

    source: bytes
    file_name: str
    vector: bytes
    thumbnail: bytes | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """The pictures that went with an identity; ``vectors`` are their bytes, for the proof."""

    picture_ids: tuple[int, ...]
    sources: tuple[bytes, ...]
    vectors: tuple[bytes, ...]


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_meta(connection: sqlite3.Connection) -> Meta:
    """Return the settings."""
    row = connection.execute(
        "SELECT dimension, fingerprint, embedder, threshold, generation FROM meta"
    ).fetchone()
    if row is None:
        raise DamageError("its settings are missing")
    return Meta(*row)


def find_identity(connection: sqlite3.Connection, name: str) -> int | None:
    """Return the number of the identity of that name."""
    for number, content in connection.execute(
        "SELECT i.number, n.content FROM identities i JOIN names n ON n.slot = i.name "
        "WHERE i.name_key = ?",
        (name_key(name),),
    ).fetchall():
        if content.rstrip(b"\0") == name.encode():
            return int(number)
    return None


def add_identity(connection: sqlite3.Connection, name: str, *, at: str) -> int:
    """Store a new identity; returns its number, which is never given again."""
    slot = slots.put(connection, "names", name.encode())
    return _inserted(
        connection,
        "INSERT INTO identities (name_key, name, enrolled_at) VALUES (?, ?, ?)",
        (name_key(name), slot, at),
    )


def find_source(connection: sqlite3.Connection, source: bytes) -> tuple[int, int] | None:
    """Return (picture number, identity number) of the content with this SHA-256."""
    for number, identity, label in connection.execute(
        "SELECT p.number, p.identity, l.content FROM pictures p JOIN labels l ON l.slot = p.label "
        "WHERE p.source_key = ?",
        (source_key(source),),
    ).fetchall():
        if label[:SOURCE_BYTES] == source:
            return int(number), int(identity)
    return None


def add_picture(connection: sqlite3.Connection, identity: int, content: Content) -> int:
    """Store one picture; returns its number, which is never given again."""
    # A file name need not be text that UTF-8 can hold.
    label = content.source + content.file_name.encode("utf-8", "backslashreplace")
    thumbnail = None
    if content.thumbnail is not None:
        thumbnail = slots.put(connection, "thumbnails", content.thumbnail)
    return _inserted(
        connection,
        "INSERT INTO pictures (identity, source_key, vector, label, thumbnail) "
        "VALUES (?, ?, ?, ?, ?)",
        (
            identity,
            source_key(content.source),
            slots.put(connection, "vectors", content.vector),
            slots.put(connection, "labels", label),
            thumbnail,
        ),
    )


def remove_identity(connection: sqlite3.Connection, number: int) -> Removed:
    """Zero everything about an identity in place and delete the rows that point there."""
    rows = connection.execute(
        "SELECT p.number, p.vector, p.label, p.thumbnail, l.content, v.content FROM pictures p "
        "LEFT JOIN labels l ON l.slot = p.label LEFT JOIN vectors v ON v.slot = p.vector "
        "WHERE p.identity = ? ORDER BY p.number",
        (number,),
    ).fetchall()
    name = connection.execute("SELECT name FROM identities WHERE number = ?", (number,)).fetchone()
    connection.execute("DELETE FROM pictures WHERE identity = ?", (number,))
    connection.execute("DELETE FROM identities WHERE number = ?", (number,))
    for _, vector, label, thumbnail, _, _ in rows:
        slots.wipe(connection, "vectors", vector)
        slots.wipe(connection, "labels", label)
        if thumbnail is not None:
            slots.wipe(connection, "thumbnails", thumbnail)
    slots.wipe(connection, "names", name[0])
    return Removed(
        picture_ids=tuple(row[0] for row in rows),
        sources=tuple(row[4][:SOURCE_BYTES] for row in rows),
        vectors=tuple(row[5] for row in rows),
    )


def identities(connection: sqlite3.Connection) -> Iterator[tuple[int, str, int, str]]:
    """Yield (number, name, pictures, enrolled at) of every identity, by number."""
    for number, key, content, pictures, enrolled_at in connection.execute(
        "SELECT i.number, i.name_key, n.content, count(p.number), i.enrolled_at "
        "FROM identities i JOIN names n ON n.slot = i.name "
        "LEFT JOIN pictures p ON p.identity = i.number GROUP BY i.number ORDER BY i.number"
    ):
        yield number, read_name(content, key), pictures, enrolled_at


def identity_name(connection: sqlite3.Connection, number: int) -> str:
    """Return the name of an identity that exists."""
    content, key = connection.execute(
        "SELECT n.content, i.name_key FROM identities i JOIN names n ON n.slot = i.name "
        "WHERE i.number = ?",
        (number,),
    ).fetchone()
    return read_name(content, key)


def read_thumbnail(connection: sqlite3.Connection, number: int) -> bytes:
    """Return a picture's JPEG; raises InputError when there is no such picture or no thumbnail."""
    row = connection.execute(
        "SELECT t.content FROM pictures p LEFT JOIN thumbnails t ON t.slot = p.thumbnail "
        "WHERE p.number = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise InputError(f"the gallery has no picture {number}; take a number from a hit")
    if row[0] is None:
        raise InputError(f"picture {number} was enrolled as a vector and has no thumbnail")
    jpeg = bytes(row[0]).rstrip(b"\0")
    if not is_jpeg(jpeg):
        raise DamageError("a thumbnail cannot be read")
    return jpeg


def is_jpeg(content: bytes) -> bool:
    """True when the bytes begin and end as a JPEG file does."""
    return content.startswith(b"\xff\xd8") and content.endswith(b"\xff\xd9")


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many identities, pictures, pending forgets and free vector slots there are."""
    queries = {
        "identities": "SELECT count(*) FROM identities",
        "pictures": "SELECT count(*) FROM pictures",
        "pending_forgets": "SELECT count(*) FROM pending_forgets",
        "free_slots": "SELECT count(*) FROM free_slots WHERE shelf = 'vectors'",
    }
    return {name: int(connection.execute(query).fetchone()[0]) for name, query in queries.items()}


def read_name(content: bytes, key: int) -> str:
    """Decode a name from its slot; its 16-bit key doubles as a checksum."""
    try:
        name = content.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        name = ""
    if not name or name_key(name) != key:
        raise DamageError("a name cannot be read")
    return name


def read_label(content: bytes, key: int) -> str:
    """Decode the file name from its slot; the source's 32-bit key doubles as a checksum."""
    if source_key(content) != key:
        raise DamageError("a file name cannot be read")
    return content[SOURCE_BYTES:].rstrip(b"\0").decode("utf-8", "replace")


def name_key(name: str) -> int:
    """16 bits of the name's SHA-256."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:2], "big")


def source_key(source: bytes) -> int:
    """The first 32 bits of a source hash."""
    return int.from_bytes(source[:4], "big")


def _inserted(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> int:
    number = connection.execute(statement, values).lastrowid
    if number is None:
        raise sqlite3.DatabaseError("an insert gave no row number")
    return number
