"""Rows of a gallery: identities, pictures, settings. Every function works inside a transaction."""

import datetime
import hashlib
import itertools
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from saccade.errors import InputError
from saccade.gallery import slots, source_keys
from saccade.gallery.database import DamageError
from saccade.gallery.source_keys import SOURCE_BYTES
from saccade.values import IntArray

TIME = "%Y-%m-%dT%H:%M:%SZ"
MOST_PACKED = 1 << 31  # an identity number, beside a source's key of 32 bits, in 63 bits


@dataclass(frozen=True, slots=True)
class Meta:
    """The settings of a gallery; ``generation`` grows by one with every change."""

    dimension: int
    fingerprint: str
    embedder: str
    threshold: float | None
    generation: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What is stored of pictures, one entry a picture in every list.

    ``identities`` are numbers, ``sources`` the SHA-256 of the files' bytes, ``vectors`` float16
    bytes (little-endian), ``thumbnails`` JPEGs or None.
    """

    identities: Sequence[int]
    sources: Sequence[bytes]
    file_names: Sequence[str]
    vectors: Sequence[bytes]
    thumbnails: Sequence[bytes | None] | None = None


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime(TIME)


def is_time(value: object) -> bool:
    """True for a time as ``now`` gives it."""
    try:
        return isinstance(value, str) and bool(datetime.datetime.strptime(value, TIME))
    except ValueError:
        return False


def read_meta(connection: sqlite3.Connection) -> Meta:
    """Return the settings."""
    row = connection.execute(
        "SELECT dimension, fingerprint, embedder, threshold, generation FROM meta"
    ).fetchone()
    if row is None:
        raise DamageError("its settings are missing")
    return Meta(*row)


def last_number(connection: sqlite3.Connection, table: str) -> int:
    """Return the highest number that the table ever gave; the next row gets the one after it."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 0 if row is None else int(row[0])


def find_identity(connection: sqlite3.Connection, name: str) -> int | None:
    """Return the number of the identity of that name."""
    return find_identities(connection, [name]).get(name)


def find_identities(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, int]:
    """Return the numbers of those names that are enrolled."""
    wanted = [(name_key(name), slots.padded("names", name.encode())) for name in names]
    found: dict[str, int] = {}
    for group in slots.groups(wanted):
        places = ", ".join(["(?, ?)"] * len(group))
        rows = connection.execute(
            f"WITH wanted (key, content) AS (VALUES {places}) "
            "SELECT n.content, i.number FROM wanted w CROSS JOIN identities i "
            "ON i.name_key = w.key CROSS JOIN names n ON n.slot = i.name AND n.content = w.content",
            list(itertools.chain.from_iterable(group)),
        )
        found |= {content.rstrip(b"\0").decode(): number for content, number in rows}
    return found


def add_identities(
    connection: sqlite3.Connection, names: Sequence[str], *, at: str
) -> dict[str, int]:
    """Store new identities; returns their numbers, which are never given again."""
    first = last_number(connection, "identities") + 1
    numbers = range(first, first + len(names))
    places = slots.put(connection, "names", [name.encode() for name in names])
    packed = [place << 16 | name_key(name) for place, name in zip(places, names, strict=True)]
    connection.execute(
        "INSERT INTO identities SELECT ? + key, value & 0xffff, value >> 16, ? FROM json_each(?)",
        (first, at, json.dumps(packed)),
    )
    return dict(zip(names, numbers, strict=True))


def add_pictures(connection: sqlite3.Connection, first: int, contents: Contents) -> None:
    """Store pictures, numbered from ``first``; a number is never given again."""
    # A file name need not be text that UTF-8 can hold.
    labels = [
        source + name.encode("utf-8", "backslashreplace")
        for source, name in zip(contents.sources, contents.file_names, strict=True)
    ]
    keys = source_keys.keys(contents.sources)
    vectors = slots.put(connection, "vectors", contents.vectors)
    places = slots.put(connection, "labels", labels)
    thumbnails = _put_thumbnails(connection, contents)
    whose = np.asarray(contents.identities, np.int64)
    packable = thumbnails is None and whose.max(initial=0) < MOST_PACKED
    if packable and isinstance(vectors, range) and isinstance(places, range):
        _add_rows(connection, first, whose << 32 | keys, vectors[0], places[0])
    else:
        columns = (whose.tolist(), keys.tolist(), vectors, places)
        rows = zip(
            itertools.count(first), *columns, thumbnails or itertools.repeat(None), strict=False
        )
        slots.insert(connection, "pictures", rows)
    source_keys.add(connection, first, keys)


