"""An export becomes part of a gallery: all of it in one transaction, or nothing.

All of it is read and checked before, so that the transaction does not wait for what is broken. What
the gallery says of an identity already stays; a content that another identity has is skipped, as at
enrolment. Merges and rejections: ``restoring``.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saccade.errors import GalleryError, InputError
from saccade.gallery import blocks, facts, inputs, log, restoring, store, terms
from saccade.gallery.archive import DETECTOR, ORIGINALS, THUMBNAILS, Archive
from saccade.gallery.archive_tables import (
    IDENTITIES,
    PICTURES,
    crop_of,
    file_name,
    rows_of,
    source_of,
    vector_of,
)
from saccade.gallery.crops import Crop
from saccade.gallery.database import Database

BLOCK_ROWS, BLOCK_BYTES = 256, 64 << 20
TOLD_REASONS = 5
MOST_FACTS_TEXT = 8 << 20  # characters: more than the most facts of one owner need


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the pictures, as in ``Enrolled``; ``reasons`` are the first few.

    ``merges`` and ``rejections`` that are new here; ``left_out``: those that contradict what the
    gallery says.
    """

    enrolled: int
    unchanged: int
    skipped: int
    identities: int
    reasons: tuple[str, ...]
    merges: int = 0
    rejections: int = 0
    left_out: int = 0


def import_archive(database: Database, path: Path) -> Imported:
    """Enrol what an export holds; raises InputError, and writes nothing, when it is damaged.

    Raises GalleryError when its vectors come from another embedder than the gallery's.
    """
    database.require_writable()
    archive = Archive(path)
    try:
        with database.reading() as connection:
            _require_same_embedder(database, store.read_meta(connection), archive)
        people = {one["name"]: one for one in _people(archive)}
        for checked in (_blocks(archive, people), restoring.decisions_of(archive, people)):
            for one in checked:
                del one
        with database.writing() as connection:
            return _written(connection, database.folder, archive, people)
    finally:
        archive.close()


def _written(
    connection: sqlite3.Connection,
    folder: Path,
    archive: Archive,
    people: dict[str, dict[str, Any]],
) -> Imported:
    known = set(store.find_identities(connection, list(people)))
    enrolled = unchanged = skipped = 0
    reasons: list[str] = []
    for block in _blocks(archive, people):
        written = blocks.write_within(connection, block, most_reasons=TOLD_REASONS - len(reasons))
        enrolled += len(written.fresh)
        unchanged += len(written.unchanged)
        skipped += len(block.sources) - len(written.fresh) - len(written.unchanged)
        reasons += written.reasons.values()
    numbers = store.find_identities(connection, list(people))
    for name, number in numbers.items():
        _tell(connection, number, people[name], new=name not in known)
    decisions = restoring.decisions_of(archive, people)
    most = TOLD_REASONS - len(reasons)
    said = restoring.restore(connection, folder, decisions, most_reasons=most)
    reasons += said.reasons
    decided = said.merges, said.rejections, said.left_out
    return Imported(enrolled, unchanged, skipped, len(numbers), tuple(reasons), *decided)


def _tell(connection: sqlite3.Connection, number: int, told: dict[str, Any], *, new: bool) -> None:
    """Store what is told of an identity, unless the gallery says it already."""
    if new:
        connection.execute(
            "UPDATE identities SET enrolled_at = ? WHERE number = ?", (told["enrolled_at"], number)
        )
    if told["facts"] and not facts.of_identity(connection, number):
        facts.write(connection, number, told["facts"])
        log.append(connection, "describe", at=store.now(), identity=number)
    if told["terms"] != terms.Terms() and terms.of_identity(connection, number) == terms.Terms():
        terms.write(connection, number, told["terms"])
        log.append(connection, "terms", at=store.now(), identity=number)


