"""What a gallery answers: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ENROLLED = "enrolled"
UNCHANGED = "unchanged"
SKIPPED = "skipped"

FORGOTTEN = "forgotten"
PENDING = "pending"

REJECTED = "rejected"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one picture, told after its transaction is on the disk.

    ``status`` is "enrolled" (new), "unchanged" (the same content stands under this identity) or
    "skipped" (nothing was written, and ``reason`` says why). ``picture`` is the path or the name
    that was given; ``picture_id`` its number in the gallery, None when skipped.
    """

    identity: str
    picture: str
    picture_id: int | None
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BulkEnrolled:
    """What became of many vectors so far: how many were enrolled, unchanged and skipped.

    The three mean the same as in ``Enrolled``. ``reasons`` are those of the first few skipped ones.
    """

    enrolled: int = 0
    unchanged: int = 0
    skipped: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of vectors that were dealt with."""
        return self.enrolled + self.unchanged + self.skipped


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What ``forget`` removed.

    ``number`` is the identity's number in the gallery and in its log. ``status`` is "forgotten"
    when the bytes are gone from every file and ``receipt`` was written; "pending" when the rows are
    removed but ``reason`` keeps the old bytes in a file: the next write or open tries again.
    Identities that were merged are forgotten together: the counts are of all of them, ``number``
    that of the one they were merged into, ``receipt`` its receipt and ``receipts`` those of all.
    Of single pictures that were removed ``number`` says whose they were.
    """

    number: int
    pictures: int
    vectors: int
    status: str
    receipt: Path | None = None
    reason: str = ""
    receipts: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """What became of "not this one".

    ``status`` is "rejected", "unchanged" (it was rejected before) or "withdrawn". ``picture`` is
    the path, name or number that was given; ``picture_id`` its number if it is enrolled.
    """

    picture: str
    identity: str
    picture_id: int | None
    status: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Pictures that are ``identity``'s now: their numbers ``before`` and ``now``, in one order.

    ``unchanged`` were the identity's already.
    """

    identity: str
    before: tuple[int, ...]
    now: tuple[int, ...]
    unchanged: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of the audit log: when (ISO 8601, UTC), what, and the same in words.

    ``identity`` is a number, ``pictures`` a count. The words name identities as they are called
    now.
    """

    number: int
    at: str
    action: str
    identity: int | None
    pictures: int
    words: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The entries that were asked for, and what is wrong with the chain of all; empty if intact."""

    entries: tuple[Logged, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether two pictures show the same: ``same`` is ``similarity >= threshold``."""

    similarity: float
    threshold: float
    same: bool


@dataclass(frozen=True, slots=True)
class IdentityInfo:
    """An identity, its number of pictures, and when it was first enrolled (ISO 8601, UTC).

    ``also`` are the names that were merged into it; their pictures count.
    """

    name: str
    pictures: int
    enrolled_at: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CropInfo:
    """What a picture was cut from.

    ``photo``: the first 8 hexadecimal digits of the photo's SHA-256; ``box``: [x, y, width, height]
    in the photo's pixels; ``aligned``: turned upright by landmarks.
    """

    photo: str
    box: tuple[float, float, float, float]
    aligned: bool


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """An enrolled picture: its number, its file's name, its own facts, whether the file is kept.

    ``crop``: the photo and the box that it was cut from; None for a whole picture.
    """

    picture_id: int
    picture: str
    facts: Mapping[str, str] = field(hash=False)
    kept: bool
    crop: CropInfo | None = None


@dataclass(frozen=True, slots=True)
class IdentityDetails:
    """All that is stored of an identity but vectors and thumbnails.

    ``consent`` and ``expires`` are days (ISO 8601), None where none was told. They are of this name
    alone: ``also`` are the names that are merged with it, each with the day on which it expires.
    """

    name: str
    enrolled_at: str
    facts: Mapping[str, str] = field(hash=False)
    consent: str | None
    expires: str | None
    pictures: tuple[PictureInfo, ...]
    also: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class GalleryStats:
    """Counts and settings of a gallery.

    ``generation`` grows by one with every change. ``free_slots`` counts zeroed places of forgotten
    vectors that the next enrolments fill. ``pending_forgets`` counts forgets without a receipt.
    ``index``: "scan" where codes are searched, else "exact"; ``indexed``: pictures in the codes,
    the others are compared exactly. ``recall`` and ``recall_low``, the lower end of its 95 %
    interval: share of searches whose best hit is that of exact search, as measured when the index
    was made for ``recall_wanted``; None without an index. ``index_due``: why it needs to be made,
    or made anew; empty when it does not. ``templates``, ``centred`` and ``mirrored``: what is
    chosen (see ``choices.py``). ``mean_version`` counts the means that were subtracted since
    "centred" was chosen; None where none is.
    """

    identities: int
    pictures: int
    dimension: int
    format_version: int
    bytes_on_disk: int
    threshold: float | None
    fingerprint: str
    embedder: str
    generation: int
    pending_forgets: int
    free_slots: int
    index: str
    indexed: int
    recall: float | None
    recall_low: float | None
    recall_wanted: float | None
    index_due: str
    templates: str
    centred: str
    mirrored: str
    mean_version: int | None
