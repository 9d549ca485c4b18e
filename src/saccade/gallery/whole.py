"""All pictures of a gallery at once, for whoever looks through it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saccade.errors import InputError
from saccade.gallery import centring, merges, rows, store
from saccade.gallery.database import Database
from saccade.values import Float32Array, IntArray

MOST_BYTES = 2 << 30  # of float32 vectors
CHUNK_THUMBNAILS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """The pictures of a gallery by rising number: ``numbers`` (n,), ``vectors`` (n, d), length 1.

    ``identities`` (n,): the numbers of whom they show, of merged ones who answers for them.
    ``threshold`` is for plain cosines: None in a gallery that is centred, whose own is not.
    """

    numbers: IntArray
    identities: IntArray
    vectors: Float32Array
    threshold: float | None


def read(database: Database) -> Whole:
    """Return all pictures; raises InputError when they are more than memory should hold."""
    with database.reading() as connection:
        meta = store.read_meta(connection)
        pictures = store.counts(connection)["pictures"]
        if 4 * meta.dimension * pictures > MOST_BYTES:
            raise InputError(
                f"gallery {database.folder} has {pictures:,} pictures; looking through them takes "
                f"{4 * meta.dimension * pictures / 2**30:.0f} GiB of memory, and at most "
                f"{MOST_BYTES >> 30} are taken: export a part of it and look through that"
            )
        chunks = list(rows.in_snapshot(connection))
        pointers = merges.Merges.read(connection)
        threshold = meta.threshold if centring.read(connection) is None else None
    numbers = _joined([chunk.numbers for chunk in chunks])
    identities = pointers.of(_joined([chunk.identities for chunk in chunks]))
    none = np.zeros((0, meta.dimension), np.float32)
    vectors = [chunk.vectors(meta.dimension) for chunk in chunks]
    return Whole(numbers, identities, np.concatenate([none, *vectors]), threshold)


def thumbnails(database: Database, numbers: IntArray) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the JPEG of each of these pictures that has one and is still there."""
    for start in range(0, len(numbers), CHUNK_THUMBNAILS):
        with database.reading() as connection:
            found = store.read_thumbnails(
                connection, numbers[start : start + CHUNK_THUMBNAILS].tolist()
            )
        yield from found.items()


def apart(database: Database, mine: Whole) -> list[tuple[int, int]]:
    """Return pairs of rows that do not show one identity, the lower first.

    Those cut out of one photo, and those of which one was rejected as the other's identity.
    """
    place = {number: row for row, number in enumerate(mine.numbers.tolist())}
    with database.reading() as connection:
        crops = connection.execute("SELECT photo_key, picture FROM crops").fetchall()
        rejected = connection.execute(
            "SELECT p.number, r.identity FROM rejections r "
            "JOIN pictures p ON p.source_key = r.source_key"
        ).fetchall()
        pointers = merges.Merges.read(connection)
    photos: dict[int, list[int]] = {}
    for photo, picture in crops:
        if picture in place:
            photos.setdefault(photo, []).append(place[picture])
    pairs = {pair for rows in photos.values() for pair in itertools.combinations(sorted(rows), 2)}
    for picture, identity in rejected:
        if picture in place:
            whose = int(pointers.of(np.array([identity]))[0])
            others = np.flatnonzero(mine.identities == whose).tolist()
            row = place[picture]
            pairs |= {(min(row, other), max(row, other)) for other in others if other != row}
    return sorted(pairs)


def _joined(parts: list[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, np.int64), *parts])
