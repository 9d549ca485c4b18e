"""The pictures of a gallery embedded again, from the files that it keeps, into a new gallery.

Names, file names, facts, terms, merges, thumbnails, kept files and what crops were cut from come
along, and the rejections of pictures that are enrolled. Those of others hold only a vector of the
old embedder and cannot come; they are counted. Of the choices ``templates`` and ``centred`` come
along; what was for similarities of the old embedder does not: the threshold, and the limit of near
copies. Numbers and the log begin anew.
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
    crops,
    enrol,
    facts,
    inputs,
    log,
    originals,
    rejecting,
    slots,
    source_keys,
    store,
    terms,
)
from saccade.gallery.database import Database
from saccade.gallery.near_copies import NEAR
from saccade.gallery.rejections import read_near
from saccade.gallery.source_keys import SOURCE_BYTES
from saccade.values import Embedder

BATCH_PICTURES = 32
CHANGED = "was changed while it was embedded again; do it again"


@dataclass(frozen=True, slots=True)
class ReEmbedded:
    """What the new gallery holds, and how many rejections were lost.

    ``threshold`` is that of the new one; ``old_threshold`` and ``old_near``, the limit of near
    copies, those of the old one, which were not taken; None where there was none of its own.
    """

    identities: int
    pictures: int
    rejections_lost: int
    threshold: float | None
    old_threshold: float | None
    old_near: float | None


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


def re_embed(
    old: Database, new: Database, embedder: Embedder, *, threshold_stated: bool
) -> ReEmbedded:
    """Fill the empty gallery ``new`` with what ``old`` holds.

    ``threshold_stated``: that of ``new`` was given for it; the embedder's own is for single
    pictures as they are, and dropped where templates are means, or similarities centred. Raises
    GalleryError when ``old`` is changed meanwhile, or a kept file cannot be read.
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
        lost = _reject(source, target, new.folder)
        chosen = choices.read(target)
        plain = chosen[choices.TEMPLATES] == choices.BEST and chosen[choices.CENTRED] == choices.NO
        if not (threshold_stated or plain):
            target.execute("UPDATE meta SET threshold = NULL")
        log.append(target, "re-embed", at=store.now())
        counts, near = store.counts(target), read_near(source)
        return ReEmbedded(
            counts["identities"],
            counts["pictures"],
            lost,
            store.read_meta(target).threshold,
            store.read_meta(source).threshold,
            None if near == NEAR else near,
        )


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
        "INSERT INTO choices VALUES (?, ?)",
        source.execute(
            "SELECT name, value FROM choices WHERE name IN (?, ?, ?)",
            (choices.TEMPLATES, choices.CENTRED, crops.DETECTOR),
        ).fetchall(),
    )
    _copy_crops(source, target)
    if choices.read(target)[choices.CENTRED] == choices.YES:
        centring.start(target)


def _copy_crops(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Say of the new pictures what they were cut from, found by their contents."""
    rows = source.execute(
        "SELECT l.content, c.* FROM crops c JOIN pictures p ON p.number = c.picture "
        "JOIN labels l ON l.slot = p.label ORDER BY c.picture"
    ).fetchall()
    there = source_keys.find(target, [label[:SOURCE_BYTES] for label, *_ in rows])
    told = [(there[label[:SOURCE_BYTES]][0], *crop[1:]) for label, *crop in rows]
    slots.insert(target, "crops", sorted(told))


def _reject(source: sqlite3.Connection, target: sqlite3.Connection, folder: Path) -> int:
    """Say the rejections of enrolled pictures again, by their new vectors; returns the others."""
    rows = source.execute(
        "SELECT r.identity, r.source_key, l.content, r.at FROM rejections r "
        "JOIN labels l ON l.slot = r.label ORDER BY r.number"
    ).fetchall()
    there = source_keys.find(target, [label[:SOURCE_BYTES] for _, _, label, _ in rows])
    names = store.identity_names(source, sorted({identity for identity, *_ in rows}))
    lost = 0
    for identity, key, label, at in rows:
        content, name = label[:SOURCE_BYTES], store.read_label(label, key)
        if content in there:
            subject = rejecting.Subject(content, name, name, None)
            rejecting.reject_within(target, folder, subject, names[identity], said_at=at)
        else:
            lost += 1
    return lost
