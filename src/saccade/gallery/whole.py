"""All pictures of a gallery at once, for whoever looks through it."""

<<<<<<< HEAD
from collections.abc import Iterator
=======
import itertools
from collections.abc import Iterator, Sequence
>>>>>>> people2
from dataclasses import dataclass

import numpy as np

from saccade.errors import InputError
from saccade.gallery import merges, rows, store
from saccade.gallery.database import Database
from saccade.values import Float32Array, IntArray

BYTES_A_NUMBER = 32  # reckoned of a look at its peak: four copies in float32, two in float64
MOST_BYTES = 8 << 30
CHUNK_THUMBNAILS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """The pictures of a gallery by rising number: ``numbers`` (n,), ``vectors`` (n, d), length 1.

    ``identities`` (n,): the numbers of whom they show, of merged ones who answers for them.
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
    numbers = _joined([chunk.numbers for chunk in chunks])
    identities = pointers.of(_joined([chunk.identities for chunk in chunks]))
    none = np.zeros((0, meta.dimension), np.float32)
    vectors = [chunk.vectors(meta.dimension) for chunk in chunks]
    return Whole(numbers, identities, np.concatenate([none, *vectors]), meta.threshold)


def thumbnails(database: Database, numbers: IntArray) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the JPEG of each of these pictures that has one and is still there."""
    for start in range(0, len(numbers), CHUNK_THUMBNAILS):
        with database.reading() as connection:
            found = store.read_thumbnails(
                connection, numbers[start : start + CHUNK_THUMBNAILS].tolist()
            )
        yield from found.items()


<<<<<<< HEAD
=======
def apart(database: Database, mine: Whole) -> list[tuple[int, int]]:
    """Return pairs of rows that do not show one identity, the lower first.

    Those of identities of which pictures were cut out of one photo, and those of which one was
    rejected as the other's identity.
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
    rows_of: dict[int, list[int]] = {}
    for row, who in enumerate(mine.identities.tolist()):
        rows_of.setdefault(who, []).append(row)
    pairs: set[tuple[int, int]] = set()
    for shown in photos.values():
        for one, other in itertools.combinations(set(mine.identities[shown].tolist()), 2):
            products = itertools.product(rows_of[one], rows_of[other])
            pairs |= {(min(pair), max(pair)) for pair in products}
    for picture, identity in rejected:
        if picture in place:
            owner = int(pointers.of(np.array([identity]))[0])
            others = rows_of.get(owner, [])
            row = place[picture]
            pairs |= {(min(row, other), max(row, other)) for other in others if other != row}
    return sorted(pairs)


def shared_photo(database: Database, identities: Sequence[int]) -> str | None:
    """Return 8 digits of a photo of which two of these identities have boxes; None without one."""
    with database.reading() as connection:
        boxes: IntArray = np.array(
            connection.execute(
                "SELECT p.identity, c.photo_key FROM crops c "
                "JOIN pictures p ON p.number = c.picture"
            ).fetchall(),
            np.int64,
        ).reshape(-1, 2)
        pointers = merges.Merges.read(connection)
    boxes[:, 0] = pointers.of(boxes[:, 0])
    wanted = np.isin(boxes[:, 0], pointers.of(np.array(identities, np.int64)))
    photos, counts = np.unique(np.unique(boxes[wanted], axis=0)[:, 1], return_counts=True)
    twice = photos[counts > 1]
    return f"{twice[0]:08x}" if len(twice) else None


>>>>>>> people2
def _joined(parts: list[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, np.int64), *parts])
