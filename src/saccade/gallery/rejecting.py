"""Saying "not this one" of a picture, and taking it back. How a search heeds it: ``rejections``.

A picture that is enrolled under an identity cannot be rejected as that identity: its enrolment says
that it is, every search of the identity compares with it, and taking it out is forgetting, with a
receipt (``moving``). See ``contradictions``.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from saccade.data.pictures import read_picture
from saccade.errors import InputError
from saccade.gallery import inputs, log, merges, removal, slots, source_keys, store, who
from saccade.gallery.answers import REJECTED, UNCHANGED, WITHDRAWN, Rejected
from saccade.gallery.database import Database
from saccade.gallery.decisions import NEARNESS, REJECT, UNREJECT
from saccade.gallery.enrol import content_hash
from saccade.gallery.rejections import NEAR_CHOICE, near_value, read_near
from saccade.gallery.rows import decode_vectors
from saccade.gallery.source_keys import SOURCE_BYTES
from saccade.values import Float32Array, Sample

ROUNDING = 0.001  # of float16, by which the limit is lowered where near copies are let go

Embed = Callable[[Sequence[Path | Sample]], Float32Array]
Pointed = Path | str | Sample | int | ArrayLike


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture that something is said of: its SHA-256, what it is called, how it is shown.

    ``vector`` is float16 bytes, None where the content is believed to be enrolled: then the
    gallery's own is taken inside the transaction, so that nobody comes back who was forgotten.
    """

    source: bytes
    file_name: str
    shown: str
    vector: bytes | None


def subject(database: Database, picture: Pointed, embed: Embed, *, dimension: int) -> Subject:
    """Look at a picture: a file or Sample, the number of an enrolled one, or a vector (d,)."""
    if isinstance(picture, str | Path | Sample):
        return _of_file(database, picture, embed)
    if isinstance(picture, int | np.integer):
        return _of_number(database, int(picture))
    rows = inputs.as_float32(np.asarray(picture)[None], dimension=dimension)
    source = hashlib.sha256(inputs.row_bytes(rows.astype("<f4", copy=False))[0]).digest()
    return Subject(source, "vector", "the vector", inputs.stored_vectors(rows)[0])


def reject(database: Database, one: Subject, name: str) -> Rejected:
    """Note that the picture does not show the identity."""
    with database.writing() as connection:
        return reject_within(connection, database.folder, one, name, said_at=store.now())


def reject_within(
    connection: sqlite3.Connection, folder: Path, one: Subject, name: str, *, said_at: str
) -> Rejected:
    """Reject, as ``reject`` does, in a transaction that the caller began."""
    number = who.number_of(connection, folder, name)
    everyone = merges.group(connection, number)
    picture, owner = _enrolled(connection, one.source)
    if owner in everyone:
        raise InputError(_contradiction(connection, one.shown, picture, owner, name))
    answer = Rejected(one.shown, store.identity_name(connection, number), picture, REJECTED)
    if number in _alike(connection, everyone, one.source).values():
        return Rejected(one.shown, answer.identity, picture, UNCHANGED)
    vector = _vector(connection, one, picture)
    (place,) = slots.put(connection, "vectors", [vector])
    (label,) = slots.put(
        connection, "labels", [one.source + one.file_name.encode("utf-8", "backslashreplace")]
    )
    connection.execute(
        "INSERT INTO rejections (identity, source_key, vector, label, at) VALUES (?, ?, ?, ?, ?)",
        (number, store.source_key(one.source), place, label, said_at),
    )
    _log(connection, REJECT, store.now(), number, picture)
    return answer


def unreject(database: Database, one: Subject, name: str) -> Rejected:
    """Take back whatever keeps the identity from being offered for the picture: near copies too."""
    with database.writing() as connection:
        number = who.number_of(connection, database.folder, name)
        everyone = merges.group(connection, number)
        picture, _ = _enrolled(connection, one.source)
        found = _alike(connection, everyone, one.source)
        found |= _near(connection, everyone, _vector(connection, one, picture))
        if not found:
            raise InputError(f"{one.shown} was not rejected as '{name}'; nothing is to be undone")
        at = store.now()
        for rejection, identity in sorted(found.items()):
            removal.remove_rejections(connection, [rejection])
            _log(connection, UNREJECT, at, identity, picture)
        answer = Rejected(one.shown, store.identity_name(connection, number), picture, WITHDRAWN)
    database.truncate_log(0.0)
    return answer


