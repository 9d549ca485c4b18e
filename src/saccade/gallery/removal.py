"""Removing identities, or single pictures, from every table. Works inside a transaction."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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


class Zeroed(NamedTuple):
    """A place that was zeroed: its shelf, its slot, and whose row pointed there."""

    whose: int
    shelf: str
    slot: int


@dataclass(frozen=True, slots=True)
class Removed:
    """The pictures that went, with an identity or alone.

    ``sources`` are their SHA-256, ``photo_keys`` the first 32 bits of those of the photos that they
    were cut from. ``vectors`` are the bytes of theirs, and of the rejections that went too, and
    ``places`` the zeroed slots by shelf, for the proof.
    """

    picture_ids: list[int] = field(default_factory=list)
    sources: list[bytes] = field(default_factory=list)
    photo_keys: list[int] = field(default_factory=list)
    vectors: list[bytes] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)

    def note(self, zeroed: Zeroed) -> None:
        """Add a place."""
        self.places.setdefault(zeroed.shelf, []).append(zeroed.slot)


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
    removed = {number: Removed() for number in numbers}
    _remove_rows(connection, rows, removed)
    _withdraw(connection, "identity", numbers)
    for table, column, places in (*OF_AN_IDENTITY, ("identities", "number", {"name": "names"})):
        for zeroed in _delete(connection, table, column, numbers, places):
            removed[zeroed.whose].note(zeroed)
    return removed


def remove_pictures(connection: sqlite3.Connection, numbers: Sequence[int]) -> Removed:
    """Zero everything about these pictures in place, and the rejections of their contents."""
    rows = connection.execute(
        "SELECT p.number, 0, p.vector, p.label, p.thumbnail, l.content, v.content "
        "FROM json_each(?) j JOIN pictures p ON p.number = j.value "
        "LEFT JOIN labels l ON l.slot = p.label LEFT JOIN vectors v ON v.slot = p.vector",
        (json.dumps(sorted(numbers)),),
    ).fetchall()
    removed = {0: Removed()}  # no identity has the number 0
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
    for rejection, content in remove_rejections(connection, list(about)):
        removed[about[rejection.whose]].note(rejection)
        if content is not None:
            removed[about[rejection.whose]].vectors.append(content)
    owner = {row[0]: row[1] for row in rows}
    photos = (
        "SELECT picture, photo_key FROM crops WHERE picture IN (SELECT value FROM json_each(?))"
    )
    for picture, key in connection.execute(photos, (json.dumps(list(owner)),)):
        removed[owner[picture]].photo_keys.append(key)
    for table, column, places in OF_A_PICTURE:
        for zeroed in _delete(connection, table, column, list(owner), places):
            removed[owner[zeroed.whose]].note(zeroed)
    _withdraw(connection, "picture", list(owner))
    source_keys.remove(connection, list(owner))
    _delete(connection, "pictures", "number", list(owner), {})
    centring.take_away(connection, [row[6] for row in rows])
    for at, shelf in enumerate(("vectors", "labels", "thumbnails"), 2):
        wiped = [Zeroed(row[1], shelf, row[at]) for row in rows if row[at] is not None]
        _wipe(connection, wiped)
        for one in wiped:
            removed[one.whose].note(one)


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


def remove_rejections(
    connection: sqlite3.Connection, numbers: Sequence[int]
) -> list[tuple[Zeroed, bytes | None]]:
    """Zero these rejections in place and delete them.

    Returns the places, each with the bytes of the vector that stood there; None for a label.
    """
    contents = dict(
        connection.execute(
            "SELECT v.slot, v.content FROM json_each(?) j JOIN rejections r ON r.number = j.value "
            "JOIN vectors v ON v.slot = r.vector",
            (json.dumps(list(numbers)),),
        ).fetchall()
    )
    shelves = {"vector": "vectors", "label": "labels"}
    zeroed = _delete(connection, "rejections", "number", numbers, shelves)
    return [(one, contents[one.slot] if one.shelf == "vectors" else None) for one in zeroed]


def _wipe(connection: sqlite3.Connection, places: Sequence[Zeroed]) -> None:
    for _, shelf, slot in sorted(places, key=lambda one: one[1:]):
        slots.wipe(connection, shelf, slot)


def _delete(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    numbers: Sequence[int],
    shelves: Mapping[str, str],
) -> list[Zeroed]:
    """Delete the rows whose ``column`` is one of the numbers, and zero what they have on shelves.

    ``shelves``: the columns that hold a place, each with its shelf. Returns the places.
    """
    wanted = json.dumps(list(numbers))
    where = f"FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))"
    places = [
        Zeroed(whose, shelf, slot)
        for place, shelf in shelves.items()
        for whose, slot in connection.execute(f"SELECT {column}, {place} {where}", (wanted,))
    ]
    _wipe(connection, places)
    connection.execute(f"DELETE {where}", (wanted,))
    return places


def _withdraw(connection: sqlite3.Connection, what: str, numbers: Sequence[int]) -> None:
    """Delete the proposals about these identities or pictures, the refused ones too."""
    about = connection.execute(
        f"SELECT proposal FROM proposed_{what} WHERE {what} IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    ).fetchall()
    proposals.withdraw(connection, [number for (number,) in about])
