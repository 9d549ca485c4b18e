"""What a gallery knows of people who are not one: boxes of one photo, and rejections.

The user's own word stands above it: a merge by hand may put together two boxes of a photo, for one
person may be in it twice, as in a mirror. It is never proposed.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.gallery import merges
from saccade.gallery.database import Database
from saccade.gallery.whole import Whole
from saccade.values import IntArray


@dataclass(frozen=True, slots=True)
class Apart:
    """Of the rows of a ``Whole``: ``boxes``, pairs cut out of one photo, the lower first.

    ``rejected``: (row, identity) of rows that were rejected as an identity.
    """

    whole: Whole
    boxes: frozenset[tuple[int, int]]
    rejected: frozenset[tuple[int, int]]

    def rows(self) -> list[tuple[int, int]]:
        """Return pairs of rows that do not show one identity, the lower first."""
        order = np.argsort(self.whole.identities, kind="stable")
        ranked = self.whole.identities[order]
        pairs = set(self.boxes)
        for row, identity in self.rejected:
            low, high = np.searchsorted(ranked, [identity, identity + 1])
            others = (other for other in order[low:high].tolist() if other != row)
            pairs |= {_rising(row, other) for other in others}
        return sorted(pairs)

    def identities(self) -> frozenset[tuple[int, int]]:
        """Return pairs of identities that are not one, the lower first."""
        whose = self.whole.identities.tolist()
        pairs = {(whose[one], whose[other]) for one, other in self.boxes}
        pairs |= {(whose[row], identity) for row, identity in self.rejected}
        return frozenset(_rising(*pair) for pair in pairs if pair[0] != pair[1])

    def pictures(self) -> frozenset[tuple[int, int]]:
        """Return (picture, identity): numbers of pictures, and of whom they do not show."""
        numbers, whose = self.whole.numbers.tolist(), self.whole.identities.tolist()
        pairs = {(numbers[row], identity) for row, identity in self.rejected}
        for one, other in self.boxes:
            if whose[one] != whose[other]:
                pairs |= {(numbers[one], whose[other]), (numbers[other], whose[one])}
        return frozenset(pairs)


def read(database: Database, whole: Whole) -> Apart:
    """Read what is known of the rows; identities are those that answer for the merged ones."""
    place = {number: row for row, number in enumerate(whole.numbers.tolist())}
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
    whom: IntArray = pointers.of(np.array([identity for _, identity in rejected], np.int64))
    return Apart(
        whole,
        frozenset(
            pair for rows in photos.values() for pair in itertools.combinations(sorted(rows), 2)
        ),
        frozenset(
            (place[picture], identity)
            for (picture, _), identity in zip(rejected, whom.tolist(), strict=True)
            if picture in place
        ),
    )


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


def _rising(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
