"""Single pictures become another identity's, or are forgotten, while their identities stay.

A picture that is moved gets a new number, and its row, facts and file are as they were: nobody can
take it for the old one, whose codes and hits speak of another identity. The log tells which old
numbers went: all that a search, an index and a forget need to leave them out (``gone``).

An identity keeps at least one picture: one without any is forgotten, merged or renamed.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from saccade.errors import InputError, UnknownNameError
from saccade.gallery import (
    contradictions,
    inputs,
    log,
    merges,
    proposals,
    removal,
    source_keys,
    store,
    who,
)
from saccade.gallery import forget as forgetting
from saccade.gallery.answers import Forgotten, Moved
from saccade.gallery.database import Database
from saccade.gallery.debts import Owed, owe
from saccade.gallery.gone import LEAVE, MOVE, REMOVE, runs
from saccade.gallery.source_keys import SOURCE_BYTES

MOVE_ALL = (
    "to give the identity another name: saccade rename; to say that two are one: saccade merge"
)
REMOVE_ALL = "to forget the whole identity: saccade forget GALLERY NAME"
IN_A_GROUP = (
    "it is merged with others, which forget would take too: let it stand alone first, with saccade "
    "unmerge; then merge, rename or forget it"
)


def move(database: Database, pictures: Sequence[int], to: str, *, new: bool = False) -> Moved:
    """Let pictures, by number, be of the identity that is called ``to``, all or none.

    ``to`` stands for its own pictures, merged or not; ``new`` makes an identity of that name. Those
    that are of it already stay as they are. Raises InputError for an unknown number, for all
    pictures of an identity, for one that was rejected as ``to`` and for a new name that is taken,
    and UnknownNameError when nobody is called ``to``.
    """
    at = store.now()
    with database.writing() as connection:
        owned = _by_owner(connection, pictures)
        target = _target(connection, database.folder, to, new, at)
        unchanged = tuple(owned.pop(target, ()))
        _require_one_left(connection, owned, MOVE_ALL)
        before = sorted(number for mine in owned.values() for number in mine)
        _require_not_rejected(connection, before, target)
        first = store.last_number(connection, "pictures") + 1
        if before:
            _renumber(connection, before, first, target)
            for owner, mine in owned.items():
                _log_runs(connection, LEAVE, at, owner, mine)
            span = (first, first + len(before) - 1)
            log.append(
                connection, MOVE, at=at, identity=target, picture_ids=span, pictures=len(before)
            )
        name = store.identity_name(connection, target)
    return Moved(name, tuple(before), tuple(range(first, first + len(before))), unchanged)


def remove(
    database: Database, pictures: Sequence[int], *, wait_s: float = forgetting.WAIT_S
) -> list[Forgotten]:
    """Forget single pictures, all or none, as ``forget`` does; one answer an identity.

    The answers stand in the order of the identities' numbers. What was rejected with the content of
    one goes too. Raises InputError for an unknown number and for all pictures of an identity.
    """
    chosen: dict[int, tuple[int, list[int]]] = {}

    def choice(connection: sqlite3.Connection) -> list[list[int]]:
        owned = _by_owner(connection, pictures)
        _require_one_left(connection, owned, REMOVE_ALL)
        chosen.update((-mine[0], (owner, mine)) for owner, mine in owned.items())
        return [[debt] for debt in chosen]

    def remove_all(
        connection: sqlite3.Connection, debts: Sequence[int], at: str
    ) -> dict[int, Owed]:
        return {debt: remove_one(connection, debt, at) for debt in debts}

    def remove_one(connection: sqlite3.Connection, debt: int, at: str) -> Owed:
        owner, mine = chosen[debt]
        removed = removal.remove_pictures(connection, mine)
        entry = _log_runs(connection, REMOVE, at, owner, mine)
        more = {"identity": owner, "pictures_only": True}
        return owe(connection, debt, removed, at, entry, **more)

    return forgetting.carry_out(database, choice, remove_all, wait_s)


def _by_owner(connection: sqlite3.Connection, pictures: Iterable[int]) -> dict[int, list[int]]:
    """Return the rising numbers of the pictures by the identity that they are of, also rising."""
    owned: dict[int, list[int]] = {}
    wanted = sorted(set(map(int, pictures)))
    if not wanted:
        raise InputError("no picture was named; take numbers from a hit, or from saccade show")
    for number in wanted:
        row = None
        if 0 < number < 1 << 62:
            row = connection.execute(
                "SELECT identity FROM pictures WHERE number = ?", (number,)
            ).fetchone()
        if row is None:
            raise InputError(
                f"the gallery has no picture {number}; take a number from a hit, or from saccade "
                "show (a picture that is moved gets a new one)"
            )
        owned.setdefault(row[0], []).append(number)
    return dict(sorted(owned.items()))


def _target(connection: sqlite3.Connection, folder: Path, to: str, new: bool, at: str) -> int:
    if not new:
        try:
            return who.number_of(connection, folder, to)
        except UnknownNameError as error:
            raise UnknownNameError(f"{error}; to make a new identity of that name: --new") from None
    wanted = inputs.identity_name(to)
    if store.find_identity(connection, wanted) is not None:
        raise InputError(
            f"gallery {folder} has an identity '{wanted}' already; leave out --new to move to "
            "it, or choose another name"
        )
    return store.add_identities(connection, [wanted], at=at)[wanted]


def _require_one_left(
    connection: sqlite3.Connection, owned: Mapping[int, Sequence[int]], remedy: str
) -> None:
    for owner, mine in owned.items():
        (held,) = connection.execute(
            "SELECT count(*) FROM pictures WHERE identity = ?", (owner,)
        ).fetchone()
        if held == len(mine):
            name = store.identity_name(connection, owner)
            if len(merges.group(connection, owner)) > 1:
                remedy = IN_A_GROUP
            raise InputError(f"'{name}' would keep no picture of its {held}; {remedy}")


def _require_not_rejected(connection: sqlite3.Connection, pictures: list[int], target: int) -> None:
    sources = [
        connection.execute(
            "SELECT l.content FROM pictures p JOIN labels l ON l.slot = p.label WHERE p.number = ?",
            (number,),
        ).fetchone()[0][:SOURCE_BYTES]
        for number in pictures
    ]
    rejected = contradictions.rejected_rows(connection, sources, [target] * len(sources))
    for row, whom in rejected.items():
        name = store.identity_name(connection, whom)
        raise InputError(
            f"picture {pictures[row]} was rejected as '{name}'; if that was wrong, undo it first: "
            f"saccade reject GALLERY '{name}' --picture-id {pictures[row]} --undo"
        )


def _renumber(
    connection: sqlite3.Connection, before: Sequence[int], first: int, target: int
) -> None:
    """Give pictures new numbers from ``first``, and the identity; they keep what is on shelves."""
    numbers = list(zip(count(first), before, strict=False))
    connection.executemany(
        "INSERT INTO pictures SELECT ?1, ?3, source_key, vector, label, thumbnail FROM pictures "
        "WHERE number = ?2",
        [(*pair, target) for pair in numbers],
    )
    for table, column, _ in removal.OF_A_PICTURE:
        connection.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", numbers)
    keys = [
        connection.execute("SELECT source_key FROM pictures WHERE number = ?", (old,)).fetchone()[0]
        for old in before
    ]
    source_keys.remove(connection, before)
    source_keys.add(connection, first, np.array(keys, np.int64))
    _renumber_proposals(connection, numbers)
    connection.executemany("DELETE FROM pictures WHERE number = ?", [(old,) for old in before])


def _renumber_proposals(connection: sqlite3.Connection, numbers: Sequence[tuple[int, int]]) -> None:
    """Withdraw open proposals about the old numbers; what was refused is of the new ones."""
    about = "SELECT proposal FROM proposed_picture WHERE picture = ?"
    for new, old in numbers:
        rows = connection.execute(
            f"SELECT number FROM proposals WHERE refused_at IS NULL AND number IN ({about})", (old,)
        ).fetchall()
        proposals.withdraw(connection, [number for (number,) in rows])
        connection.execute("UPDATE proposed_picture SET picture = ? WHERE picture = ?", (new, old))


def _log_runs(
    connection: sqlite3.Connection, action: str, at: str, identity: int, numbers: Sequence[int]
) -> tuple[int, str]:
    """Write an entry for each run of rising numbers; returns the last one's generation and hash."""
    entry = (0, "")
    for run in runs(numbers):
        entry = log.append(
            connection,
            action,
            at=at,
            identity=identity,
            picture_ids=run,
            pictures=run[1] - run[0] + 1,
        )
    return entry