def _add_rows(
    connection: sqlite3.Connection, first: int, packed: IntArray, vector: int, label: int
) -> None:
    """Insert pictures without thumbnails whose vectors and labels stand one behind another."""
    connection.execute(
        "INSERT INTO pictures SELECT :first + key, value >> 32, value & 0xffffffff, "
        ":vector + key, :label + key, NULL FROM json_each(:packed)",
        {"first": first, "vector": vector, "label": label, "packed": json.dumps(packed.tolist())},
    )


def _put_thumbnails(connection: sqlite3.Connection, contents: Contents) -> list[int | None] | None:
    if contents.thumbnails is None:
        return None
    there = [thumbnail for thumbnail in contents.thumbnails if thumbnail is not None]
    places = iter(slots.put(connection, "thumbnails", there))
    return [None if thumbnail is None else next(places) for thumbnail in contents.thumbnails]


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
    return identity_names(connection, [number])[number]


def identity_names(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return the own names of those of these identities that exist, by number."""
    rows = connection.execute(
        "SELECT i.number, n.content, i.name_key FROM json_each(?) j "
        "JOIN identities i ON i.number = j.value JOIN names n ON n.slot = i.name",
        (json.dumps(list(numbers)),),
    )
    return {number: read_name(content, key) for number, content, key in rows}


def file_names(connection: sqlite3.Connection, pictures: Sequence[int]) -> dict[int, str]:
    """Return the file names of those of these pictures that are enrolled, by number."""
    rows = connection.execute(
        "SELECT p.number, l.content, p.source_key FROM json_each(?) j "
        "JOIN pictures p ON p.number = j.value JOIN labels l ON l.slot = p.label",
        (json.dumps(list(pictures)),),
    )
    return {number: read_label(content, key) for number, content, key in rows}


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
    return _jpeg(row[0])


def read_thumbnails(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, bytes]:
    """Return the JPEGs of those of these pictures that have one, by their numbers."""
    rows = connection.execute(
        "SELECT p.number, t.content FROM pictures p JOIN thumbnails t ON t.slot = p.thumbnail "
        "WHERE p.number IN (SELECT value FROM json_each(?)) ORDER BY p.number",
        (json.dumps(numbers),),
    )
    return {number: _jpeg(content) for number, content in rows}


def examples(connection: sqlite3.Connection, identity: int, count: int) -> list[bytes]:
    """Return the JPEGs of the first pictures of an identity that have one."""
    rows = connection.execute(
        "SELECT t.content FROM pictures p JOIN thumbnails t ON t.slot = p.thumbnail "
        "WHERE p.identity = ? ORDER BY p.number LIMIT ?",
        (identity, count),
    )
    return [_jpeg(content) for (content,) in rows]


def _jpeg(content: bytes) -> bytes:
    """What stands in the slot of a thumbnail, without its padding."""
    jpeg = bytes(content).rstrip(b"\0")
    if not is_jpeg(jpeg):
        raise DamageError("a thumbnail cannot be read")
    return jpeg


def is_jpeg(content: bytes) -> bool:
    """True when the bytes begin and end as a JPEG file does."""
    return content.startswith(b"\xff\xd8") and content.endswith(b"\xff\xd9")


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many identities, pictures, pending forgets and free vector slots there are.

    An identity that was merged is none of its own.
    """
    queries = {
        "identities": "SELECT (SELECT count(*) FROM identities) - (SELECT count(*) FROM merges)",
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
