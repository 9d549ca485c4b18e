"""Removing identities, or single pictures, from every table. Works inside a transaction."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saccade.gallery import centring, proposals, slots, source_keys
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

    picture_ids: list[int]
    sources: list[bytes]
    vectors: list[bytes]


def remove_identities(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Removed]:
    """Zero everything about identities in place and delete the rows that point there.

    Rejections of their pictures, and those that say that something is not one of them, hold a
    picture's vector too and go with the first of whom that is true. Every table is gone through
    once, in its order: in a large gallery each row is on a page of its own.
    """
    rows = connection.execute(
        "SELECT p.number, p.identity, p.vector, p.label, p.thumbnail, l.content, v.content "
        "FROM json_each(?) j CROSS JOIN pictures p ON p.identity = j.value "
        "LEFT JOIN labels l ON l.slot = p.label LEFT JOIN vectors v ON v.slot = p.vector",
        (json.dumps(sorted(numbers)),),
    ).fetchall()
    removed = {number: Removed([], [], []) for number in numbers}
    _remove_rows(connection, rows, removed)
    for table, column, places in OF_AN_IDENTITY:
        _delete(connection, table, column, numbers, places)
    _withdraw(connection, "identity", numbers)
    _delete(connection, "identities", "number", numbers, {"name": "names"})
    return removed


def remove_pictures(connection: sqlite3.Connection, numbers: Sequence[int]) -> Removed:
    """Zero everything about these pictures in place, and the rejections of their contents."""
    rows = connection.execute(
        "SELECT p.number, 0, p.vector, p.label, p.thumbnail, l.content, v.content "
        "FROM json_each(?) j JOIN pictures p ON p.number = j.value "
        "LEFT JOIN labels l ON l.slot = p.label LEFT JOIN vectors v ON v.slot = p.vector",
        (json.dumps(sorted(numbers)),),
    ).fetchall()
    removed = {0: Removed([], [], [])}  # no identity has the number 0
    _remove_rows(connection, rows, removed)
    return removed[0]


def _remove_rows(
    connection: sqlite3.Connection, rows: list[Any], removed: dict[int, Removed]
) -> None:
    """Remove pictures: (number, whose, places on three shelves, label, vector) a row.

    What was removed is noted under whose it was; rejections that name one of these go too.
    """
    rows.sort(key=lambda row: row[0])
    for picture, number, *_, label, vector in rows:
        removed[number].picture_ids.append(picture)
        removed[number].sources.append(label[:SOURCE_BYTES])
        removed[number].vectors.append(vector)
    about = _rejections_about(connection, removed)
    rejected = remove_rejections(connection, list(about))
    for number, content in zip(about.values(), rejected, strict=True):
        removed[number].vectors.append(content)
    pictures = [row[0] for row in rows]
    for table, column, places in OF_A_PICTURE:
        _delete(connection, table, column, pictures, places)
    _withdraw(connection, "picture", pictures)
    source_keys.remove(connection, pictures)
    _delete(connection, "pictures", "number", pictures, {})
    centring.take_away(connection, [row[6] for row in rows])
    _wipe(connection, "vectors", [row[2] for row in rows])
    _wipe(connection, "labels", [row[3] for row in rows])
    _wipe(connection, "thumbnails", [row[4] for row in rows if row[4] is not None])


def _rejections_about(
    connection: sqlite3.Connection, removed: dict[int, Removed]
) -> dict[int, int]:
    """Return the rejections that name an identity, or have one of its contents, with whose."""
    owners = {
        source: number for number, mine in reversed(removed.items()) for source in mine.sources
    }
    rows = connection.execute(
        "SELECT r.number, r.identity, l.content FROM rejections r "
        "JOIN labels l ON l.slot = r.label "
        "WHERE r.identity IN (SELECT value FROM json_each(?)) "
        "OR r.source_key IN (SELECT value FROM json_each(?))",
        (json.dumps(list(removed)), json.dumps(source_keys.keys([*owners]).tolist())),
    )
    place = {number: at for at, number in enumerate(removed)}
    found = {}
    for one, whom, label in rows:
        whose = {whom, owners.get(label[:SOURCE_BYTES])} & removed.keys()
        if whose:
            found[one] = min(whose, key=lambda number: place[number])
    return found


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


def _wipe(connection: sqlite3.Connection, shelf: str, places: Sequence[int]) -> None:
    for slot in sorted(places):
        slots.wipe(connection, shelf, slot)


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
        _wipe(connection, shelf, [slot for (slot,) in slots_of])
    connection.execute(f"DELETE {where}", (wanted,))


def _withdraw(connection: sqlite3.Connection, what: str, numbers: Sequence[int]) -> None:
    """Delete the proposals about these identities or pictures, the refused ones too."""
    about = connection.execute(
        f"SELECT proposal FROM proposed_{what} WHERE {what} IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    ).fetchall()
    proposals.withdraw(connection, [number for (number,) in about])
