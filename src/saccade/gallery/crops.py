"""Pictures that were cut out of photos: of which photo, which box of it, and by which detector.

The content of a crop is that of its photo with its box in whole pixels, and not the crop's pixels:
those differ with the crop's size and the library that resamples, and the same photo, enrolled
again, would stand twice. The last bits of a box differ from machine to machine, so it is rounded.
"""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from saccade.gallery import slots
from saccade.gallery.answers import CropInfo
from saccade.values import Sample

DETECTOR = "detector"  # the choice that holds the fingerprint of the first one
KEY_BYTES = 4  # of a photo's SHA-256; too few to say which photo it was


@dataclass(frozen=True, slots=True)
class Crop:
    """Where a picture comes from.

    ``photo``: SHA-256 of the photo's content; ``box``: [x, y, width, height] in its pixels;
    ``aligned``: turned upright by landmarks; ``detector``: fingerprint of what found the box.
    """

    photo: bytes
    box: tuple[float, float, float, float]
    aligned: bool
    detector: str

    @property
    def source(self) -> bytes:
        """SHA-256 that tells this content from others."""
        return hashlib.sha256(
            self.photo + f"{[round(side) for side in self.box]}".encode()
        ).digest()


@dataclass(frozen=True, slots=True)
class Cut(Sample):
    """A picture that was cut out of the photo at ``path``; ``array`` holds its pixels."""

    crop: Crop = field(kw_only=True)


def add(connection: sqlite3.Connection, first: int, crops: Sequence[Crop | None]) -> None:
    """Store of new pictures, numbered from ``first``, what they were cut from; None: from nothing.

    The detector of the first one of all is kept as that of the gallery.
    """
    there = [(number, crop) for number, crop in enumerate(crops, first) if crop is not None]
    if not there:
        return
    slots.insert(
        connection,
        "crops",
        [
            (number, int.from_bytes(crop.photo[:KEY_BYTES]), *crop.box, int(crop.aligned))
            for number, crop in there
        ],
    )
    connection.execute(
        "INSERT OR IGNORE INTO choices VALUES (?, ?)", (DETECTOR, there[0][1].detector)
    )


def of_pictures(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, CropInfo]:
    """Return what those of these pictures were cut from that were."""
    rows = connection.execute(
        "SELECT c.* FROM json_each(?) j JOIN crops c ON c.picture = j.value",
        (json.dumps(list(numbers)),),
    )
    return {
        number: CropInfo(f"{key:0{2 * KEY_BYTES}x}", (x, y, width, height), bool(aligned))
        for number, key, x, y, width, height, aligned in rows
    }


def detector_of(connection: sqlite3.Connection) -> str | None:
    """Return the fingerprint of the detector that found the first crop; None without any."""
    row = connection.execute("SELECT value FROM choices WHERE name = ?", (DETECTOR,)).fetchone()
    return None if row is None else str(row[0])
