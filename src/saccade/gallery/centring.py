"""Similarities after the gallery's mean vector is subtracted: the choice ``centred``.

The vectors of many embedders share a part, which every cosine contains, and which makes a few rows
near to everything. Without it, a row x and a query q of length 1 are as alike as

    s(x, q) = (x - m) . u / |x - m|,  u = (q - m) / |q - m|,  m the mean of the rows

(I. Suzuki, K. Hara, M. Shimbo, M. Saerens, K. Fukumizu, "Centering similarity measures to reduce
hubs", EMNLP 2013, section 3). We differ: differences are scaled to length 1 again, and what is
shorter than float16's rounding is alike to nothing. Stored rows and codes stay plain, so that
another mean costs them nothing.

Stored rows are multiples of 2^-24, and their sum is kept as whole numbers: exact below 2^38 rows.
So whoever is taken away leaves nothing in it. It stands with the mean in use in one place on the
shelf of vectors, and is overwritten there (``slots``). The mean has a version. It is made anew when
someone goes, and otherwise when the gallery has grown by a tenth, so that similarities stand still
in between. Of fewer than two rows it is zero. Every function works inside a transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from saccade.gallery import log, rows, slots, store
from saccade.gallery.database import DamageError
from saccade.values import Float32Array, IntArray

RENEWED = "centre"  # the action in the log when growth made a new mean
UNITS = 1 << 24  # float16's finest step, to 1
GROWTH_SHARE = 10  # a tenth more rows than the mean was made of
LEAST_LENGTH = 0.002  # of a difference: the rounding of stored rows comes near to it
SUM_BYTES, MEAN_BYTES = 8, 4  # of each component, in one content
BLOCK_ROWS = 65_536
LIKELY = 0.3  # the similarity of the rows that are sought in the codes
CODED_FACTOR, CODED_MORE = 2, 12  # of the codes' candidates, for rows are ranked nearly so

Ends = tuple[Float32Array, Float32Array]


@dataclass(frozen=True, slots=True)
class Centre:
    """The mean (d,) that is subtracted, and which version of it this is."""

    mean: Float32Array
    version: int

    def of(self, vectors: Float32Array) -> Float32Array:
        """Return rows (n, d) of length 1 without the mean, of length 1 again, or zero."""
        moved = vectors - self.mean
        for start in range(0, len(moved), BLOCK_ROWS):
            block = moved[start : start + BLOCK_ROWS]
            lengths = np.sqrt(np.einsum("nd,nd->n", block, block))
            block /= np.where(lengths < LEAST_LENGTH, np.inf, lengths)[:, None]
        return moved

    def leaning(self, queries: Float32Array) -> Float32Array:
        """Return queries (q, d) of length 1 whose plain products rank rows nearly as ``of`` does.

        Where s is the similarity of the row that is sought, (x - m) . u - s |x - m| is 0 for it and
        less for all rows that are less alike. In x.m, which differs little from row to row, |x - m|
        is nearly linear: its slope is -1 / |x - m|, about -1 / sqrt(1 - m.m). So these are products
        with u + s m / sqrt(1 - m.m), and s need not be known well.
        """
        length = np.sqrt(max(1 - float(self.mean @ self.mean), LEAST_LENGTH))
        leaning = queries + np.float32(LIKELY / length) * self.mean
        leaning /= np.maximum(np.linalg.norm(leaning, axis=1, keepdims=True), LEAST_LENGTH)
        return leaning

    def within(self, query: Float32Array, products: Ends, along: Ends) -> Ends:
        """Return what the similarities of n rows and a query (d,) without the mean lie between.

        ``products``: what the rows' products with the query lie between, ``along`` those with the
        mean; each end (n,).
        """
        shift = self.mean @ query
        low, high = products[0] - shift, products[1] - shift
        squares = [1 + self.mean @ self.mean - 2 * end for end in along]
        far, near = (np.sqrt(np.maximum(one, LEAST_LENGTH**2)) for one in squares)
        lowest = np.where(low > 0, low / far, low / near)
        highest = np.where(high > 0, high / near, high / far)
        unsure = near <= LEAST_LENGTH
        return np.where(unsure, -1, lowest), np.where(unsure, 1, highest)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is stored: ``total`` (d,) int64, the sum of ``pictures`` rows; the mean of ``counted``.

    ``slot``: its place on the shelf of vectors.
    """

    total: IntArray
    pictures: int
    centre: Centre
    counted: int
    slot: int


def read(connection: sqlite3.Connection) -> Centre | None:
    """Return the mean in use; None in a gallery whose similarities are plain."""
    kept = _read(connection)
    return None if kept is None else kept.centre


def start(connection: sqlite3.Connection) -> None:
    """Count all rows, and keep their sum and mean from now on."""
    total, pictures = _counted(connection)
    mean = _mean(total, pictures)
    (slot,) = slots.put(connection, "vectors", [_content(total, mean)])
    connection.execute("INSERT INTO centring VALUES (1, 1, ?, ?, ?)", (pictures, pictures, slot))


def stop(connection: sqlite3.Connection) -> None:
    """Overwrite the sum and the mean with zeros, and keep none."""
    kept = _read(connection)
    if kept is not None:
        slots.wipe(connection, "vectors", kept.slot)
        connection.execute("DELETE FROM centring")


