"""A gallery, or what of it is wanted, as files that other programs read: see ``archive``.

One snapshot is read, in bounded memory. Forgetting meanwhile stays pending until it is done; who
is forgotten later stays in the export.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saccade.data.pictures import PICTURE_ENDINGS
from saccade.data.vector_parquet import pyarrow
from saccade.errors import GalleryError
from saccade.files import sha256_file, sync
from saccade.gallery import archive, backup, facts, narrowing, originals, store, terms, who
from saccade.gallery.database import Database
from saccade.gallery.source_keys import SOURCE_BYTES
from saccade.values import IntArray

CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written to ``place``."""

    place: Path
    identities: int
    pictures: int
    originals: int
    bytes: int


def export(database: Database, out: Path, *, name: str | None, where: str | None) -> Exported:
    """Write an export to the new folder or .zip ``out``, all of it or nothing.

    ``name``: one identity alone; ``where``: the pictures that fit. Raises InputError for a name or
    condition that cannot be used, GalleryError when something stands at ``out``.
    """
    backup.refuse(database.folder, out)
    draft = out.parent / f".{out.name}.{secrets.token_hex(4)}.part"
    try:
        draft.mkdir()
        with database.reading() as connection:
            counts = _write(connection, database.folder, draft, name, where)
        made = _packed(draft) if out.suffix.lower() == ".zip" else draft
        size = sum(path.stat().st_size for path in [made, *made.rglob("*")] if path.is_file())
        backup.refuse(database.folder, out)
        sync(made)
        made.rename(out)
        sync(out.absolute().parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise GalleryError(f"export {out} cannot be made: {why}; choose another place") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        draft.with_suffix(".zip").unlink(missing_ok=True)
    return Exported(out, *counts, size)


def _write(
    connection: sqlite3.Connection, folder: Path, draft: Path, name: str | None, where: str | None
) -> tuple[int, int, int]:
    only = None if name is None else who.number_of(connection, folder, name)
    snapshot = contextlib.nullcontext(connection)
    chosen = narrowing.choose(lambda: snapshot, where, "")
    (draft / archive.THUMBNAILS).mkdir()
    (draft / archive.ORIGINALS).mkdir()
    whose: set[int] = set()
    pictures = kept = 0
    with _table(draft, archive.PICTURES) as add:
        for numbers in _numbers(connection, only, chosen):
            rows = [_picture(connection, draft, number) for number in numbers]
            whose.update(identity for identity, _ in rows)
            pictures += len(rows)
            kept += sum(row["original"] is not None for _, row in rows)
            add([row for _, row in rows])
    wanted = sorted(whose)
    with _table(draft, archive.IDENTITIES) as add:
        for start in range(0, len(wanted), CHUNK_ROWS):
            add([_identity(connection, one) for one in wanted[start : start + CHUNK_ROWS]])
    meta = store.read_meta(connection)
    manifest = {
        "format": archive.FORMAT,
        "version": archive.VERSION,
        "fingerprint": meta.fingerprint,
        "embedder": meta.embedder,
        "dimension": meta.dimension,
        "threshold": meta.threshold,
        "generation": meta.generation,
        "exported_at": store.now(),
        "identities": len(wanted),
        "pictures": pictures,
        "files": {table: sha256_file(draft / table) for table in archive.TABLES},
    }
    (draft / archive.MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return len(wanted), pictures, kept


@contextlib.contextmanager
def _table(draft: Path, name: str) -> Iterator[Any]:
    """Give what adds rows (dicts) to a table."""
    arrow, parquet = pyarrow()
    schema = archive.schemas()[name]
    with parquet.ParquetWriter(
        draft / name, schema, compression="none", use_dictionary=False
    ) as writer:
        yield lambda rows: writer.write_table(arrow.Table.from_pylist(rows, schema=schema))


def _numbers(
    connection: sqlite3.Connection, only: int | None, chosen: narrowing.Chosen
) -> Iterator[list[int]]:
    """Yield the numbers of the pictures that are wanted, chunk by chunk."""
    last = 0
    mine = "" if only is None else "AND identity = :only "
    query = f"SELECT number, identity FROM pictures WHERE number > :last {mine}ORDER BY number"
    while True:
        chunk = connection.execute(
            f"{query} LIMIT {CHUNK_ROWS}", {"last": last, "only": only}
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
        "vector": np.frombuffer(vector, "<f2").astype(np.float32),
        "facts": json.dumps({} if own is None else facts.read(own), ensure_ascii=False),
        "thumbnail": places[0],
        "thumbnail_sha256": None if thumbnail is None else hashlib.sha256(thumbnail).hexdigest(),
        "original": places[1],
    }


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


def _packed(draft: Path) -> Path:
    """Return a zip of the folder beside it; nothing in it would pack well."""
    made = draft.with_suffix(".zip")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(draft.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(draft).as_posix())
    return made
