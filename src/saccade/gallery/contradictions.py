"""No content is enrolled as an identity and rejected as the same one, merged or not.

Only the user can say which of the two is wrong. So a rejection is refused where the picture is
enrolled, an enrolment where it is rejected, and a merge that would make one of the other.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from saccade.errors import InputError
from saccade.gallery import merges, source_keys, store
from saccade.gallery.source_keys import SOURCE_BYTES

ALL = "SELECT r.identity, l.content FROM rejections r JOIN labels l ON l.slot = r.label"
NAMING = f"{ALL} WHERE r.identity IN (SELECT value FROM json_each(?))"
OF_SOURCES = f"{ALL} WHERE r.source_key IN (SELECT value FROM json_each(?))"


def require_none(connection: sqlite3.Connection, one: int, other: int) -> None:
    """Raise InputError when a picture of one identity was rejected as the other.

    Each with what is merged into it.
    """
    first, second = set(merges.group(connection, one)), set(merges.group(connection, other))
    rows = connection.execute(NAMING, (json.dumps([*first, *second]),)).fetchall()
    for picture, owner, identity in _enrolled(connection, rows):
        if owner in (second if identity in first else first):
            name = store.identity_name(connection, identity)
            raise InputError(
                f"picture {picture} of '{store.identity_name(connection, owner)}' was rejected as "
                f"'{name}', so they are not one; if that was wrong, undo it first: saccade reject "
                f"GALLERY '{name}' --picture-id {picture} --undo"
            )


def rejected_rows(
    connection: sqlite3.Connection, sources: Sequence[bytes], identities: Sequence[int | None]
) -> dict[int, int]:
    """Return those of rows to be enrolled whose content was rejected as their identity.

    Each with the identity that the rejection names. ``identities`` are None for new ones. Without
    any rejection nothing is looked up.
    """
    if not connection.execute("SELECT 1 FROM rejections LIMIT 1").fetchone():
        return {}
    wanted = json.dumps(source_keys.keys(sources).tolist())
    named: dict[bytes, list[int]] = {}
    for identity, label in connection.execute(OF_SOURCES, (wanted,)).fetchall():
        named.setdefault(label[:SOURCE_BYTES], []).append(identity)
    found: dict[int, int] = {}
    for row, (source, identity) in enumerate(zip(sources, identities, strict=True)):
        if identity is not None and source in named:
            everyone = merges.group(connection, identity)
            found.update((row, one) for one in named[source] if one in everyone)
    return found


def every(connection: sqlite3.Connection) -> list[int]:
    """Return the pictures that are enrolled as what they were rejected as: there should be none."""
    rows = connection.execute(ALL).fetchall()
    return [
        picture
        for picture, owner, identity in _enrolled(connection, rows)
        if merges.root(connection, owner) == merges.root(connection, identity)
    ]


def _enrolled(
    connection: sqlite3.Connection, rows: Iterable[tuple[int, bytes]]
) -> list[tuple[int, int, int]]:
    """Return (picture, whose, rejected as) of those rejected contents that are enrolled."""
    named = [(identity, label[:SOURCE_BYTES]) for identity, label in rows]
    owners = source_keys.find(connection, [source for _, source in named])
    return [(*owners[source], identity) for identity, source in named if source in owners]
