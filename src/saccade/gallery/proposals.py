"""What a check or a grouping proposes, kept until the user decides. Works inside a transaction.

Only numbers are kept. A proposal about an identity or a picture goes when that is forgotten
(``removal``); one that was refused stays, so that it is not made again. Its number is never given
again.
"""

import itertools
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from saccade.errors import InputError


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal of a ``kind`` about identities and pictures, whose numbers stand in its order.

    ``number`` is 0 until it is kept. ``score``: how sure it is, by which those of a kind are told.
    """

    kind: str
    identities: tuple[int, ...]
    pictures: tuple[int, ...]
    score: float
    number: int = 0

    @property
    def about(self) -> tuple[str, frozenset[int], frozenset[int]]:
        """What makes two proposals the same."""
        return self.kind, frozenset(self.identities), frozenset(self.pictures)


def replace(
    connection: sqlite3.Connection, kinds: Sequence[str], made: Iterable[Proposal]
) -> list[Proposal]:
    """Put these in the place of all open proposals of ``kinds``; returns them with their numbers.

    Left out is what was refused before, and what is about an identity or a picture that is no
    longer there: another process may have taken it away since it was read.
    """
    made = list(made)
    refused = {one.about for one in read(connection, refused=True)}
    withdraw(connection, [one.number for one in read(connection) if one.kind in kinds])
    identities = _there(connection, "identities", [one.identities for one in made])
    pictures = _there(connection, "pictures", [one.pictures for one in made])
    return [
        _kept(connection, one)
        for one in made
        if one.about not in refused
        and identities.issuperset(one.identities)
        and pictures.issuperset(one.pictures)
    ]


def read(connection: sqlite3.Connection, *, refused: bool = False) -> list[Proposal]:
    """Return the open proposals, or those that were refused, by number."""
    rows = connection.execute(
        "SELECT number, kind, score FROM proposals WHERE (refused_at IS NOT NULL) = ? "
        "ORDER BY number",
        (refused,),
    ).fetchall()
    identities, pictures = _members(connection, "identity"), _members(connection, "picture")
    return [
        Proposal(kind, identities.get(number, ()), pictures.get(number, ()), score, number)
        for number, kind, score in rows
    ]


def named(connection: sqlite3.Connection, number: int) -> Proposal:
    """Return an open proposal; raises InputError when there is none of that number."""
    found = find(connection, number)
    if found is None:
        raise InputError(
            f"there is no open proposal {number}; it was decided, or what it was about has "
            "changed: run the check or the grouping again for the present ones"
        )
    return found


def find(connection: sqlite3.Connection, number: int) -> Proposal | None:
    """Return an open proposal, None when there is none of that number."""
    row = None
    if 0 < number < 1 << 62:
        row = connection.execute(
            "SELECT kind, score FROM proposals WHERE number = ? AND refused_at IS NULL", (number,)
        ).fetchone()
    if row is None:
        return None
    identities, pictures = (
        tuple(
            member
            for (member,) in connection.execute(
                f"SELECT {what} FROM proposed_{what} WHERE proposal = ? ORDER BY place", (number,)
            )
        )
        for what in ("identity", "picture")
    )
    return Proposal(row[0], identities, pictures, row[1], number)


def refuse(connection: sqlite3.Connection, number: int, *, at: str) -> None:
    """Note that the user does not want it; raises InputError when it is not open."""
    named(connection, number)
    connection.execute("UPDATE proposals SET refused_at = ? WHERE number = ?", (at, number))


def withdraw(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete proposals."""
    rows = [(number,) for number in numbers]
    for table, column in (
        ("proposed_identity", "proposal"),
        ("proposed_picture", "proposal"),
        ("proposals", "number"),
    ):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)


def _kept(connection: sqlite3.Connection, one: Proposal) -> Proposal:
    number = connection.execute(
        "INSERT INTO proposals (kind, score) VALUES (?, ?)", (one.kind, one.score)
    ).lastrowid
    for what, members in (("identity", one.identities), ("picture", one.pictures)):
        connection.executemany(
            f"INSERT INTO proposed_{what} VALUES (?, ?, ?)",
            [(member, number, place) for place, member in enumerate(members)],
        )
    return Proposal(one.kind, one.identities, one.pictures, one.score, int(number or 0))


def _members(connection: sqlite3.Connection, what: str) -> dict[int, tuple[int, ...]]:
    rows = connection.execute(
        f"SELECT proposal, {what} FROM proposed_{what} ORDER BY proposal, place"
    )
    return {
        proposal: tuple(member for _, member in members)
        for proposal, members in itertools.groupby(rows, key=lambda row: row[0])
    }


def _there(
    connection: sqlite3.Connection, table: str, numbers: Iterable[tuple[int, ...]]
) -> set[int]:
    """Return those of the numbers of ``table`` that exist."""
    rows = connection.execute(
        f"SELECT t.number FROM json_each(?) j JOIN {table} t ON t.number = j.value",
        (json.dumps(sorted(set(itertools.chain.from_iterable(numbers)))),),
    )
    return {number for (number,) in rows}
