"""The tables of ``gallery.db``, and how a new one is made.

Whatever could tell who is enrolled stands in one of six *shelves*: ``vectors`` (float16, and the
sum and mean of all, see ``centring``), ``thumbnails`` (JPEG), ``labels`` (SHA-256 of the source,
then the file name), ``names``, ``facts`` (JSON: the metadata of an identity or a picture) and
``originals`` (files that were kept). A row on a shelf is never deleted, moved or resized (see
``slots``); the reason stands in docs/decisions/0002-forget-in-place.md. The other tables hold
numbers only, and SQLite may move their rows as it likes. Look-up keys are therefore short: 16 bits
of a name's hash and 32 bits of a source's hash, too few to say which name it was if a stale copy of
a key stays in a page.
"""

import secrets
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from saccade.errors import GalleryError
from saccade.files import sync

DATABASE_NAME = "gallery.db"
RECEIPTS_FOLDER = "receipts"
FORMAT_VERSION = 4
APPLICATION_ID = 0x53414343  # "SACC" in the header of the file

LATER_SHELVES = ("facts", "originals")  # since version 3
SHELVES = ("vectors", "thumbnails", "labels", "names", *LATER_SHELVES)


def create_shelf(shelf: str) -> str:
    """Return the statement that makes a shelf."""
    return f"CREATE TABLE {shelf} (slot INTEGER PRIMARY KEY, content BLOB NOT NULL)"


# The keys of sources are random. New ones go into a small table first, and from there in order
# into the large one: see docs/decisions/0010-sources-in-order.md.
SOURCE_TABLES = ("sources", "recent_sources")
CREATE_SOURCES = tuple(
    f"""CREATE TABLE {table} (
        source_key INTEGER NOT NULL,
        picture INTEGER NOT NULL,
        PRIMARY KEY (source_key, picture)) WITHOUT ROWID"""
    for table in SOURCE_TABLES
)

# Since version 3, what users decide and say about identities and pictures: numbers, dates, and
# places on shelves.
CREATE_PEOPLE = (
    # The choices that a gallery was given; what is not there is at its default.
    "CREATE TABLE choices (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # An identity that was merged stays as it is and points at the one that answers for it.
    """CREATE TABLE merges (
        merged INTEGER PRIMARY KEY REFERENCES identities (number),
        kept INTEGER NOT NULL REFERENCES identities (number),
        at TEXT NOT NULL)""",
    "CREATE INDEX merges_by_kept ON merges (kept)",
    # "Not this one": a picture, enrolled or not, that does not show the identity.
    """CREATE TABLE rejections (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        identity INTEGER NOT NULL REFERENCES identities (number),
        source_key INTEGER NOT NULL,
        vector INTEGER NOT NULL REFERENCES vectors (slot),
        label INTEGER NOT NULL REFERENCES labels (slot),
        at TEXT NOT NULL)""",
    "CREATE INDEX rejections_by_identity ON rejections (identity)",
    "CREATE INDEX rejections_by_source ON rejections (source_key)",
    # The day of the consent, and that from which the identity is to be forgotten: ISO 8601.
    """CREATE TABLE terms (
        identity INTEGER PRIMARY KEY REFERENCES identities (number),
        consent TEXT,
        expires TEXT)""",
    "CREATE INDEX terms_by_expiry ON terms (expires)",
    """CREATE TABLE identity_facts (
        identity INTEGER PRIMARY KEY REFERENCES identities (number),
        fact INTEGER NOT NULL REFERENCES facts (slot))""",
    """CREATE TABLE picture_facts (
        picture INTEGER PRIMARY KEY REFERENCES pictures (number),
        fact INTEGER NOT NULL REFERENCES facts (slot))""",
    """CREATE TABLE kept_files (
        picture INTEGER PRIMARY KEY REFERENCES pictures (number),
        original INTEGER NOT NULL REFERENCES originals (slot))""",
    # A picture that was cut out of a photo: 32 bits of the photo's SHA-256, the box in its pixels.
    """CREATE TABLE crops (
        picture INTEGER PRIMARY KEY REFERENCES pictures (number),
        photo_key INTEGER NOT NULL,
        x REAL NOT NULL, y REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL,
        aligned INTEGER NOT NULL)""",
    "CREATE INDEX crops_by_photo ON crops (photo_key)",
    # What a check or a grouping proposes, and what the user refused and is not asked again; and the
    # identities and pictures that each is about.
    """CREATE TABLE proposals (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        score REAL NOT NULL,
        refused_at TEXT)""",
    *(
        f"""CREATE TABLE proposed_{what} (
            {what} INTEGER NOT NULL,
            proposal INTEGER NOT NULL REFERENCES proposals (number),
            place INTEGER NOT NULL,
            PRIMARY KEY ({what}, proposal)) WITHOUT ROWID"""
        for what in ("identity", "picture")
    ),
    "CREATE INDEX proposed_identity_by_proposal ON proposed_identity (proposal)",
    "CREATE INDEX proposed_picture_by_proposal ON proposed_picture (proposal)",
)

