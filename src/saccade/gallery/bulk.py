"""Enrolment of vectors, from a handful to tens of millions, in bounded memory.

The source hash of a vector is SHA-256 over its little-endian float32 bytes, as they were given.
Many vectors are written in blocks of ``BLOCK_ROWS``, a transaction each: the look-up keys of a
block fall anywhere among the recent ones, so that every page of those is written once a block, and
large blocks share that; see ``source_keys``. A crash leaves whole blocks; enrol again then.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

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


def enrol_rows(
    database: Database, rows: Float32Array, identities: Sequence[str], names: Sequence[str]
) -> Iterator[list[Enrolled]]:
    """Enrol (n, d) float32 rows that were checked before; yields an object a row."""
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        block = _block(rows[part], identities[part], names[part])
        yield blocks.told(block, blocks.write(database, block))


def enrol_blocks(
    database: Database, vector_blocks: Iterable[VectorBlock], *, dimension: int
) -> Iterator[BulkEnrolled]:
    """Enrol blocks of any size; yields the counts so far, after each transaction."""
    counts = dict.fromkeys((ENROLLED, UNCHANGED, SKIPPED), 0)
    reasons: list[str] = []
    row = 0
    shortcuts = _Shortcuts(database)
    with database.many_writes():
        for vectors, identities, shown in vector_blocks:
            for block in _blocks(vectors, identities, shown, row, dimension):
                written = blocks.write(
                    database,
                    block,
                    names=shortcuts.names,
                    sources=shortcuts.sources,
                    most_reasons=TOLD_REASONS - len(reasons),
                )
                counts[ENROLLED] += len(written.fresh)
                counts[UNCHANGED] += len(written.unchanged)
                counts[SKIPPED] += len(written.owners)
                reasons += written.reasons.values()
                yield BulkEnrolled(**counts, reasons=tuple(reasons))
                shortcuts.after(written, len(block.sources))
            row += len(identities)


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


def _blocks(
    vectors: NDArray[Any],
    identities: Sequence[str],
    names: Sequence[str] | None,
    first_row: int,
    dimension: int,
) -> Iterator[blocks.Block]:
    """Check a caller's block, whole, and cut it into blocks of bounded size."""
    array = np.asarray(vectors)
    inputs.require_vectors(array, dimension=dimension)
    labels = inputs.row_identities(len(array), identities, first_row=first_row)
    shown = inputs.row_names(len(array), names, first_row=first_row)
    for start in range(0, len(array), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        yield _block(
            inputs.as_float32(array[part], dimension=dimension, first_row=first_row + start),
            labels[part],
            shown[part],
        )


def _block(rows: Float32Array, identities: Sequence[str], names: Sequence[str]) -> blocks.Block:
    sources: list[bytes] = []
    vectors: list[bytes | None] = []
    for start in range(0, len(rows), PIECE_ROWS):
        piece = rows[start : start + PIECE_ROWS]
        given = inputs.row_bytes(piece.astype("<f4", copy=False))
        sources += [hashlib.sha256(row).digest() for row in given]
        vectors += inputs.stored_vectors(piece)
    return blocks.Block(identities, sources, names, vectors)
