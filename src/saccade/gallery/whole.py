"""All pictures of a gallery at once, for whoever looks through it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saccade.errors import InputError
from saccade.gallery import centring, merges, rows, store
from saccade.gallery.database import Database
from saccade.values import Float32Array, IntArray

BYTES_A_NUMBER = 32  # reckoned of a look at its peak: four copies in float32, two in float64
MOST_BYTES = 8 << 30
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
        needed = BYTES_A_NUMBER * meta.dimension * pictures
        if needed > MOST_BYTES:
            raise InputError(
                f"gallery {database.folder} has {pictures:,} pictures; looking through them takes "
                f"{needed / 2**30:.0f} GiB of memory, and at most {MOST_BYTES >> 30} are taken: "
                "export a part of it and look through that"
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


def _joined(parts: list[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, np.int64), *parts])