# Since version 4, of a gallery whose similarities are centred: how many rows are in the sum of its
# vectors and in the mean that is subtracted; both stand in one place on the shelf of vectors.
CREATE_CENTRING = """CREATE TABLE centring (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    pictures INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES vectors (slot))"""

TABLES = (
    """CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        dimension INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        embedder TEXT NOT NULL,
        threshold REAL,
        generation INTEGER NOT NULL)""",
    *(create_shelf(shelf) for shelf in SHELVES),
    """CREATE TABLE free_slots (
        shelf TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        PRIMARY KEY (shelf, bytes, slot)) WITHOUT ROWID""",
    """CREATE TABLE identities (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name_key INTEGER NOT NULL,
        name INTEGER NOT NULL REFERENCES names (slot),
        enrolled_at TEXT NOT NULL)""",
    "CREATE INDEX identities_by_name ON identities (name_key)",
    """CREATE TABLE pictures (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        identity INTEGER NOT NULL REFERENCES identities (number),
        source_key INTEGER NOT NULL,
        vector INTEGER NOT NULL REFERENCES vectors (slot),
        label INTEGER NOT NULL REFERENCES labels (slot),
        thumbnail INTEGER REFERENCES thumbnails (slot))""",
    "CREATE INDEX pictures_by_identity ON pictures (identity)",
    *CREATE_SOURCES,
    *CREATE_PEOPLE,
    CREATE_CENTRING,
    """CREATE TABLE log (
        number INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        identity INTEGER,
        first_picture INTEGER,
        last_picture INTEGER,
        pictures INTEGER NOT NULL,
        hash BLOB NOT NULL)""",
    """CREATE TABLE pending_forgets (
        identity INTEGER PRIMARY KEY,
        content TEXT NOT NULL)""",
)

SETTINGS = (
    # Pages must never move: no vacuum of its own accord.
    "PRAGMA auto_vacuum = NONE",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = ON",
    # A crash must lose nothing that was acknowledged.
    "PRAGMA synchronous = FULL",
    # Says "malformed" sooner when a page was damaged.
    "PRAGMA cell_size_check = ON",
    # KiB: the inner pages of ten million rows; more is slower, for SQLite seeks longer in it. The
    # file is not mapped: one that someone else cuts short would end the process.
    "PRAGMA cache_size = -8192",
)

# While very many rows are written. The keys of a block fall anywhere in two indexes.
BULK_SETTINGS = {
    "foreign_keys": 0,  # looks up three rows a picture that the same transaction has just made
    "cache_size": -131_072,  # KiB: the pages of those indexes
    "wal_autocheckpoint": 16_384,  # pages of 4 KiB in the log
}


def create_database(
    folder: Path,
    *,
    dimension: int,
    fingerprint: str,
    embedder: str,
    threshold: float | None,
    choices: Mapping[str, str] | None = None,
) -> None:
    """Make the gallery ``folder``, all of it or nothing.

    It is made under another name beside ``folder`` and renamed at the end, so that a crash leaves
    no half gallery. Raises GalleryError when ``folder`` exists and is not an empty folder.
    """
    refuse_existing(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.part"
    draft.mkdir()
    try:
        (draft / RECEIPTS_FOLDER).mkdir()
        meta = (1, dimension, fingerprint, embedder, threshold, 0)
        _write_tables(draft / DATABASE_NAME, meta, choices or {})
        sync(draft)
        try:
            draft.replace(folder)
        except OSError:
            refuse_existing(folder)
            raise
    except sqlite3.Error as error:
        raise GalleryError(
            f"{folder} cannot be made: {error}; free the disk, or choose another place"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync(folder.parent)


def refuse_existing(folder: Path) -> None:
    """Raise GalleryError when a new gallery cannot be made at ``folder``."""
    if (folder / DATABASE_NAME).exists():
        raise GalleryError(f"{folder} is a gallery already; open it, or choose another folder")
    if folder.exists() and not folder.is_dir():
        raise GalleryError(f"{folder} is a file; choose a new folder for the gallery")
    if folder.exists() and any(folder.iterdir()):
        raise GalleryError(f"{folder} is not empty; choose a new or an empty folder")


def _write_tables(
    path: Path, meta: tuple[int, int, str, str, float | None, int], choices: Mapping[str, str]
) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for setting in SETTINGS:
            connection.execute(setting)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        for table in TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?, ?, ?)", meta)
        connection.executemany("INSERT INTO choices VALUES (?, ?)", choices.items())
        connection.execute("COMMIT")
    finally:
        connection.close()
    sync(path)
