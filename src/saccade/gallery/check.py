"""The invariants of a gallery, checked over every row. Reads all of it; for tests and for doubt."""

import sqlite3
from collections.abc import Iterator

from saccade.gallery import centring, choices, contradictions, facts, log, store
from saccade.gallery.database import DamageError
from saccade.gallery.decisions import Decisions
from saccade.gallery.rows import CHUNK_ROWS, decode_vectors
from saccade.gallery.schema import SHELVES
from saccade.gallery.source_keys import SOURCE_BYTES
from saccade.gallery.upgrade import SOURCES_SINCE

USERS = {
    "vectors": "SELECT vector FROM pictures UNION ALL SELECT vector FROM rejections "
    "UNION ALL SELECT content FROM centring",
    "thumbnails": "SELECT thumbnail FROM pictures WHERE thumbnail IS NOT NULL",
    "labels": "SELECT label FROM pictures UNION ALL SELECT label FROM rejections",
    "names": "SELECT name FROM identities",
    "facts": "SELECT fact FROM identity_facts UNION ALL SELECT fact FROM picture_facts",
    "originals": "SELECT original FROM kept_files",
}


def outline_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong with the file, the log and the counts; reads no row's content."""
    for (answer,) in connection.execute("PRAGMA quick_check"):
        if answer != "ok":
            yield str(answer)
    yield from log.problems(connection)
    yield from _count_problems(connection)


def problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong, in sentences; nothing when the gallery is whole."""
    for (answer,) in connection.execute("PRAGMA integrity_check"):
        if answer != "ok":
            yield str(answer)
    if connection.execute("PRAGMA foreign_key_check").fetchone():
        yield "a row points at a row that is not there"
    for shelf in SHELVES:
        yield from _slot_problems(connection, shelf)
    yield from _identity_problems(connection)
    yield from _picture_problems(connection)
    yield from _source_problems(connection)
    yield from _decision_problems(connection)
    yield from _fact_problems(connection)
    yield from _centring_problems(connection)
    yield from log.problems(connection)
    yield from _count_problems(connection)


def _slot_problems(connection: sqlite3.Connection, shelf: str) -> Iterator[str]:
    """Every slot is used once, or free and zero."""
    used = [slot for (slot,) in connection.execute(USERS[shelf])]
    free = dict(
        connection.execute(
            "SELECT slot, bytes FROM free_slots WHERE shelf = ?", (shelf,)
        ).fetchall()
    )
    if len(set(used)) != len(used):
        yield f"{shelf}: a slot is used twice"
    if not free.keys().isdisjoint(used):
        yield f"{shelf}: a slot is both used and free"
    known = free.keys() | set(used)
    total = connection.execute(f"SELECT count(*) FROM {shelf}").fetchone()[0]
    if total != len(known):
        yield f"{shelf}: {total} slots, but {len(known)} are used or free"
    for slot, length in free.items():
        row = connection.execute(f"SELECT content FROM {shelf} WHERE slot = ?", (slot,)).fetchone()
        if row is None or row[0] != bytes(length):
            yield f"{shelf}: free slot {slot} is not zero"


def _identity_problems(connection: sqlite3.Connection) -> Iterator[str]:
    names = set()
    try:
        for number, name, pictures, _ in store.identities(connection):
            if not pictures:
                yield f"identity {number} has no picture"
            if name in names:
                yield f"identity {number} has the name of another"
            names.add(name)
    except DamageError as damage:
        yield str(damage)


def _picture_problems(connection: sqlite3.Connection) -> Iterator[str]:
    dimension = store.read_meta(connection).dimension
    sources = set()
    pictures = 0
    cursor = connection.execute(
        "SELECT v.content, l.content, p.source_key, t.content FROM pictures p "
        "JOIN vectors v ON v.slot = p.vector JOIN labels l ON l.slot = p.label "
        "LEFT JOIN thumbnails t ON t.slot = p.thumbnail"
    )
    try:
        while chunk := cursor.fetchmany(CHUNK_ROWS):
            decode_vectors([row[0] for row in chunk], dimension)
            for _, label, key, thumbnail in chunk:
                store.read_label(label, key)
                sources.add(label[:SOURCE_BYTES])
                if thumbnail is not None and not store.is_jpeg(thumbnail.rstrip(b"\0")):
                    yield "a thumbnail is no JPEG"
            pictures += len(chunk)
    except DamageError as damage:
        yield str(damage)
    if len(sources) != pictures:
        yield "a source stands in the gallery twice"


def _source_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Every picture is found by its source's key, and nothing else is."""
    if connection.execute("PRAGMA user_version").fetchone()[0] < SOURCES_SINCE:
        return
    held, matching = connection.execute(
        "WITH keys AS (SELECT * FROM sources UNION ALL SELECT * FROM recent_sources) "
        "SELECT (SELECT count(*) FROM keys), (SELECT count(*) FROM pictures p "
        "JOIN keys k ON k.source_key = p.source_key AND k.picture = p.number)"
    ).fetchone()
    pictures = connection.execute("SELECT count(*) FROM pictures").fetchone()[0]
    if not held == matching == pictures:
        yield f"{pictures} pictures, but {held} keys of sources, {matching} of which match"


def _decision_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Merges end somewhere, rejections can be read, and no picture is what it is not."""
    try:
        Decisions.read(connection)
        for label, key in connection.execute(
            "SELECT l.content, r.source_key FROM rejections r JOIN labels l ON l.slot = r.label"
        ):
            store.read_label(label, key)
        for picture in contradictions.every(connection):
            yield f"picture {picture} is enrolled as an identity that it was rejected as"
    except DamageError as damage:
        yield str(damage)


def _fact_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Facts can be read."""
    used = f"SELECT content FROM facts WHERE slot IN ({USERS['facts']})"
    try:
        for (content,) in connection.execute(used):
            facts.read(content)
    except DamageError as damage:
        yield str(damage)


def _centring_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """A mean is kept where it is chosen, and it is that of all rows."""
    kept = connection.execute("SELECT count(*) FROM centring").fetchone()[0]
    try:
        chosen = choices.read(connection)[choices.CENTRED] == choices.YES
    except DamageError as damage:
        yield str(damage)
        return
    if bool(kept) != chosen:
        yield "a mean of its vectors is kept where none is chosen, or none where one is"
    yield from centring.problems(connection)


def _count_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """The log and the rows agree on the number of pictures."""
    logged = connection.execute(
        "SELECT coalesce(sum(CASE action WHEN 'enrol' THEN pictures "
        "WHEN 'forget' THEN -pictures WHEN 'remove' THEN -pictures ELSE 0 END), 0) FROM log"
    ).fetchone()[0]
    held = connection.execute("SELECT count(*) FROM pictures").fetchone()[0]
    if logged != held:
        yield f"the log counts {logged} pictures, the gallery holds {held}"
