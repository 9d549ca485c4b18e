"""Enrolment of vectors, from a handful to tens of millions, in bounded memory.

The source hash of a vector is SHA-256 over its little-endian float32 bytes, as they were given.
Many vectors are written in blocks of ``BLOCK_ROWS``, a transaction each: the look-up keys of a
block fall anywhere among the recent ones, so that every page of those is written once a block, and
large blocks share that; see ``source_keys``. While SQLite writes one, a second thread prepares the
next. A crash leaves whole blocks; enrol again then.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from saccade.gallery import blocks, inputs, source_keys
from saccade.gallery.answers import ENROLLED, SKIPPED, UNCHANGED, BulkEnrolled, Enrolled
from saccade.gallery.database import Database
from saccade.gallery.known import KnownNames, KnownSources
from saccade.values import Float32Array

BLOCK_ROWS = 32_768
PIECE_ROWS = 2_048  # converted together: they stay in the processor's cache
READ_SHARE = 4  # to read the keys of four pictures takes the time of one look-up
MOVED_ROWS = 1 << 20  # keys of sources: a page of the large table takes many at once
TOLD_REASONS = 5

# Vectors (b, d), an identity a row, and a name a row or None.
VectorBlock = tuple[NDArray[Any], Sequence[str], Sequence[str] | None]
Work = Callable[[], blocks.Block]


def enrol_rows(
    database: Database,
    rows: Float32Array,
    identities: Sequence[str],
    names: Sequence[str],
    *,
    expires: str | None = None,
) -> Iterator[list[Enrolled]]:
    """Enrol (n, d) float32 rows that were checked before; yields an object a row."""
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        block = replace(_block(rows[part], identities[part], names[part]), expires=expires)
        yield blocks.told(block, blocks.write(database, block))


def enrol_blocks(
    database: Database,
    vector_blocks: Iterable[VectorBlock],
    *,
    dimension: int,
    expires: str | None = None,
) -> Iterator[BulkEnrolled]:
    """Enrol blocks of any size; yields the counts so far, after each transaction.

    One block more is read, in this thread, than is told. ``expires`` as in ``blocks.Block``.
    """
    counts = dict.fromkeys((ENROLLED, UNCHANGED, SKIPPED), 0)
    reasons: list[str] = []
    shortcuts = _Shortcuts(database)
    with database.many_writes(), ThreadPoolExecutor(1) as beside:
        for block in _ahead(beside, _error_last(_works(vector_blocks, dimension))):
            written = blocks.write(
                database,
                replace(block, expires=expires),
                names=shortcuts.names,
                sources=shortcuts.sources,
                most_reasons=TOLD_REASONS - len(reasons),
            )
            counts[ENROLLED] += len(written.fresh)
            counts[UNCHANGED] += len(written.unchanged)
            counts[SKIPPED] += len(written.skipped)
            reasons += written.reasons.values()
            yield BulkEnrolled(**counts, reasons=tuple(reasons))
            shortcuts.after(written, len(block.sources))


class _Shortcuts:
    """What is worth its cost only after many rows, and begins by itself then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = 0
        self._recent: int | None = None
        self.names: KnownNames | None = None
        self.sources: KnownSources | None = None

    def after(self, written: blocks.Written, rows: int) -> None:
        """Count a block of so many rows; move the keys of sources when many are waiting."""
        self._rows += rows
        if self._rows < BLOCK_ROWS:
            return
        if self.names is None:
            self.names = KnownNames()
        if self.sources is None and self._rows >= written.first_picture // READ_SHARE:
            self.sources = KnownSources()
        if self._recent is None:
            with self._database.reading() as connection:
                self._recent = source_keys.recent(connection)
        else:
            self._recent += len(written.fresh)
        if self._recent >= MOVED_ROWS:
            with self._database.writing() as connection:
                source_keys.move(connection)
            self._recent = 0


def _ahead(beside: Executor, works: Iterator[Work]) -> Iterator[blocks.Block]:
    """Yield each block, in order; while it is written, another thread prepares the next one.

    A block is ready before the one after the next is asked for: a caller may fill one array again
    and again.
    """
    ready = None
    for work in works:
        coming = beside.submit(work)
        if ready is not None:
            yield ready
        ready = coming.result()
    if ready is not None:
        yield ready


def _error_last(works: Iterator[Work]) -> Iterator[Work]:
    """Give an error of the reader its turn too, behind the blocks that were read before it."""
    try:
        yield from works
    except Exception as error:
        yield functools.partial(_raise, error)


def _raise(error: Exception) -> NoReturn:
    raise error


def _works(vector_blocks: Iterable[VectorBlock], dimension: int) -> Iterator[Work]:
    """Check each of a caller's blocks, whole, and cut it into blocks of bounded size."""
    row = 0
    for vectors, identities, names in vector_blocks:
        array = np.asarray(vectors)
        inputs.require_vectors(array, dimension=dimension)
        labels = inputs.row_identities(len(array), identities, first_row=row)
        shown = inputs.row_names(len(array), names, first_row=row)
        for start in range(0, len(array), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            yield functools.partial(
                _checked_block, array[part], labels[part], shown[part], first_row=row + start
            )
        row += len(array)


def _checked_block(
    array: NDArray[Any], identities: Sequence[str], names: Sequence[str], *, first_row: int
) -> blocks.Block:
    rows = inputs.as_float32(array, dimension=array.shape[1], first_row=first_row)
    return _block(rows, identities, names)


def _block(rows: Float32Array, identities: Sequence[str], names: Sequence[str]) -> blocks.Block:
    sources: list[bytes] = []
    vectors: list[bytes | None] = []
    for start in range(0, len(rows), PIECE_ROWS):
        piece = rows[start : start + PIECE_ROWS]
        given = inputs.row_bytes(piece.astype("<f4", copy=False))
        sources += [hashlib.sha256(row).digest() for row in given]
        vectors += inputs.stored_vectors(piece)
    return blocks.Block(identities, sources, names, vectors)
