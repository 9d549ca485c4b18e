"""Removing an identity, or single pictures, from every table. Works inside a transaction."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from saccade.gallery import proposals, slots, source_keys
from saccade.gallery.source_keys import SOURCE_BYTES

# Tables whose rows belong to an identity or a picture: (table, its column that says whose, the
# columns that hold a place on a shelf, with the shelf). Whoever adds a table adds a row here.
Owned = tuple[str, str, Mapping[str, str]]
OF_A_PICTURE: tuple[Owned, ...] = (
    ("picture_facts", "picture", {"fact": "facts"}),
    ("kept_files", "picture", {"original": "originals"}),
    ("crops", "picture", {}),
)
OF_AN_IDENTITY: tuple[Owned, ...] = (
    ("merges", "merged", {}),
    ("merges", "kept", {}),
    ("terms", "identity", {}),
    ("identity_facts", "identity", {"fact": "facts"}),
)


@dataclass(frozen=True, slots=True)
class Removed:
    """The pictures that went, with an identity or alone.

    ``vectors`` are the bytes of theirs, and of the rejections that went too, for the proof.
    """

    picture_ids: tuple[int, ...]
    sources: tuple[bytes, ...]
    vectors: tuple[bytes, ...]


def remove_identity(connection: sqlite3.Connection, number: int) -> Removed:
    """Zero everything about an identity in place and delete the rows that point there.

    Rejections of its pictures, and those that say that something is not it, hold a picture's vector
    too and go with it.
    """
    pictures = connection.execute(
        "SELECT number FROM pictures WHERE identity = ? ORDER BY number", (number,)
    ).fetchall()
    removed = remove_pictures(connection, [one for (one,) in pictures], identity=number)
    for table, column, places in OF_AN_IDENTITY:
        _delete(connection, table, column, [number], places)
    _withdraw(connection, "identity", [number])
    (name,) = connection.execute(
        "SELECT name FROM identities WHERE number = ?", (number,)
    ).fetchone()
    connection.execute("DELETE FROM identities WHERE number = ?", (number,))
    slots.wipe(connection, "names", name)
    return removed


def remove_pictures(
    connection: sqlite3.Connection, numbers: Sequence[int], *, identity: int | None = None
) -> Removed:
    """Zero everything about these pictures, by rising number, and the rejections of their contents.

    With the ``identity`` also the rejections that name it.
    """
    wanted = json.dumps(list(numbers))
    rows = connection.execute(
        "SELECT p.vector, p.label, p.thumbnail, l.content, v.content FROM json_each(?) j "
        "JOIN pictures p ON p.number = j.value LEFT JOIN labels l ON l.slot = p.label "
        "LEFT JOIN vectors v ON v.slot = p.vector ORDER BY j.key",
        (wanted,),
    ).fetchall()
    sources = [row[3][:SOURCE_BYTES] for row in rows]
    rejected = remove_rejections(connection, rejections_about(connection, identity, sources))
    for table, column, places in OF_A_PICTURE:
        _delete(connection, table, column, numbers, places)
    _withdraw(connection, "picture", numbers)
    source_keys.remove(connection, numbers)
    connection.execute(
        "DELETE FROM pictures WHERE number IN (SELECT value FROM json_each(?))", (wanted,)
    )
    for vector, label, thumbnail, _, _ in rows:
        slots.wipe(connection, "vectors", vector)
        slots.wipe(connection, "labels", label)
        if thumbnail is not None:
            slots.wipe(connection, "thumbnails", thumbnail)
    vectors = [row[4] for row in rows]
    return Removed(tuple(numbers), tuple(sources), (*vectors, *rejected))


def rejections_about(
    connection: sqlite3.Connection, number: int | None, sources: Sequence[bytes]
) -> list[int]:
    """Return the numbers of rejections that name the identity, or have one of the contents."""
    wanted = json.dumps(source_keys.keys(sources).tolist())
    rows = connection.execute(
        "SELECT r.number, r.identity, l.content FROM rejections r "
        "JOIN labels l ON l.slot = r.label "
        "WHERE r.identity = ? OR r.source_key IN (SELECT value FROM json_each(?))",
        (number, wanted),
    ).fetchall()
    mine = set(sources)
    return [one for one, whom, label in rows if whom == number or label[:SOURCE_BYTES] in mine]


def remove_rejections(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[bytes]:
    """Zero these rejections in place and delete them; returns the bytes of their vectors."""
    vectors = [
        connection.execute(
            "SELECT v.content FROM rejections r JOIN vectors v ON v.slot = r.vector "
            "WHERE r.number = ?",
            (number,),
        ).fetchone()[0]
        for number in numbers
    ]
    _delete(connection, "rejections", "number", numbers, {"vector": "vectors", "label": "labels"})
    return vectors


def _delete(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    numbers: Sequence[int],
    places: Mapping[str, str],
) -> None:
    """Delete the rows whose ``column`` is one of the numbers, and wipe what they have on shelves.

    ``places``: the columns that hold a place, each with its shelf.
    """
    wanted = json.dumps(list(numbers))
    where = f"FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))"
    for place, shelf in places.items():
        slots_of = connection.execute(f"SELECT {place} {where}", (wanted,)).fetchall()
        for (slot,) in slots_of:
            slots.wipe(connection, shelf, slot)
    connection.execute(f"DELETE {where}", (wanted,))


def _withdraw(connection: sqlite3.Connection, what: str, numbers: Sequence[int]) -> None:
    """Delete the proposals about these identities or pictures, the refused ones too."""
    about = connection.execute(
        f"SELECT proposal FROM proposed_{what} WHERE {what} IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    ).fetchall()
    proposals.withdraw(connection, [number for (number,) in about])
