"""A gallery, or what of it is wanted, as files that other programs read: see ``archive``.

A person's export has all names that are merged with the one that is given, and nothing of others. A
rejection is about two: it holds a picture of somebody else, or says that a picture is not somebody
else. So rejections are in an export of everything only. A merge is in it where both names are.

One snapshot is read, in bounded memory. Forgetting meanwhile stays pending until it is done; who
is forgotten later stays in the export.
"""

import contextlib
import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saccade.data.pictures import PICTURE_ENDINGS
from saccade.data.vector_parquet import pyarrow
from saccade.files import sha256_file
from saccade.gallery import (
    archive,
    archive_tables,
    crops,
    drafts,
    facts,
    merges,
    narrowing,
    originals,
    store,
    terms,
    who,
)
from saccade.gallery.database import Database
from saccade.gallery.source_keys import SOURCE_BYTES
from saccade.values import Float32Array, IntArray

CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written to ``place``."""

    place: Path
    identities: int
    pictures: int
    merges: int
    rejections: int
    originals: int
    bytes: int


def export(database: Database, out: Path, *, name: str | None, where: str | None) -> Exported:
    """Write an export to the new folder or .zip ``out``, all of it or nothing.

    ``name``: one identity with all that is merged with it; ``where``: the pictures that fit. Raises
    InputError for a name or condition that cannot be used, GalleryError when something stands at
    ``out``.
    """
    with drafts.making(out, "export", outside=database.folder) as draft:
        folder = draft if out.suffix.lower() != ".zip" else draft.with_name("files")
        folder.mkdir()
        with database.reading() as connection:
            counts, kept = _write(connection, database.folder, folder, name, where)
        if folder != draft:
            _pack(folder, draft)
        size = sum(path.stat().st_size for path in [draft, *draft.rglob("*")] if path.is_file())
    return Exported(out, **counts, originals=kept, bytes=size)


def _write(
    connection: sqlite3.Connection, folder: Path, draft: Path, name: str | None, where: str | None
) -> tuple[dict[str, int], int]:
    """Write all files; returns the rows of each table, and how many files are kept ones."""
    only = None if name is None else _group(connection, folder, name)
    snapshot = contextlib.nullcontext(connection)
    chosen = narrowing.choose(lambda: snapshot, where, "")
    (draft / archive.THUMBNAILS).mkdir()
    (draft / archive.ORIGINALS).mkdir()
    whose: set[int] = set()
    pictures = kept = 0
    with _table(draft, archive_tables.PICTURES) as add:
        for numbers in _numbers(connection, only, chosen):
            rows = [_picture(connection, draft, number) for number in numbers]
            whose.update(identity for identity, _ in rows)
            pictures += len(rows)
            kept += sum(row["original"] is not None for _, row in rows)
            add([row for _, row in rows])
    wanted = sorted(whose)
    with _table(draft, archive_tables.IDENTITIES) as add:
        for start in range(0, len(wanted), CHUNK_ROWS):
            add([_identity(connection, one) for one in wanted[start : start + CHUNK_ROWS]])
    merged = _merges(connection, whose)
    with _table(draft, archive_tables.MERGES) as add:
        add(merged)
    rejected = 0
    with _table(draft, archive_tables.REJECTIONS) as add:
        for those in [] if only or where else _rejections(connection):
            rejected += len(those)
            add(those)
    counts = {
        "identities": len(wanted),
        "pictures": pictures,
        "merges": len(merged),
        "rejections": rejected,
    }
    _write_manifest(connection, draft, counts)
    return counts, kept


def _write_manifest(connection: sqlite3.Connection, draft: Path, counts: dict[str, int]) -> None:
    meta = store.read_meta(connection)
    tables = archive_tables.TABLES[archive.VERSION]
    manifest = {
        "format": archive.FORMAT,
        "version": archive.VERSION,
        "fingerprint": meta.fingerprint,
        "embedder": meta.embedder,
        "dimension": meta.dimension,
        "threshold": meta.threshold,
        "generation": meta.generation,
        "exported_at": store.now(),
        archive.DETECTOR: crops.detector_of(connection) or "",
        **counts,
        "files": {table: sha256_file(draft / table) for table in tables},
    }
    (draft / archive.MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _group(connection: sqlite3.Connection, folder: Path, name: str) -> list[int]:
    return merges.group(connection, who.number_of(connection, folder, name))


@contextlib.contextmanager
def _table(draft: Path, name: str) -> Iterator[Any]:
    """Give what adds rows (dicts) to a table."""
    arrow, parquet = pyarrow()
    schema = archive_tables.schemas(archive.VERSION)[name]
    with parquet.ParquetWriter(
        draft / name, schema, compression="none", use_dictionary=False
    ) as writer:
        yield lambda rows: writer.write_table(arrow.Table.from_pylist(rows, schema=schema))


def _numbers(
    connection: sqlite3.Connection, only: list[int] | None, chosen: narrowing.Chosen
) -> Iterator[list[int]]:
    """Yield the numbers of the pictures that are wanted, chunk by chunk."""
    last = 0
    mine = "" if only is None else "AND identity IN (SELECT value FROM json_each(:only)) "
    query = f"SELECT number, identity FROM pictures WHERE number > :last {mine}ORDER BY number"
    while True:
        chunk = connection.execute(
            f"{query} LIMIT {CHUNK_ROWS}", {"last": last, "only": json.dumps(only)}
        ).fetchall()
        if not chunk:
            return
        table: IntArray = np.array(chunk, np.int64)
        last = int(table[-1, 0])
        yield table[chosen.among(table[:, 0], table[:, 1]), 0].tolist()


def _picture(
    connection: sqlite3.Connection, draft: Path, number: int
) -> tuple[int, dict[str, Any]]:
    """Return whose picture it is and its row; writes its files."""
    identity, key, label, vector, small, own = connection.execute(
        "SELECT p.identity, p.source_key, l.content, v.content, t.content, f.content "
        "FROM pictures p JOIN labels l ON l.slot = p.label JOIN vectors v ON v.slot = p.vector "
        "LEFT JOIN thumbnails t ON t.slot = p.thumbnail "
        "LEFT JOIN picture_facts q ON q.picture = p.number LEFT JOIN facts f ON f.slot = q.fact "
        "WHERE p.number = ?",
        (number,),
    ).fetchone()
    name = store.read_label(label, key)
    thumbnail = None if small is None else bytes(small).rstrip(b"\0")
    original = originals.read(connection, number)
    source = label[:SOURCE_BYTES].hex()
    if original is not None and hashlib.sha256(original).hexdigest() != source:
        original = None  # Pixels of a crop, whose source is its photo: nobody could check them.
    ending = Path(name).suffix.lower()
    files = {
        f"{archive.THUMBNAILS}/{number}.jpg": thumbnail,
        f"{archive.ORIGINALS}/{number}{ending if ending in PICTURE_ENDINGS else ''}": original,
    }
    for place, content in files.items():
        if content is not None:
            (draft / place).write_bytes(content)
    places = [None if content is None else place for place, content in files.items()]
    return identity, {
        "number": number,
        "identity": store.identity_name(connection, identity),
        "name": name,
        "source_sha256": source,
        "vector": _floats(vector),
        "facts": json.dumps({} if own is None else facts.read(own), ensure_ascii=False),
        "thumbnail": places[0],
        "thumbnail_sha256": None if thumbnail is None else hashlib.sha256(thumbnail).hexdigest(),
        "original": places[1],
        **_crop(connection, number),
    }


def _crop(connection: sqlite3.Connection, number: int) -> dict[str, Any]:
    """The columns that tell what a picture was cut from; none of a whole one."""
    found = crops.of_pictures(connection, [number]).get(number)
    if found is None:
        return {}
    values = (found.photo, *found.box, found.aligned)
    return dict(zip(archive_tables.CROP, values, strict=True))


def _identity(connection: sqlite3.Connection, number: int) -> dict[str, Any]:
    (at,) = connection.execute(
        "SELECT enrolled_at FROM identities WHERE number = ?", (number,)
    ).fetchone()
    return {
        "name": store.identity_name(connection, number),
        "enrolled_at": at,
        **terms.of_identity(connection, number)._asdict(),
        "facts": json.dumps(facts.of_identity(connection, number), ensure_ascii=False),
    }


def _merges(connection: sqlite3.Connection, whose: set[int]) -> list[dict[str, Any]]:
    """The merges of which both names are of these identities, by the name that is merged."""
    rows = connection.execute("SELECT merged, kept, at FROM merges").fetchall()
    within = [row for row in rows if whose.issuperset(row[:2])]
    names = store.identity_names(connection, sorted({one for row in within for one in row[:2]}))
    told = [{"merged": names[merged], "kept": names[kept], "at": at} for merged, kept, at in within]
    return sorted(told, key=lambda row: row["merged"])


def _rejections(connection: sqlite3.Connection) -> Iterator[list[dict[str, Any]]]:
    """Yield all rejections, chunk by chunk."""
    rows = connection.execute(
        "SELECT r.identity, r.source_key, l.content, v.content, r.at FROM rejections r "
        "JOIN labels l ON l.slot = r.label JOIN vectors v ON v.slot = r.vector ORDER BY r.number"
    )
    while chunk := rows.fetchmany(CHUNK_ROWS):
        names = store.identity_names(connection, sorted({row[0] for row in chunk}))
        yield [
            {
                "identity": names[identity],
                "name": store.read_label(label, key),
                "source_sha256": label[:SOURCE_BYTES].hex(),
                "vector": _floats(vector),
                "at": at,
            }
            for identity, key, label, vector, at in chunk
        ]


def _floats(vector: bytes) -> Float32Array:
    return np.frombuffer(vector, "<f2").astype(np.float32)


def _pack(folder: Path, made: Path) -> None:
    """Make a zip of a folder; nothing in it would pack well."""
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder).as_posix())