def add(connection: sqlite3.Connection, contents: Sequence[bytes], *, at: str) -> None:
    """Add stored rows to the sum; writes an entry in the log when that makes a new mean."""
    kept = _read(connection)
    if kept is None:
        return
    pictures = kept.pictures + len(contents)
    due = GROWTH_SHARE * pictures >= (GROWTH_SHARE + 1) * kept.counted
    _write(connection, kept, kept.total + _sum(contents, len(kept.total)), pictures, renew=due)
    if due:
        log.append(connection, RENEWED, at=at, pictures=pictures)


def take_away(connection: sqlite3.Connection, contents: Sequence[bytes]) -> None:
    """Take stored rows, whose pictures are gone, out of the sum and out of the mean in use.

    Of one that cannot be read nobody knows what it added: then all that are left are counted again.
    """
    kept = _read(connection)
    if kept is None or not contents:
        return
    try:
        left, pictures = kept.total - _sum(contents, len(kept.total)), kept.pictures - len(contents)
    except DamageError:
        left, pictures = _counted(connection)
    _write(connection, kept, left, pictures, renew=True)


def count_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong with the number of rows in the sum; reads none of them."""
    kept = _read(connection)
    if kept is not None:
        held = connection.execute("SELECT count(*) FROM pictures").fetchone()[0]
        if kept.pictures != held:
            yield f"the sum of its vectors is of {kept.pictures}, the gallery holds {held}"


def problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong with the sum and the mean; counts all rows again."""
    try:
        kept = _read(connection)
        if kept is None:
            return
        total, _ = _counted(connection)
        yield from count_problems(connection)
    except DamageError as damage:
        yield str(damage)
        return
    if not np.array_equal(total, kept.total):
        yield "the sum of its vectors is not that of its pictures"
    if kept.counted == kept.pictures and not np.array_equal(
        kept.centre.mean, _mean(kept.total, kept.pictures)
    ):
        yield "the mean of its vectors is not that of their sum"


def _read(connection: sqlite3.Connection) -> _Kept | None:
    row = connection.execute(
        "SELECT c.version, c.pictures, c.counted, c.content, v.content FROM centring c "
        "LEFT JOIN vectors v ON v.slot = c.content"
    ).fetchone()
    if row is None:
        return None
    version, pictures, counted, slot, content = row
    d = store.read_meta(connection).dimension
    if content is None or len(content) != (SUM_BYTES + MEAN_BYTES) * d:
        raise DamageError("the sum of its vectors cannot be read")
    total = np.frombuffer(content, "<i8", d).astype(np.int64)
    mean = np.frombuffer(content, "<f4", offset=SUM_BYTES * d).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # scrambled bytes may hold anything
        if not mean @ mean < 1 + rows.LENGTH_TOLERANCE:
            raise DamageError("the mean of its vectors cannot be read")
    return _Kept(total, pictures, Centre(mean, version), counted, slot)


def _write(
    connection: sqlite3.Connection, kept: _Kept, total: IntArray, pictures: int, *, renew: bool
) -> None:
    """Overwrite in place; with ``renew`` the mean in use is that of the sum."""
    mean = _mean(total, pictures) if renew else kept.centre.mean
    with connection.blobopen("vectors", "content", kept.slot) as place:
        place.write(_content(total, mean))
    connection.execute(
        "UPDATE centring SET pictures = ?, version = version + ?, counted = ?",
        (pictures, renew, pictures if renew else kept.counted),
    )


def _content(total: IntArray, mean: Float32Array) -> bytes:
    return total.astype("<i8").tobytes() + mean.astype("<f4").tobytes()


def _mean(total: IntArray, pictures: int) -> Float32Array:
    if pictures < 2:
        return np.zeros(len(total), np.float32)
    mean: Float32Array = (total / (UNITS * pictures)).astype(np.float32)
    return mean


def _counted(connection: sqlite3.Connection) -> tuple[IntArray, int]:
    """Return the sum of all rows, and how many they are."""
    d = store.read_meta(connection).dimension
    total, pictures = np.zeros(d, np.int64), 0
    for chunk in rows.in_snapshot(connection):
        total += _sum(chunk.contents, d)
        pictures += len(chunk)
    return total, pictures


def _sum(contents: Sequence[bytes], dimension: int) -> IntArray:
    """Return the sum (d,) of float16 rows in units of 2^-24, exact for rows of length 1."""
    total = np.zeros(dimension, np.int64)
    for block in _blocks(contents):
        if set(map(len, block)) - {2 * dimension}:
            raise DamageError("a vector has the wrong length")
        halves = np.frombuffer(b"".join(block), "<f2").reshape(len(block), dimension)
        with np.errstate(invalid="ignore", over="ignore"):  # scrambled bytes may hold anything
            # Whole units of 2^-24 below 2^29 rows of at most 1: no sum of float64 is rounded.
            part = halves.astype(np.float32).sum(axis=0, dtype=np.float64)
        if not np.isfinite(part).all():
            raise DamageError("a vector cannot be read")
        total += (part * UNITS).astype(np.int64)
    return total


def _blocks(contents: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    for start in range(0, len(contents), BLOCK_ROWS):
        yield contents[start : start + BLOCK_ROWS]