def _require_same_embedder(database: Database, meta: store.Meta, archive: Archive) -> None:
    theirs = archive.manifest["fingerprint"], archive.manifest["dimension"]
    if theirs != (meta.fingerprint, meta.dimension):
        raise GalleryError(
            f"{archive.path} holds vectors of embedder {theirs[0]!r:.12} ({theirs[1]} numbers), "
            f"gallery {database.folder} those of {meta.fingerprint!r:.12} ({meta.dimension}); "
            "import it into a gallery of that embedder, or enrol its pictures"
        )


def _people(archive: Archive) -> Iterator[dict[str, Any]]:
    """Yield each identity, checked: its name, enrolled_at, facts and terms."""
    seen: set[str] = set()
    for row, told in enumerate(rows_of(archive, IDENTITIES, at_once=BLOCK_ROWS)):
        with archive.placed(IDENTITIES, row):
            name = inputs.normal_name(told["name"])
            if name in seen:
                raise InputError(f"'{name}' stands there twice")
            seen.add(name)
            days = {
                what: None if told[what] is None else terms.day(told[what], what)
                for what in ("consent", "expires")
            }
            yield {
                "name": name,
                "enrolled_at": terms.moment(told["enrolled_at"], "enrolled_at"),
                "facts": _facts(told["facts"]),
                "terms": terms.Terms(**days),
            }


def _blocks(archive: Archive, people: dict[str, dict[str, Any]]) -> Iterator[blocks.Block]:
    rows: list[dict[str, Any]] = []
    size = 0
    for row, told in enumerate(rows_of(archive, PICTURES, at_once=BLOCK_ROWS)):
        with archive.placed(PICTURES, row):
            rows.append(_picture(archive, told, people))
        size += sum(len(rows[-1][what] or b"") for what in ("thumbnail", "original"))
        if len(rows) >= BLOCK_ROWS or size >= BLOCK_BYTES:
            yield _block(rows)
            rows, size = [], 0
    if rows:
        yield _block(rows)


def _picture(
    archive: Archive, told: dict[str, Any], people: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return a row, checked, with its files' bytes."""
    if told["identity"] not in people:
        raise InputError(f"{IDENTITIES} does not name {told['identity']!r:.60}")
    source = source_of(told["source_sha256"])
    thumbnail = original = None
    if told["thumbnail"] is not None:
        thumbnail = archive.read(told["thumbnail"], THUMBNAILS, told["thumbnail_sha256"])
        if not store.is_jpeg(thumbnail):
            raise InputError("its thumbnail is no JPEG")
    if told["original"] is not None:
        original = archive.read(told["original"], ORIGINALS, source.hex())
    return {
        "identity": told["identity"],
        "source": source,
        "name": file_name(told["name"]),
        "vector": vector_of(told["vector"], archive.manifest["dimension"]),
        "facts": _facts(told["facts"]),
        "thumbnail": thumbnail,
        "original": original,
        "crop": _crop(archive, told),
    }


def _crop(archive: Archive, told: dict[str, Any]) -> Crop | None:
    """Return what a picture was cut from; the photo's hash is known by its first bytes alone."""
    found = crop_of(told)
    if found is not None and not archive.manifest.get(DETECTOR):
        raise InputError("the detector that found its box is not named")
    return None if found is None else Crop(*found, archive.manifest[DETECTOR])


def _block(rows: list[dict[str, Any]]) -> blocks.Block:
    return blocks.Block(
        identities=[row["identity"] for row in rows],
        sources=[row["source"] for row in rows],
        file_names=[row["name"] for row in rows],
        vectors=[row["vector"] for row in rows],
        thumbnails=[row["thumbnail"] for row in rows],
        facts=[row["facts"] for row in rows],
        originals=[row["original"] for row in rows],
        crops=[row["crop"] for row in rows],
    )


def _facts(text: str) -> dict[str, str]:
    if len(text) > MOST_FACTS_TEXT:
        raise InputError(f"facts have {len(text):,} characters")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("facts are no JSON") from error
    if not isinstance(found, dict):
        raise InputError("facts are no JSON object")
    return facts.checked(found)
