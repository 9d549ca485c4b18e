"""The pictures of a gallery embedded again, from the files that it keeps, into a new gallery.

Names, file names, facts, terms, merges, thumbnails, boxes and kept files come along. Rejections
hold vectors of pictures that are not kept and cannot come; they are counted. Numbers and the log
begin anew.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, PictureError
from saccade.gallery import (
    blocks,
    centring,
    choices,
    enrol,
    facts,
    inputs,
    log,
    originals,
    store,
    terms,
)
from saccade.gallery.database import Database
from saccade.gallery.source_keys import SOURCE_BYTES
from saccade.values import Embedder

BATCH_PICTURES = 32
CHANGED = "was changed while it was embedded again; do it again"


@dataclass(frozen=True, slots=True)
class ReEmbedded:
    """What the new gallery holds, and how many rejections were lost."""

    identities: int
    pictures: int
    rejections_lost: int


def require_originals(database: Database) -> None:
    """Raise GalleryError, which says what to do, unless all pictures' files are kept."""
    with database.reading() as connection:
        pictures, kept = connection.execute(
            "SELECT (SELECT count(*) FROM pictures), (SELECT count(*) FROM kept_files)"
        ).fetchone()
    if kept < pictures:
        raise GalleryError(
            f"gallery {database.folder} keeps the files of {kept} of its {pictures} pictures, and "
            "without them nothing can be embedded again; make a new gallery (saccade create "
            "--keep-originals) and enrol the pictures from where they are"
        )


def re_embed(old: Database, new: Database, embedder: Embedder) -> ReEmbedded:
    """Fill the empty gallery ``new`` with what ``old`` holds.

    Raises GalleryError when ``old`` is changed meanwhile, or a kept file cannot be read.
    """
    with old.reading() as connection:
        generation = store.read_meta(connection).generation
        people = list(store.identities(connection))
    names = {number: name for number, name, _, _ in people}
    with tempfile.TemporaryDirectory(prefix="saccade-re-embed-") as folder:
        for rows in _batches(old):
            _enrol(new, rows, names, embedder, Path(folder) / "picture")
    with old.reading() as source, new.writing() as target:
        if store.read_meta(source).generation != generation:
            raise GalleryError(f"gallery {old.folder} {CHANGED}")
        _tell(source, target, people)
        counts = store.counts(target)
        lost = source.execute("SELECT count(*) FROM rejections").fetchone()[0]
    return ReEmbedded(counts["identities"], counts["pictures"], int(lost))


def _batches(old: Database) -> Iterator[list[dict[str, Any]]]:
    last = 0
    while True:
        with old.reading() as connection:
            numbers = connection.execute(
                "SELECT number FROM pictures WHERE number > ? ORDER BY number LIMIT ?",
                (last, BATCH_PICTURES),
            ).fetchall()
            rows = [_row(connection, number) for (number,) in numbers]
        if not rows:
            return
        last = rows[-1]["number"]
        yield rows


def _row(connection: sqlite3.Connection, number: int) -> dict[str, Any]:
    identity, key, label, small, own = connection.execute(
        "SELECT p.identity, p.source_key, l.content, t.content, f.content FROM pictures p "
        "JOIN labels l ON l.slot = p.label LEFT JOIN thumbnails t ON t.slot = p.thumbnail "
        "LEFT JOIN picture_facts q ON q.picture = p.number LEFT JOIN facts f ON f.slot = q.fact "
        "WHERE p.number = ?",
        (number,),
    ).fetchone()
    return {
        "number": number,
        "identity": identity,
        "source": label[:SOURCE_BYTES],
        "name": store.read_label(label, key),
        "thumbnail": None if small is None else bytes(small).rstrip(b"\0"),
        "facts": {} if own is None else facts.read(own),
        "original": originals.read(connection, number),
    }


def _enrol(
    new: Database,
    rows: list[dict[str, Any]],
    names: dict[int, str],
    embedder: Embedder,
    place: Path,
) -> None:
    pictures = []
    for row in rows:
        if row["original"] is None or row["identity"] not in names:
            raise GalleryError(f"the gallery {CHANGED}")
        place.write_bytes(row["original"])
        try:
            pictures.append(read_picture(place))
        except PictureError as error:
            raise GalleryError(
                f"the kept file of picture {row['number']} ('{row['name']}') cannot be read; "
                "forget it, or restore a backup"
            ) from error
    vectors = inputs.stored_vectors(enrol.embedded(embedder, pictures))
    block = blocks.Block(
        identities=[names[row["identity"]] for row in rows],
        sources=[row["source"] for row in rows],
        file_names=[row["name"] for row in rows],
        vectors=vectors,
        thumbnails=[row["thumbnail"] for row in rows],
        facts=[row["facts"] for row in rows],
        originals=[row["original"] for row in rows],
    )
    blocks.write(new, block)


def _tell(
    source: sqlite3.Connection, target: sqlite3.Connection, people: list[tuple[int, str, int, str]]
) -> None:
    """Copy what is said of identities, and the settings of the gallery."""
    numbers = store.find_identities(target, [name for _, name, _, _ in people])
    mine = {number: numbers[name] for number, name, _, _ in people}
    for number, _, _, at in people:
        target.execute("UPDATE identities SET enrolled_at = ? WHERE number = ?", (at, mine[number]))
        if told := facts.of_identity(source, number):
            facts.write(target, mine[number], told)
        terms.write(target, mine[number], terms.of_identity(source, number))
    for merged, kept, at in source.execute("SELECT merged, kept, at FROM merges").fetchall():
        target.execute("INSERT INTO merges VALUES (?, ?, ?)", (mine[merged], mine[kept], at))
    target.executemany(
        "INSERT OR IGNORE INTO choices VALUES (?, ?)",
        source.execute(
            "SELECT name, value FROM choices WHERE name != ?", (choices.MIRRORED,)
        ).fetchall(),
    )
    if choices.read(target)[choices.CENTRED] == choices.YES:
        centring.start(target)
    pairs = zip(_by_number(source), _by_number(target), strict=True)
    for old, new in pairs:
        box = source.execute("SELECT * FROM crops WHERE picture = ?", (old,)).fetchone()
        if box is not None:
            target.execute(f"INSERT INTO crops VALUES (?{', ?' * len(box[1:])})", (new, *box[1:]))
    log.append(target, "re-embed", at=store.now())


def _by_number(connection: sqlite3.Connection) -> Iterator[int]:
    """The pictures' numbers, rising: both galleries have theirs in the same order."""
    for (number,) in connection.execute("SELECT number FROM pictures ORDER BY number"):
        yield number
