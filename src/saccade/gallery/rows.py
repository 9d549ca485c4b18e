"""Rows read from the truth: picture numbers, whose they are, and their vectors."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.gallery.database import DamageError
from saccade.values import Float32Array, IntArray

CHUNK_ROWS = 8192
LENGTH_TOLERANCE = 0.01  # float16 rounding stays below 0.001; scrambled bytes do not

Reading = Callable[[], contextlib.AbstractContextManager[sqlite3.Connection]]

SELECT = (
    "SELECT p.number, p.identity, v.content FROM pictures p JOIN vectors v ON v.slot = p.vector "
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Pictures, by rising number unless it is said: ``numbers`` and ``identities`` (n,).

    ``contents``: float16 vectors.
    """

    numbers: IntArray
    identities: IntArray
    contents: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def vectors(self, dimension: int) -> Float32Array:
        """Return (n, dimension) rows of length 1; raises DamageError for what cannot be one."""
        return decode_vectors(self.contents, dimension)


def after(connection: sqlite3.Connection, number: int, *, most: int = CHUNK_ROWS) -> Rows:
    """Return up to ``most`` pictures whose numbers are above ``number``."""
    where = "WHERE p.number > ? ORDER BY p.number LIMIT ?"
    return _rows(connection.execute(SELECT + where, (number, most)).fetchall())


def named(connection: sqlite3.Connection, numbers: Sequence[int]) -> Rows:
    """Return those of the pictures with these rising numbers that are still there."""
    wanted = json.dumps(numbers)
    where = "WHERE p.number IN (SELECT value FROM json_each(?)) ORDER BY p.number"
    return _rows(connection.execute(SELECT + where, (wanted,)).fetchall())


def every(reading: Reading, number: int = 0) -> Iterator[Rows]:
    """Yield all pictures above a number, each chunk in what ``reading`` opens."""
    while True:
        with reading() as connection:
            chunk = after(connection, number)
        if not len(chunk):
            return
        yield chunk
        number = int(chunk.numbers[-1])


def by_identity(reading: Reading) -> Iterator[Rows]:
    """Yield all pictures by rising identity, then number, each chunk in what ``reading`` opens."""
    place = (0, 0)
    where = "WHERE (p.identity, p.number) > (?, ?) ORDER BY p.identity, p.number LIMIT ?"
    while True:
        with reading() as connection:
            chunk = _rows(connection.execute(SELECT + where, (*place, CHUNK_ROWS)).fetchall())
        if not len(chunk):
            return
        yield chunk
        place = int(chunk.identities[-1]), int(chunk.numbers[-1])


def of_identities(connection: sqlite3.Connection, identities: Sequence[int]) -> Iterator[Rows]:
    """Yield the pictures of these identities, chunk by chunk."""
    where = "WHERE p.identity IN (SELECT value FROM json_each(?))"
    cursor = connection.execute(SELECT + where, (json.dumps(identities),))
    while len(chunk := _rows(cursor.fetchmany(CHUNK_ROWS))):
        yield chunk


def in_snapshot(connection: sqlite3.Connection) -> Iterator[Rows]:
    """Yield all pictures chunk by chunk, as they were when the transaction began."""
    return every(lambda: contextlib.nullcontext(connection))


def decode_vectors(contents: Sequence[bytes], dimension: int) -> Float32Array:
    """Return float16 bytes as (n, dimension) float32 rows, scaled to length 1 again."""
    if set(map(len, contents)) - {2 * dimension}:
        raise DamageError("a vector has the wrong length")
    stored = np.frombuffer(b"".join(contents), dtype="<f2")
    rows: Float32Array = stored.astype(np.float32).reshape(len(contents), dimension)
    with np.errstate(invalid="ignore", over="ignore"):  # scrambled bytes may hold anything
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    if not (np.abs(lengths - 1.0) < LENGTH_TOLERANCE).all():
        raise DamageError("a vector cannot be read")
    rows /= lengths[:, None]
    return rows


def _rows(table: list[Any]) -> Rows:
    if not table:
        return Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), ())
    numbers, identities, contents = zip(*table, strict=True)
    try:
        return Rows(np.array(numbers, np.int64), np.array(identities, np.int64), contents)
    except (TypeError, ValueError, OverflowError) as error:
        raise DamageError("a picture cannot be read") from error
