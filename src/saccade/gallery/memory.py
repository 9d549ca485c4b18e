"""What a process keeps of a gallery between searches, and how it learns of changes.

Most rows of a large gallery are in the codes on the disk (``codes``). Those enrolled since, or all
of a small gallery, are *loose*: held in memory and searched exactly. The log tells what has changed
since a generation, so that following one enrolment does not mean reading everything again.
"""

import dataclasses
import sqlite3
from dataclasses import dataclass
from typing import Self

import numpy as np

from saccade.gallery import gone, log, rows, store
from saccade.gallery.code_place import Stamp, stamp
from saccade.gallery.codes import Base, open_base
from saccade.gallery.database import Database
from saccade.gallery.decisions import DECISIONS, Decisions
from saccade.values import Float32Array, IntArray
from saccade.vectors.exact import ExactIndex

LEAST_ROOM = 1024
FOLLOWED = (
    *("enrol", gone.FORGET, "threshold", "rename", "describe", "terms", "compact"),
    *(*DECISIONS, *gone.PICTURES),
)
DECIDING = (gone.FORGET, gone.REMOVE, *DECISIONS)  # after which decisions are read again


@dataclass(frozen=True, slots=True)
class Loose:
    """Rows in memory: the first ``count`` of vectors (m, d), pictures (m,) and identities (m,).

    The room behind them is shared with the states that follow, which only append.
    """

    count: int
    vectors: Float32Array
    pictures: IntArray
    identities: IntArray

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """No rows."""
        none = np.zeros(0, np.int64)
        return cls(0, np.zeros((0, dimension), np.float32), none, none)

    def index(self) -> ExactIndex:
        """The rows, ready to be searched."""
        return ExactIndex(self.vectors[: self.count])

    def extended(self, added: rows.Rows) -> "Loose":
        """These rows and those added behind them."""
        count = self.count + len(added)
        grown = self if count <= len(self.pictures) else self._with_room(max(LEAST_ROOM, 2 * count))
        part = slice(self.count, count)
        grown.vectors[part] = added.vectors(self.vectors.shape[1])
        grown.pictures[part], grown.identities[part] = added.numbers, added.identities
        return dataclasses.replace(grown, count=count)

    def without(self, identities: IntArray, pictures: IntArray) -> "Loose":
        """A copy that leaves out the rows of these identities, and of these pictures."""
        out = np.isin(self.identities[: self.count], identities)
        out |= np.isin(self.pictures[: self.count], pictures)
        return self.of(np.flatnonzero(~out))

    def compared(self, decisions: Decisions) -> "Loose":
        """The rows as they are compared: a copy, without room, where that is not as they are."""
        if decisions.centre is None:
            return self
        vectors = decisions.compared(self.vectors[: self.count])
        return dataclasses.replace(self, vectors=vectors)

    def of(self, kept: IntArray) -> "Loose":
        """A copy of some of the rows, in their order."""
        return Loose(len(kept), self.vectors[kept], self.pictures[kept], self.identities[kept])

    def _with_room(self, rows: int) -> "Loose":
        vectors = np.empty((rows, self.vectors.shape[1]), np.float32)
        pictures, identities = np.zeros((2, rows), np.int64)
        vectors[: self.count] = self.vectors[: self.count]
        pictures[: self.count] = self.pictures[: self.count]
        identities[: self.count] = self.identities[: self.count]
        return Loose(self.count, vectors, pictures, identities)


@dataclass(frozen=True, slots=True)
class Memory:
    """A gallery at one generation.

    ``last`` is the highest picture number it knows, ``codes`` the stamp of the file of codes that
    was looked at, whether it could be used or not.
    """

    generation: int
    last: int
    codes: Stamp
    base: Base | None
    loose: Loose
    decisions: Decisions


def current(database: Database, known: Memory | None) -> Memory:
    """Return the gallery as it is now; ``known`` is what this process knew before."""
    codes = stamp(database.folder)
    if known is None or known.codes != codes:
        known = _opened(database, codes)
    with database.reading() as connection:
        generation = store.read_meta(connection).generation
        if generation == known.generation:
            return known
        changes = log.since(connection, known.generation)
        if all(change.action in FOLLOWED for change in changes):
            return _followed(connection, known, changes, generation)
    return current(database, None)


def outline(database: Database) -> tuple[Base | None, int]:
    """Return the codes as they are now, and about how many rows are not in them, reading none."""
    with database.reading() as connection:
        base = _base(database, connection)
        newest = connection.execute("SELECT coalesce(max(number), 0) FROM pictures").fetchone()[0]
    return base, int(newest) - (0 if base is None else base.last)


def _opened(database: Database, codes: Stamp) -> Memory:
    """The codes on the disk, and all other rows, read in short snapshots."""
    with database.reading() as connection:
        meta = store.read_meta(connection)
        base = _base(database, connection)
        decisions = Decisions.read(connection)
    loose, last = Loose.empty(meta.dimension), 0 if base is None else base.last
    for chunk in rows.every(database.reading, last):
        loose, last = loose.extended(chunk), int(chunk.numbers[-1])
    return Memory(meta.generation, last, codes, base, loose, decisions)


def _base(database: Database, connection: sqlite3.Connection) -> Base | None:
    dimension = store.read_meta(connection).dimension
    base = open_base(database.folder, connection, dimension=dimension)
    return base and base.without(*gone.told_by(log.since(connection, base.generation)))


def _followed(
    connection: sqlite3.Connection, known: Memory, changes: list[log.Entry], generation: int
) -> Memory:
    loose, base, last = known.loose, known.base, known.last
    while len(chunk := rows.after(connection, last)):
        loose, last = loose.extended(chunk), int(chunk.numbers[-1])
    decisions = known.decisions
    if any(change.action in DECIDING for change in changes):
        decisions = Decisions.read(connection)
    if went := gone.told_by(changes):
        loose = loose.without(*went)
        base = base and base.without(*went)
    return Memory(generation, last, known.codes, base, loose, decisions)