def set_near(database: Database, near: float) -> None:
    """Set the cosine from which a picture counts as a copy of a rejected one, for this gallery."""
    value = near_value(near)
    with database.writing() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO choices VALUES (?, ?)", (NEAR_CHOICE, f"{value}")
        )
        log.append(connection, NEARNESS, at=store.now())


def _of_file(database: Database, picture: Path | str | Sample, embed: Embed) -> Subject:
    sample = picture if isinstance(picture, Sample) else Sample(Path(picture), "")
    shown = str(sample.path)
    try:
        source = content_hash(sample)
    except OSError:
        read_picture(sample)  # says in one line what is wrong with it
        raise
    with database.reading() as connection:
        picture_id, _ = _enrolled(connection, source)
    if picture_id is not None:
        return Subject(source, sample.path.name, shown, None)
    vector = inputs.stored_vectors(embed([sample]))[0]
    return Subject(source, sample.path.name, shown, vector)


def _of_number(database: Database, number: int) -> Subject:
    with database.reading() as connection:
        row = connection.execute(
            "SELECT l.content, p.source_key FROM pictures p JOIN labels l ON l.slot = p.label "
            "WHERE p.number = ?",
            (number,),
        ).fetchone()
    if row is None:
        raise InputError(f"the gallery has no picture {number}; take a number from a hit")
    return Subject(row[0][:SOURCE_BYTES], store.read_label(*row), f"picture {number}", None)


def _enrolled(connection: sqlite3.Connection, source: bytes) -> tuple[int | None, int | None]:
    """Return the picture and the identity that have the content."""
    return source_keys.find(connection, [source]).get(source, (None, None))


def _vector(connection: sqlite3.Connection, one: Subject, picture: int | None) -> bytes:
    row = connection.execute(
        "SELECT v.content FROM pictures p JOIN vectors v ON v.slot = p.vector WHERE p.number = ?",
        (picture,),
    ).fetchone()
    vector = one.vector if row is None else bytes(row[0])
    if vector is None:
        raise InputError(f"{one.shown} was forgotten a moment ago; there is nothing to reject")
    return vector


def _alike(connection: sqlite3.Connection, everyone: list[int], source: bytes) -> dict[int, int]:
    """Return the rejections of a content as one of these identities: number to identity."""
    rows = connection.execute(
        "SELECT r.number, r.identity, l.content FROM rejections r "
        "JOIN labels l ON l.slot = r.label WHERE r.source_key = ?",
        (store.source_key(source),),
    )
    return {
        number: identity
        for number, identity, label in rows
        if identity in everyone and label[:SOURCE_BYTES] == source
    }


def _near(connection: sqlite3.Connection, everyone: list[int], vector: bytes) -> dict[int, int]:
    """Return the rejections as one of these identities that hold for this vector."""
    rows = connection.execute(
        "SELECT r.number, r.identity, v.content FROM rejections r "
        "JOIN vectors v ON v.slot = r.vector WHERE r.identity IN (SELECT value FROM json_each(?))",
        (json.dumps(everyone),),
    ).fetchall()
    rejected = decode_vectors([content for _, _, content in rows], len(vector) // 2)
    mine = decode_vectors([vector], len(vector) // 2)[0]
    near = np.flatnonzero(rejected @ mine >= read_near(connection) - ROUNDING)
    return {rows[place][0]: rows[place][1] for place in near}


def _contradiction(
    connection: sqlite3.Connection, shown: str, picture: int | None, owner: int, name: str
) -> str:
    called = store.identity_name(connection, owner)
    if called != inputs.identity_name(name) and merges.pointer(connection, owner) is not None:
        remedy = f"'{called}' is merged into it: unmerge '{called}' if it is another"
    else:
        remedy = (
            f"if it shows another: saccade move GALLERY NAME --picture-id {picture}; if nobody "
            f"should be found by it: saccade remove GALLERY --picture-id {picture}"
        )
    return f"{shown} is enrolled as '{name}' itself, as picture {picture}; {remedy}"


def _log(
    connection: sqlite3.Connection, action: str, at: str, identity: int, picture: int | None
) -> None:
    span = None if picture is None else (picture, picture)
    count = 0 if picture is None else 1
    log.append(connection, action, at=at, identity=identity, picture_ids=span, pictures=count)
