"""An export becomes part of a gallery: all of it in one transaction, or nothing.

All of it is read and checked before, so that the transaction does not wait for what is broken. What
the gallery says of an identity already stays; a content that another identity has is skipped, as at
enrolment.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saccade.errors import GalleryError, InputError
from saccade.gallery import blocks, facts, inputs, log, store, terms
from saccade.gallery.archive import (
    IDENTITIES,
    ORIGINALS,
    PICTURES,
    THUMBNAILS,
    Archive,
    rows_of,
    vector_of,
)
from saccade.gallery.database import Database
from saccade.gallery.rows import LENGTH_TOLERANCE

BLOCK_ROWS, BLOCK_BYTES = 256, 64 << 20
TOLD_REASONS = 5
MOST_FILE_NAME = 10_000  # characters
HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the pictures, as in ``Enrolled``; ``reasons`` are the first few."""

    enrolled: int
    unchanged: int
    skipped: int
    identities: int
    reasons: tuple[str, ...]


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
        for block in _blocks(archive, people):
            del block
        with database.writing() as connection:
            return _written(connection, archive, people)
    finally:
        archive.close()


def _written(
    connection: sqlite3.Connection, archive: Archive, people: dict[str, dict[str, Any]]
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
    return Imported(enrolled, unchanged, skipped, len(numbers), tuple(reasons))


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
    count = archive.manifest["identities"]
    for row, told in enumerate(rows_of(archive, IDENTITIES, count=count, at_once=BLOCK_ROWS)):
        with _Placed(archive, IDENTITIES, row):
            name = _name(told["name"])
            if name in seen:
                raise InputError(f"'{name}' stands there twice")
            seen.add(name)
            days = {
                what: None if told[what] is None else terms.day(told[what], what)
                for what in ("consent", "expires")
            }
            terms.day(told["enrolled_at"][:10], "enrolled_at")
            if len(told["enrolled_at"]) > len(store.now()) or not told["enrolled_at"].isascii():
                raise InputError("enrolled_at is no time")
            yield {
                "name": name,
                "enrolled_at": told["enrolled_at"],
                "facts": _facts(told["facts"]),
                "terms": terms.Terms(**days),
            }


def _blocks(archive: Archive, people: dict[str, dict[str, Any]]) -> Iterator[blocks.Block]:
    rows: list[dict[str, Any]] = []
    size = 0
    count = archive.manifest["pictures"]
    for row, told in enumerate(rows_of(archive, PICTURES, count=count, at_once=BLOCK_ROWS)):
        with _Placed(archive, PICTURES, row):
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
    source, name = told["source_sha256"], told["name"]
    if len(source) != 64 or not HEX.issuperset(source):
        raise InputError("source_sha256 is no SHA-256")
    if told["identity"] not in people:
        raise InputError(f"{IDENTITIES} does not name {told['identity']!r:.60}")
    if len(name) > MOST_FILE_NAME:
        raise InputError(f"the name of the file has {len(name):,} characters")
    vector = vector_of(told["vector"], archive.manifest["dimension"])
    if vector is None or not np.isfinite(vector).all():
        raise InputError("its vector is none of this gallery")
    half = vector.astype("<f2")
    exact = (half.astype(np.float32) == vector).all()
    if not exact or abs(float(np.linalg.norm(vector)) - 1.0) >= LENGTH_TOLERANCE:
        raise InputError("its vector is not as an export writes it")
    thumbnail = original = None
    if told["thumbnail"] is not None:
        thumbnail = archive.read(told["thumbnail"], THUMBNAILS, told["thumbnail_sha256"])
        if not store.is_jpeg(thumbnail):
            raise InputError("its thumbnail is no JPEG")
    if told["original"] is not None:
        original = archive.read(told["original"], ORIGINALS, source)
    return {
        "identity": told["identity"],
        "source": bytes.fromhex(source),
        "name": name,
        "vector": half.tobytes(),
        "facts": _facts(told["facts"]),
        "thumbnail": thumbnail,
        "original": original,
    }


def _block(rows: list[dict[str, Any]]) -> blocks.Block:
    return blocks.Block(
        identities=[row["identity"] for row in rows],
        sources=[row["source"] for row in rows],
        file_names=[row["name"] for row in rows],
        vectors=[row["vector"] for row in rows],
        thumbnails=[row["thumbnail"] for row in rows],
        facts=[row["facts"] for row in rows],
        originals=[row["original"] for row in rows],
    )


def _name(text: str) -> str:
    name = inputs.identity_name(text)
    if name != text:
        raise InputError(f"the name '{name}' is not in Unicode NFC")
    return name


def _facts(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("facts are no JSON") from error
    if not isinstance(found, dict):
        raise InputError("facts are no JSON object")
    return facts.checked(found)


class _Placed:
    """Names the archive, the table and the row in what is raised of a row."""

    def __init__(self, archive: Archive, table: str, row: int) -> None:
        self._archive, self._place = archive, f"{table} row {row}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, InputError) and not str(error).startswith(str(self._archive.path)):
            raise self._archive.refused(f"{self._place}: {error}") from error
