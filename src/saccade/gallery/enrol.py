"""Enrolment: pictures or vectors become rows, batch by batch, each batch in one short transaction.

Decoding and embedding happen outside of the transaction. A content (SHA-256) stands in a gallery
once: given again under the same identity it changes nothing; under another identity it is skipped,
and the reason names the identity that has it, for one picture of two people is a mistake that only
the user can settle.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, InputError, PictureError
from saccade.files import sha256_file
from saccade.gallery import inputs, log, store
from saccade.gallery.answers import ENROLLED, SKIPPED, UNCHANGED, Enrolled
from saccade.gallery.database import Database
from saccade.values import Embedder, Float32Array, Sample, UInt8Array

BATCH_PICTURES = 32
BATCH_PICTURE_BYTES = 256 << 20  # decoded; fewer pictures a batch when they are very large
BATCH_VECTORS = 2048


@dataclass(slots=True)
class _Candidate:
    """A picture on its way in: ``content`` comes from the embedder, ``reason`` when skipped."""

    identity: str
    shown: str
    sample: Sample | None = None
    source: bytes = b""
    picture: UInt8Array | None = None
    content: store.Content | None = None
    reason: str = ""


class _VanishedError(Exception):
    """A picture that was enrolled, and so not embedded again, was forgotten meanwhile."""


def enrol_pictures(
    database: Database, embedder: Embedder, samples: Iterable[Sample]
) -> Iterator[list[Enrolled]]:
    """Yield what became of each batch, after its transaction is on the disk."""
    for batch in _batches(database, samples):
        _embed(embedder, batch)
        try:
            outcomes = _write(database, batch)
        except _VanishedError:
            for candidate in batch:
                if candidate.content is None and not candidate.reason:
                    _decode(candidate)
            _embed(embedder, batch)
            outcomes = _write(database, batch)
        yield outcomes


def enrol_rows(
    database: Database, rows: Float32Array, identities: Sequence[str], names: Sequence[str]
) -> Iterator[list[Enrolled]]:
    """Enrol (n, d) float32 rows that were checked before; names and vectors go by row."""
    for start in range(0, len(rows), BATCH_VECTORS):
        block = rows[start : start + BATCH_VECTORS]
        stored = stored_vectors(block)
        batch = []
        for offset, (row, vector) in enumerate(zip(block, stored, strict=True)):
            name = names[start + offset]
            source = hashlib.sha256(row.astype("<f4").tobytes()).digest()
            content = store.Content(source, name, vector)
            batch.append(
                _Candidate(identities[start + offset], name, source=source, content=content)
            )
        yield _write(database, batch)


def stored_vectors(rows: Float32Array) -> list[bytes]:
    """Return each row, scaled to length 1, as little-endian float16 bytes."""
    return [row.tobytes() for row in inputs.unit_rows(rows).astype("<f2")]


def embedded(embedder: Embedder, pictures: Sequence[UInt8Array]) -> Float32Array:
    """Return (n, dimension) rows of length 1; GalleryError when the embedder answers badly."""
    rows = embedder(pictures)
    if np.shape(rows) != (len(pictures), embedder.dimension):
        raise GalleryError(
            f"the embedder returned shape {np.shape(rows)} for {len(pictures)} pictures; "
            f"({len(pictures)}, {embedder.dimension}) is needed"
        )
    try:
        return inputs.unit_rows(inputs.as_float32(rows, dimension=embedder.dimension))
    except InputError as error:
        raise GalleryError(f"the embedder cannot be used: {error}") from error


def _batches(database: Database, samples: Iterable[Sample]) -> Iterator[list[_Candidate]]:
    batch: list[_Candidate] = []
    size = 0
    for sample in samples:
        candidate = _prepare(database, sample)
        batch.append(candidate)
        size += 0 if candidate.picture is None else candidate.picture.nbytes
        if len(batch) >= BATCH_PICTURES or size >= BATCH_PICTURE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _prepare(database: Database, sample: Sample) -> _Candidate:
    candidate = _Candidate(sample.label, str(sample.path), sample=sample)
    try:
        candidate.identity = inputs.identity_name(sample.label)
        candidate.source = _content_hash(sample)
    except InputError as error:
        candidate.reason = f"{sample.path}: {error}"
        return candidate
    except FileNotFoundError:
        candidate.reason = f"{sample.path} does not exist; check the path"
        return candidate
    except OSError as error:
        candidate.reason = f"{sample.path} cannot be read: {error.strerror}"
        return candidate
    with database.reading() as connection:
        known = store.find_source(connection, candidate.source)
    if known is None:
        _decode(candidate)
    return candidate


def _content_hash(sample: Sample) -> bytes:
    """SHA-256 of the file's bytes; of shape and pixels where there is no file."""
    if sample.array is None:
        return bytes.fromhex(sha256_file(sample.path))
    pixels = read_picture(sample)
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).digest()


def _decode(candidate: _Candidate) -> None:
    if candidate.sample is None:
        return
    try:
        candidate.picture = read_picture(candidate.sample)
    except PictureError as error:
        candidate.reason = str(error)


def _embed(embedder: Embedder, batch: list[_Candidate]) -> None:
    """Fill ``content`` of every decoded candidate; the same content twice is embedded once."""
    fresh = {
        candidate.source: candidate.picture
        for candidate in batch
        if candidate.picture is not None and candidate.content is None
    }
    if not fresh:
        return
    rows = embedded(embedder, list(fresh.values()))
    stored = dict(zip(fresh, stored_vectors(rows), strict=True))
    for candidate in batch:
        if candidate.picture is None or candidate.sample is None or candidate.content is not None:
            continue
        candidate.content = store.Content(
            source=candidate.source,
            file_name=candidate.sample.path.name,
            vector=stored[candidate.source],
            thumbnail=inputs.thumbnail(candidate.picture),
        )
        candidate.picture = None


def _write(database: Database, batch: list[_Candidate]) -> list[Enrolled]:
    at = store.now()
    with database.writing() as connection:
        outcomes = [_write_one(connection, candidate, at) for candidate in batch]
        added = [
            outcome.picture_id
            for outcome in outcomes
            if outcome.status == ENROLLED and outcome.picture_id is not None
        ]
        if added:
            log.append(
                connection,
                "enrol",
                at=at,
                picture_ids=(added[0], added[-1]),
                pictures=len(added),
            )
    return outcomes


def _write_one(connection: sqlite3.Connection, candidate: _Candidate, at: str) -> Enrolled:
    name, shown = candidate.identity, candidate.shown
    if candidate.reason:
        return Enrolled(name, shown, None, SKIPPED, candidate.reason)
    identity = store.find_identity(connection, name)
    known = store.find_source(connection, candidate.source)
    if known is not None and known[1] == identity:
        return Enrolled(name, shown, known[0], UNCHANGED)
    if known is not None:
        owner = store.identity_name(connection, known[1])
        reason = (
            f"{shown} is enrolled under '{owner}' already; forget '{owner}' first, or leave it out"
        )
        return Enrolled(name, shown, None, SKIPPED, reason)
    if candidate.content is None:
        raise _VanishedError
    if identity is None:
        identity = store.add_identity(connection, name, at=at)
    number = store.add_picture(connection, identity, candidate.content)
    return Enrolled(name, shown, number, ENROLLED)
