"""Enrolment of pictures, batch by batch; decoding and embedding stay outside the transaction."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, InputError, PictureError
from saccade.files import sha256_file
from saccade.gallery import blocks, crops, facts, inputs, originals, source_keys
from saccade.gallery.answers import SKIPPED, Enrolled
from saccade.gallery.database import Database
from saccade.values import Embedder, Float32Array, Sample, UInt8Array

BATCH_PICTURES = 32
BATCH_PICTURE_BYTES = 256 << 20  # decoded; fewer pictures a batch when they are very large


@dataclass(slots=True)
class _Candidate:
    """A picture on its way in: ``vector`` comes from the embedder, ``reason`` when skipped."""

    identity: str
    shown: str
    sample: Sample
    source: bytes = b""
    picture: UInt8Array | None = None
    vector: bytes | None = None
    thumbnail: bytes | None = None
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    original: bytes | None = None


def enrol_pictures(
    database: Database,
    embedder: Embedder,
    samples: Iterable[Sample],
    *,
    expires: str | None = None,
) -> Iterator[list[Enrolled]]:
    """Yield what became of each batch, after its transaction is on the disk.

    The samples' metadata become facts of the pictures; ``expires`` is the day from which the
    identities of new pictures are no hits. The files are kept where the gallery was made so.
    """
    database.require_writable()
    with database.reading() as connection:
        keep = originals.kept_by(connection)
    for batch in _batches(database, samples):
        if keep:
            _keep_originals(batch)
        _embed(embedder, batch)
        try:
            outcomes = _write(database, batch, expires)
        except blocks.VanishedError:
            for candidate in batch:
                if candidate.vector is None and not candidate.reason:
                    _decode(candidate)
            if keep:
                _keep_originals(batch)
            _embed(embedder, batch)
            outcomes = _write(database, batch, expires)
        yield outcomes


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
    candidate = _Candidate(sample.label, str(sample.path), sample)
    try:
        candidate.identity = inputs.identity_name(sample.label)
        candidate.facts = facts.checked(facts.told_by(sample.metadata))
        candidate.source = content_hash(sample)
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
        known = source_keys.find(connection, [candidate.source])
    if not known:
        _decode(candidate)
    return candidate


def content_hash(sample: Sample) -> bytes:
    """SHA-256 of the file's bytes, with the box of a crop; of pixels where there is no file."""
    if isinstance(sample, crops.Cut):
        return sample.crop.source
    if sample.array is None:
        return bytes.fromhex(sha256_file(sample.path))
    pixels = read_picture(sample)
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).digest()


def _decode(candidate: _Candidate) -> None:
    try:
        candidate.picture = read_picture(candidate.sample)
    except PictureError as error:
        candidate.reason = str(error)


def _keep_originals(batch: list[_Candidate]) -> None:
    """Read the files of the decoded pictures; one that was changed meanwhile is skipped.

    Of what has no file of its own, as a crop, the pixels are kept.
    """
    for candidate in batch:
        if candidate.picture is None:
            continue
        if candidate.sample.array is not None:
            candidate.original = originals.of_pixels(candidate.picture)
            continue
        try:
            candidate.original = candidate.sample.path.read_bytes()
        except OSError as error:
            candidate.reason = f"{candidate.sample.path} cannot be read: {error.strerror}"
        else:
            if hashlib.sha256(candidate.original).digest() != candidate.source:
                candidate.reason = f"{candidate.sample.path} was changed meanwhile; enrol it again"


def _embed(embedder: Embedder, batch: list[_Candidate]) -> None:
    """Fill ``vector`` of every decoded candidate; the same content twice is embedded once."""
    fresh = {
        candidate.source: candidate.picture
        for candidate in batch
        if candidate.picture is not None and candidate.vector is None
    }
    if not fresh:
        return
    rows = embedded(embedder, list(fresh.values()))
    stored = dict(zip(fresh, inputs.stored_vectors(rows), strict=True))
    for candidate in batch:
        if candidate.picture is None or candidate.vector is not None:
            continue
        candidate.vector = stored[candidate.source]
        candidate.thumbnail = inputs.thumbnail(candidate.picture)
        candidate.picture = None


def _write(database: Database, batch: list[_Candidate], expires: str | None) -> list[Enrolled]:
    usable = [candidate for candidate in batch if not candidate.reason]
    block = blocks.Block(
        identities=[candidate.identity for candidate in usable],
        sources=[candidate.source for candidate in usable],
        file_names=[Path(candidate.shown).name for candidate in usable],
        vectors=[candidate.vector for candidate in usable],
        thumbnails=[candidate.thumbnail for candidate in usable],
        shown=[candidate.shown for candidate in usable],
        facts=[candidate.facts for candidate in usable],
        originals=[candidate.original for candidate in usable],
        crops=[_crop(candidate.sample) for candidate in usable],
        expires=expires,
    )
    outcomes = iter(blocks.told(block, blocks.write(database, block)))
    return [
        Enrolled(candidate.identity, candidate.shown, None, SKIPPED, candidate.reason)
        if candidate.reason
        else next(outcomes)
        for candidate in batch
    ]


def _crop(sample: Sample) -> crops.Crop | None:
    return sample.crop if isinstance(sample, crops.Cut) else None
