"""Which pictures may be hits: those that fit a condition on facts, and nobody who has expired.

Facts are few or many, but pictures may be ten million: only those who have facts are looked at, for
whoever has none fits no condition. What fits is marked in the codes by a bit a position; the loose
rows are copied. Few coded rows that fit are read from the truth and compared exactly. Where rows
are compared without the gallery's mean, it is a copy of the loose ones that is.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.gallery import facts, rows, terms
from saccade.gallery.codes import Base, packed
from saccade.gallery.database import Database
from saccade.gallery.memory import Loose, Memory
from saccade.gallery.rows import Reading
from saccade.gallery.where import Facts, condition
from saccade.values import IntArray

CHUNK_ROWS = 8192
FEW_ROWS = 8192  # as many as are read and compared about as fast as all codes are scanned
REMEMBERED = 65_536  # different facts whose answer is kept while a condition is evaluated

NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The pictures that may be hits, told by rising numbers.

    Of a condition: all pictures of ``identities`` but ``others``, and ``pictures``; without a
    condition ``identities`` is None and all fit. Nobody of ``expired``.
    """

    identities: IntArray | None
    pictures: IntArray
    others: IntArray
    expired: IntArray

    @property
    def everything(self) -> bool:
        """True when no picture is left out."""
        return self.identities is None and not len(self.expired)

    def among(self, numbers: IntArray, identities: IntArray) -> NDArray[np.bool_]:
        """Return which of n pictures, by number and identity, may be hits: (n,) bool."""
        if self.identities is None:
            fits = np.ones(len(numbers), np.bool_)
        else:
            fits = np.isin(identities, self.identities) & ~np.isin(numbers, self.others)
            fits |= np.isin(numbers, self.pictures)
        if len(self.expired):
            fits &= ~np.isin(identities, self.expired)
        kept: NDArray[np.bool_] = fits
        return kept

    def of_rows(self, chunks: Iterable[rows.Rows]) -> Iterator[rows.Rows]:
        """Yield the rows that may be hits."""
        for chunk in chunks:
            kept = np.flatnonzero(self.among(chunk.numbers, chunk.identities))
            contents = tuple(chunk.contents[row] for row in kept.tolist())
            yield rows.Rows(chunk.numbers[kept], chunk.identities[kept], contents)


def choose(reading: Reading, where: str | None, day: str) -> Chosen:
    """Return which pictures may be hits on a day; ``reading`` opens a snapshot as often as wanted.

    Raises InputError for a condition that cannot be read.
    """
    with reading() as connection:
        expired = np.array(terms.expired(connection, day), np.int64)
    if where is None:
        return Chosen(None, NONE, NONE, np.sort(expired))
    fits = _remembering(condition(where))
    mine = [number for number, own in _identity_facts(reading) if fits(own, None)]
    pictures: dict[bool, list[int]] = {True: [], False: []}
    for number, own, whose in _picture_facts(reading):
        pictures[fits(own, whose)].append(number)
    kept, others = (np.array(pictures[fit], np.int64) for fit in (True, False))
    return Chosen(np.array(mine, np.int64), kept, others, np.sort(expired))


class Narrowing:
    """Memories as a search takes them; the last one is kept for the next find.

    They are without the pictures that may be no hits, and their loose rows are as they are compared
    (``Decisions.compared``).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: tuple[Memory, str | None, str, tuple[Memory, Chosen]] | None = None

    def of(self, memory: Memory, where: str | None, day: str) -> tuple[Memory, Chosen]:
        """Return ``memory`` so, the same object where nothing changes; and which may be hits."""
        last = self._last
        if last is not None and last[0] is memory and last[1:3] == (where, day):
            return last[3]
        chosen = choose(self._database.reading, where, day)
        narrowed = memory if chosen.everything else _narrowed(self._database, memory, chosen)
        if memory.decisions.centre is not None:
            loose = narrowed.loose.compared(memory.decisions)
            narrowed = dataclasses.replace(narrowed, loose=loose)
        self._last = (memory, where, day, (narrowed, chosen))
        return narrowed, chosen


def _narrowed(database: Database, memory: Memory, chosen: Chosen) -> Memory:
    loose, base = memory.loose, memory.base
    held = loose.pictures[: loose.count], loose.identities[: loose.count]
    loose = loose.of(np.flatnonzero(chosen.among(*held)))
    if base is not None and chosen.identities is None:
        base = base.without(chosen.expired)
    elif base is not None:
        base = _base_of(base, chosen)
        if base.alive_rows <= FEW_ROWS:
            loose, base = _with_coded(database, loose, base), None
    return dataclasses.replace(memory, loose=loose, base=base)


def _base_of(base: Base, chosen: Chosen) -> Base:
    """The codes, those that fit alive; all cells are looked at, the nearest may hold none."""
    fits = np.flatnonzero(chosen.among(base.numbers, base.identities))
    allowed = base.allowed & packed(fits, len(base))
    return dataclasses.replace(
        base,
        allowed=allowed,
        alive_rows=int(np.bitwise_count(allowed).sum()),
        effort=dataclasses.replace(base.effort, probes=0, margin=0),
    )


def _with_coded(database: Database, loose: Loose, base: Base) -> Loose:
    """The loose rows and the few coded ones. One that was forgotten meanwhile is not there."""
    alive = np.unpackbits(base.allowed, count=len(base), bitorder="little")
    numbers = np.sort(base.numbers[np.flatnonzero(alive)])
    with database.reading() as connection:
        found = rows.named(connection, numbers[numbers > 0].tolist())
    # By rising number, as ties are settled.
    return Loose(
        len(found) + loose.count,
        np.concatenate([found.vectors(loose.vectors.shape[1]), loose.vectors[: loose.count]]),
        np.concatenate([found.numbers, loose.pictures[: loose.count]]),
        np.concatenate([found.identities, loose.identities[: loose.count]]),
    )


def _remembering(fits: Callable[[Facts], bool]) -> Callable[[bytes, bytes | None], bool]:
    """Judge facts by their bytes: a picture's own, and below them those of its identity."""

    @functools.lru_cache(REMEMBERED)
    def judged(own: bytes, whose: bytes | None) -> bool:
        below = {} if whose is None else facts.read(whose)
        return fits({**below, **facts.read(own)})

    return judged


def _identity_facts(reading: Reading) -> Iterator[tuple[int, bytes]]:
    return _chunks(
        reading,
        "SELECT i.identity, f.content FROM identity_facts i JOIN facts f ON f.slot = i.fact "
        "WHERE i.identity > ? ORDER BY i.identity LIMIT ?",
    )


def _picture_facts(reading: Reading) -> Iterator[tuple[int, bytes, bytes | None]]:
    return _chunks(
        reading,
        "SELECT p.picture, f.content, g.content FROM picture_facts p "
        "JOIN facts f ON f.slot = p.fact JOIN pictures q ON q.number = p.picture "
        "LEFT JOIN identity_facts i ON i.identity = q.identity "
        "LEFT JOIN facts g ON g.slot = i.fact "
        "WHERE p.picture > ? ORDER BY p.picture LIMIT ?",
    )


def _chunks(reading: Reading, query: str) -> Iterator[Any]:
    """Yield the rows of a query, chunk by chunk, each chunk in a snapshot of its own."""
    number = 0
    while True:
        with reading() as connection:
            chunk = connection.execute(query, (number, CHUNK_ROWS)).fetchall()
        if not chunk:
            return
        yield from chunk
        number = chunk[-1][0]
