"""Which identity answers for which: merges are pointers, followed to the end of their chain.

See docs/decisions/0014-people-in-the-gallery.md. No picture moves; whoever groups rows by identity
maps their numbers first. What is held in memory is as long as there are merges, not rows.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.gallery.database import DamageError
from saccade.values import IntArray

GROUP = """
    WITH RECURSIVE one (number) AS (
        VALUES (?) UNION SELECT m.merged FROM merges m JOIN one ON m.kept = one.number)
    SELECT number FROM one"""


@dataclass(frozen=True, slots=True)
class Merges:
    """The rising numbers of ``merged`` identities (m,), and who answers for each: ``kept`` (m,)."""

    merged: IntArray
    kept: IntArray

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> "Merges":
        """Read the pointers; each chain is followed to its end, by doubling the steps."""
        rows = connection.execute("SELECT merged, kept FROM merges ORDER BY merged").fetchall()
        pointers = np.array(rows, np.int64).reshape(-1, 2)
        merges = cls(pointers[:, 0].copy(), pointers[:, 1].copy())
        for _ in range(len(rows).bit_length() + 1):
            further = merges.of(merges.kept)
            if np.array_equal(further, merges.kept):
                return merges
            merges = cls(merges.merged, further)
        raise DamageError("merges go round in a circle")

    def of(self, identities: IntArray) -> IntArray:
        """Return who answers for each of these identities, in the same shape."""
        if not len(self.merged):
            return identities
        places = np.searchsorted(self.merged, identities)
        places[places == len(self.merged)] = 0
        found: IntArray = np.where(self.merged[places] == identities, self.kept[places], identities)
        return found

    def members(self, kept: IntArray) -> IntArray:
        """Return these identities (i,), that answer for themselves, and all they answer for."""
        return np.concatenate([kept, self.merged[np.isin(self.kept, kept)]])


def root(connection: sqlite3.Connection, number: int) -> int:
    """Return the identity that answers for one."""
    seen = {number}
    while (further := pointer(connection, number)) is not None:
        if further in seen:
            raise DamageError("merges go round in a circle")
        seen.add(further)
        number = further
    return number


def pointer(connection: sqlite3.Connection, number: int) -> int | None:
    """Return the identity that one was merged into; None when it answers for itself."""
    row = connection.execute("SELECT kept FROM merges WHERE merged = ?", (number,)).fetchone()
    return None if row is None else int(row[0])


def group(connection: sqlite3.Connection, number: int) -> list[int]:
    """Return all numbers of the one identity that this is part of, by rising number."""
    rows = connection.execute(GROUP, (root(connection, number),))
    return sorted(number for (number,) in rows)


def groups(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[list[int]]:
    """Return for each identity who answers for it, then all others that are one with it, rising."""
    table = Merges.read(connection)
    others: dict[int, list[int]] = {}
    for merged, kept in zip(table.merged.tolist(), table.kept.tolist(), strict=True):
        others.setdefault(kept, []).append(merged)
    roots = table.of(np.array(numbers, np.int64)).tolist()
    return [[first, *others.get(first, [])] for first in roots]
