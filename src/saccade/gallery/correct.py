"""Correcting who is who: names and merges. See docs/decisions/0014-people-in-the-gallery.md.

Every correction is one transaction with its entries in the log. The bytes that it takes away, such
as those of an old name, are zeroed in place, and the write-ahead log is cut unless somebody reads
an older state; who must know that nothing is left forgets the identity.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from saccade.errors import InputError
from saccade.gallery import contradictions, inputs, log, merges, slots, store, who
from saccade.gallery.answers import IdentityInfo
from saccade.gallery.database import Database
from saccade.gallery.decisions import FROM, INTO, MERGE, UNMERGE


def rename(database: Database, old: str, new: str) -> IdentityInfo:
    """Call an identity otherwise; raises InputError when the new name is taken.

    Where ``old`` was merged, only that name changes: the identity is called as before.
    """
    wanted = inputs.identity_name(new)
    with database.writing() as connection:
        number = who.number_of(connection, database.folder, old)
        if store.find_identity(connection, wanted) is not None:
            raise InputError(
                f"gallery {database.folder} has an identity '{wanted}' already; choose another "
                f"name, or say that both are one: saccade merge {database.folder} '{wanted}' NAME"
            )
        (before,) = connection.execute(
            "SELECT name FROM identities WHERE number = ?", (number,)
        ).fetchone()
        (place,) = slots.put(connection, "names", [wanted.encode()])
        connection.execute(
            "UPDATE identities SET name = ?, name_key = ? WHERE number = ?",
            (place, store.name_key(wanted), number),
        )
        slots.wipe(connection, "names", before)
        log.append(connection, "rename", at=store.now(), identity=number)
        info = described(connection, number)
    database.truncate_log(0.0)
    return info


def merge(database: Database, kept: str, merged: str) -> IdentityInfo:
    """Let ``kept`` answer for ``merged``; returns the one identity that they are.

    Raises InputError when they are one already, when ``merged`` is merged into another, or when a
    picture of one was rejected as the other.
    """
    with database.writing() as connection:
        number = merge_within(connection, database.folder, kept, merged, said_at=store.now())
        return described(connection, number)


def merge_within(
    connection: sqlite3.Connection, folder: Path, kept: str, merged: str, *, said_at: str
) -> int:
    """Merge, as ``merge`` does, in a transaction that the caller began; returns who is merged."""
    into = who.number_of(connection, folder, kept)
    number = who.number_of(connection, folder, merged)
    _require_apart(connection, into, number, kept, merged)
    contradictions.require_none(connection, into, number)
    connection.execute("INSERT INTO merges VALUES (?, ?, ?)", (number, into, said_at))
    log.append(connection, MERGE, at=store.now(), identity=number)
    log.append(connection, INTO, at=store.now(), identity=into)
    return number


def unmerge(database: Database, merged: str) -> IdentityInfo:
    """Let ``merged`` answer for itself again, as if there had been no merge; returns it.

    What is merged into it goes with it. Raises InputError when it was not merged.
    """
    at = store.now()
    with database.writing() as connection:
        number = who.number_of(connection, database.folder, merged)
        into = merges.pointer(connection, number)
        if into is None:
            raise InputError(f"'{merged}' is not merged into another; {_hint(connection, number)}")
        connection.execute("DELETE FROM merges WHERE merged = ?", (number,))
        log.append(connection, UNMERGE, at=at, identity=number)
        log.append(connection, FROM, at=at, identity=into)
        return described(connection, number)


def described(connection: sqlite3.Connection, number: int) -> IdentityInfo:
    """Return the identity that this number is part of, with all that is merged into it."""
    root = merges.root(connection, number)
    everyone = merges.group(connection, root)
    names = store.identity_names(connection, everyone)
    counted = [
        connection.execute(
            "SELECT enrolled_at, (SELECT count(*) FROM pictures WHERE identity = ?1) "
            "FROM identities WHERE number = ?1",
            (one,),
        ).fetchone()
        for one in everyone
    ]
    return IdentityInfo(
        names.pop(root),
        sum(pictures for _, pictures in counted),
        min(at for at, _ in counted),
        tuple(sorted(names.values())),
    )


def identities(
    connection: sqlite3.Connection, fitting: Mapping[int, int] | None = None
) -> list[IdentityInfo]:
    """Return every identity, sorted by name; what was merged stands with whom it was merged into.

    The same as ``described`` of each, read in one go. ``fitting``: how many pictures of each number
    are counted instead of all; identities without any are left out.
    """
    alone = {
        number: IdentityInfo(name, pictures if fitting is None else fitting.get(number, 0), at)
        for number, name, pictures, at in store.identities(connection)
    }
    pointers = merges.Merges.read(connection)
    for merged, kept in zip(pointers.merged.tolist(), pointers.kept.tolist(), strict=True):
        one, other = alone[kept], alone.pop(merged)
        alone[kept] = IdentityInfo(
            one.name,
            one.pictures + other.pictures,
            min(one.enrolled_at, other.enrolled_at),
            tuple(sorted([*one.also, other.name])),
        )
    told = [info for info in alone.values() if fitting is None or info.pictures]
    return sorted(told, key=lambda info: info.name)


def _require_apart(
    connection: sqlite3.Connection, into: int, number: int, kept: str, merged: str
) -> None:
    root = merges.root(connection, number)
    if merges.root(connection, into) == root:
        raise InputError(f"'{kept}' and '{merged}' are one identity already; nothing is to merge")
    if root != number:
        called = store.identity_name(connection, root)
        raise InputError(
            f"'{merged}' is merged into '{called}' already; merge '{called}' instead, or unmerge "
            f"'{merged}' first"
        )


def _hint(connection: sqlite3.Connection, number: int) -> str:
    rows = connection.execute("SELECT merged FROM merges WHERE kept = ?", (number,)).fetchall()
    names = store.identity_names(connection, [one for (one,) in rows])
    if not names:
        return "saccade list shows who was"
    return "these are merged into it: " + ", ".join(f"'{name}'" for name in sorted(names.values()))
