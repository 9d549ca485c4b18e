"""What users decided about people, merges and rejections, from an export into a gallery.

They come behind the pictures, in the transaction of the import: merges first, then rejections. What
the gallery says stays: a merge of what is merged into another already, and whatever contradicts
what is enrolled or rejected here, is left out, and told.
"""

import sqlite3
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from saccade.errors import InputError
from saccade.gallery import correct, merges, rejecting, store, terms
from saccade.gallery.answers import UNCHANGED
from saccade.gallery.archive import Archive
from saccade.gallery.archive_tables import (
    IDENTITIES,
    MERGES,
    REJECTIONS,
    file_name,
    rows_of,
    source_of,
    vector_of,
)

AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Merge:
    """``merged`` is one with ``kept``, who answers for it, since the time ``at``."""

    kept: str
    merged: str
    at: str

    def apply(self, connection: sqlite3.Connection, folder: Path) -> bool:
        """Say so; False when it is so already. Raises InputError when it cannot be."""
        numbers = _numbers(connection, self.kept, self.merged)
        if len({merges.root(connection, number) for number in numbers}) < len(numbers):
            return False
        correct.merge_within(connection, folder, self.kept, self.merged, said_at=self.at)
        return True


@dataclass(frozen=True, slots=True)
class Rejection:
    """The picture ``subject`` does not show the identity ``name``, since the time ``at``."""

    subject: rejecting.Subject
    name: str
    at: str

    def apply(self, connection: sqlite3.Connection, folder: Path) -> bool:
        """Say so; False when it was said already. Raises InputError when it cannot be."""
        _numbers(connection, self.name)
        said = rejecting.reject_within(connection, folder, self.subject, self.name, said_at=self.at)
        return said.status != UNCHANGED


@dataclass(frozen=True, slots=True)
class Restored:
    """How many merges and rejections are new here, how many were left out, and why."""

    merges: int = 0
    rejections: int = 0
    left_out: int = 0
    reasons: tuple[str, ...] = ()


def decisions_of(archive: Archive, known: Container[str]) -> Iterator[Merge | Rejection]:
    """Yield what an export holds of them, checked; raises InputError that names the row.

    ``known``: the names of its identities.
    """
    for row, told in enumerate(rows_of(archive, MERGES, at_once=AT_ONCE)):
        with archive.placed(MERGES, row):
            kept, merged = (_known(told[whose], known) for whose in ("kept", "merged"))
            yield Merge(kept, merged, terms.moment(told["at"], "at"))
    dimension = archive.manifest["dimension"]
    for row, told in enumerate(rows_of(archive, REJECTIONS, at_once=AT_ONCE)):
        with archive.placed(REJECTIONS, row):
            name = file_name(told["name"])
            source, vector = source_of(told["source_sha256"]), vector_of(told["vector"], dimension)
            subject = rejecting.Subject(source, name, name, vector)
            whom = _known(told["identity"], known)
            yield Rejection(subject, whom, terms.moment(told["at"], "at"))


def restore(
    connection: sqlite3.Connection,
    folder: Path,
    decisions: Iterable[Merge | Rejection],
    *,
    most_reasons: int,
) -> Restored:
    """Make them part of the gallery in ``folder``; tells the first reasons of what is left out."""
    counts = {Merge: 0, Rejection: 0}
    left_out = 0
    reasons: list[str] = []
    for one in decisions:
        try:
            counts[type(one)] += one.apply(connection, folder)
        except InputError as error:
            left_out += 1
            if len(reasons) < most_reasons:
                reasons.append(str(error))
    return Restored(counts[Merge], counts[Rejection], left_out, tuple(reasons))


def _known(name: str, known: Container[str]) -> str:
    if name not in known:
        raise InputError(f"{IDENTITIES} does not name {name!r:.60}")
    return name


def _numbers(connection: sqlite3.Connection, *names: str) -> list[int]:
    """The numbers of identities, all of whose pictures may have been skipped."""
    found = store.find_identities(connection, names)
    for name in names:
        if name not in found:
            raise InputError(f"'{name}' is not in the gallery, so nothing is decided about it")
    return list(found.values())
