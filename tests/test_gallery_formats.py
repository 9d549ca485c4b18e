"""Galleries of earlier formats: read as they are, brought up to date when they may be written."""

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import threading

import numpy as np
import pytest

from saccade.errors import GalleryError
from saccade.gallery import Gallery, database, slots, source_keys
from saccade.gallery.database import Database
from saccade.gallery.schema import FORMAT_VERSION, SETTINGS

DIMENSION = 8
VECTORS = np.random.default_rng(5).standard_normal((40, DIMENSION)).astype(np.float32)
NAMES = [f"person {row // 3}" for row in range(40)]

# As version 1 made them; nothing here comes from the library.
VERSION_1 = """
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1), dimension INTEGER NOT NULL, fingerprint TEXT NOT NULL,
    embedder TEXT NOT NULL, threshold REAL, generation INTEGER NOT NULL);
CREATE TABLE vectors (slot INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE thumbnails (slot INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE labels (slot INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE names (slot INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE free_slots (
    shelf TEXT NOT NULL, bytes INTEGER NOT NULL, slot INTEGER NOT NULL,
    PRIMARY KEY (shelf, bytes, slot)) WITHOUT ROWID;
CREATE TABLE identities (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name_key INTEGER NOT NULL,
    name INTEGER NOT NULL REFERENCES names (slot), enrolled_at TEXT NOT NULL);
CREATE INDEX identities_by_name ON identities (name_key);
CREATE TABLE pictures (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    identity INTEGER NOT NULL REFERENCES identities (number), source_key INTEGER NOT NULL,
    vector INTEGER NOT NULL UNIQUE REFERENCES vectors (slot),
    label INTEGER NOT NULL REFERENCES labels (slot),
    thumbnail INTEGER REFERENCES thumbnails (slot));
CREATE INDEX pictures_by_identity ON pictures (identity);
CREATE INDEX pictures_by_source ON pictures (source_key);
CREATE TABLE log (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, action TEXT NOT NULL, identity INTEGER,
    first_picture INTEGER, last_picture INTEGER, pictures INTEGER NOT NULL, hash BLOB NOT NULL);
CREATE TABLE pending_forgets (identity INTEGER PRIMARY KEY, content TEXT NOT NULL);
"""
# What version 2 changed.
VERSION_2 = """
DROP INDEX pictures_by_source;
CREATE TABLE sources (
    source_key INTEGER NOT NULL, picture INTEGER NOT NULL,
    PRIMARY KEY (source_key, picture)) WITHOUT ROWID;
CREATE TABLE recent_sources (
    source_key INTEGER NOT NULL, picture INTEGER NOT NULL,
    PRIMARY KEY (source_key, picture)) WITHOUT ROWID;
PRAGMA user_version = 2;
"""
# What version 3 added.
VERSION_3 = """
CREATE TABLE facts (slot INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE originals (slot INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE choices (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE merges (
    merged INTEGER PRIMARY KEY REFERENCES identities (number),
    kept INTEGER NOT NULL REFERENCES identities (number), at TEXT NOT NULL);
CREATE INDEX merges_by_kept ON merges (kept);
CREATE TABLE rejections (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    identity INTEGER NOT NULL REFERENCES identities (number), source_key INTEGER NOT NULL,
    vector INTEGER NOT NULL REFERENCES vectors (slot),
    label INTEGER NOT NULL REFERENCES labels (slot), at TEXT NOT NULL);
CREATE INDEX rejections_by_identity ON rejections (identity);
CREATE INDEX rejections_by_source ON rejections (source_key);
CREATE TABLE terms (
    identity INTEGER PRIMARY KEY REFERENCES identities (number), consent TEXT, expires TEXT);
CREATE INDEX terms_by_expiry ON terms (expires);
CREATE TABLE identity_facts (
    identity INTEGER PRIMARY KEY REFERENCES identities (number),
    fact INTEGER NOT NULL REFERENCES facts (slot));
CREATE TABLE picture_facts (
    picture INTEGER PRIMARY KEY REFERENCES pictures (number),
    fact INTEGER NOT NULL REFERENCES facts (slot));
CREATE TABLE kept_files (
    picture INTEGER PRIMARY KEY REFERENCES pictures (number),
    original INTEGER NOT NULL REFERENCES originals (slot));
CREATE TABLE crops (
    picture INTEGER PRIMARY KEY REFERENCES pictures (number), photo_key INTEGER NOT NULL,
    x REAL NOT NULL, y REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL,
    aligned INTEGER NOT NULL);
CREATE INDEX crops_by_photo ON crops (photo_key);
CREATE TABLE proposals (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, score REAL NOT NULL,
    refused_at TEXT);
CREATE TABLE proposed_identity (
    identity INTEGER NOT NULL, proposal INTEGER NOT NULL REFERENCES proposals (number),
    place INTEGER NOT NULL, PRIMARY KEY (identity, proposal)) WITHOUT ROWID;
CREATE TABLE proposed_picture (
    picture INTEGER NOT NULL, proposal INTEGER NOT NULL REFERENCES proposals (number),
    place INTEGER NOT NULL, PRIMARY KEY (picture, proposal)) WITHOUT ROWID;
CREATE INDEX proposed_identity_by_proposal ON proposed_identity (proposal);
CREATE INDEX proposed_picture_by_proposal ON proposed_picture (proposal);
PRAGMA user_version = 3;
"""
TABLES = (
    *("meta", "vectors", "thumbnails", "labels", "names", "free_slots", "identities", "pictures"),
    *("log", "pending_forgets", "sqlite_sequence"),
)


@pytest.fixture(scope="module", params=[1, 2, 3])
def early(request, tmp_path_factory):
    """The version, and the rows of a gallery in which somebody was forgotten, in its tables."""
    root = tmp_path_factory.mktemp("formats")
    with Gallery.create(root / "now", fingerprint="f" * 64, dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(VECTORS, NAMES)
        gallery.forget("person 13")  # the last: its numbers must not be given again
    (root / "first" / "receipts").mkdir(parents=True)
    connection = sqlite3.connect(root / "first" / "gallery.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(VERSION_1)
    connection.execute(f"PRAGMA application_id = {0x53414343}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("ATTACH ? AS now", (str(root / "now" / "gallery.db"),))
    for table in TABLES:
        connection.execute(f"DELETE FROM main.{table}")
        connection.execute(f"INSERT INTO main.{table} SELECT * FROM now.{table}")
    connection.execute(
        "DELETE FROM main.sqlite_sequence WHERE name NOT IN ('identities', 'pictures')"
    )
    if request.param >= 2:
        connection.executescript(VERSION_2)
        for table in ("sources", "recent_sources"):
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM now.{table}")
    if request.param >= 3:
        connection.executescript(VERSION_3)
    connection.close()
    return request.param, root / "first"


@pytest.fixture
def first_version(early):
    return early[0]


@pytest.fixture
def folder(early, tmp_path):
    shutil.copytree(early[1], tmp_path / "g")
    return tmp_path / "g"


def version(folder):
    connection = sqlite3.connect(folder / "gallery.db")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return found


def names_found(gallery):
    return [found.hits[0].identity for found in gallery.find_vectors(VECTORS[:39], k=1)]


def test_an_earlier_version_is_brought_up_to_date(folder):
    with Gallery.open(folder) as gallery:
        gallery.check()
        stats = gallery.stats()
        assert (stats.format_version, stats.pictures) == (FORMAT_VERSION, 39)
        assert names_found(gallery) == NAMES[:39]
        again = gallery.enrol_vectors(VECTORS, NAMES)
        assert [one.status for one in again] == ["unchanged"] * 39 + ["enrolled"]
        assert again[-1].picture_id == 41, "the number of a forgotten picture was given again"
        gallery.forget("person 0")
        gallery.check()
    assert version(folder) == FORMAT_VERSION
    with Gallery.open(folder) as gallery:
        gallery.check()


def test_an_earlier_version_is_read_where_it_may_not_be_written(folder, first_version, monkeypatch):
    before = (folder / "gallery.db").read_bytes()
    monkeypatch.setattr("saccade.gallery.database.os.access", lambda *_: False)
    with Gallery.open(folder) as gallery:
        gallery.check()
        assert gallery.stats().format_version == first_version
        assert names_found(gallery) == NAMES[:39]
        with pytest.raises(GalleryError, match="read-only"):
            gallery.enrol_vectors(VECTORS, NAMES)
        with pytest.raises(GalleryError, match="read-only"):
            list(gallery.enrol_bulk([(VECTORS, NAMES, None)]))
    assert (folder / "gallery.db").read_bytes() == before
    assert version(folder) == first_version


def test_an_upgrade_that_fails_changes_nothing(folder, first_version, monkeypatch):
    def broken(connection):
        connection.execute("DROP INDEX pictures_by_identity")
        raise sqlite3.OperationalError("no more")

    with monkeypatch.context() as patch:
        patch.setattr("saccade.gallery.upgrade.STEPS", (broken,) * 3)
        with pytest.raises(GalleryError, match="no more"):
            Gallery.open(folder)
    assert version(folder) == first_version
    with Gallery.open(folder) as gallery:
        gallery.check()


def test_an_upgrade_on_a_full_disk_changes_nothing(folder, first_version, monkeypatch):
    pages = (folder / "gallery.db").stat().st_size // 4096
    with monkeypatch.context() as patch:
        limit = f"PRAGMA max_page_count = {pages}"
        patch.setattr("saccade.gallery.database.SETTINGS", (*SETTINGS, limit))
        with pytest.raises(GalleryError, match="the disk is full"):
            Gallery.open(folder)
    assert version(folder) == first_version
    with Gallery.open(folder) as gallery:
        gallery.check()


@pytest.mark.slow
def test_an_upgrade_that_is_killed_changes_nothing_or_all(folder, first_version, tmp_path):
    """SIGKILL before each statement of the upgrade in turn, in a process of its own."""
    versions = []
    for at in itertools.count():
        copy = tmp_path / f"copy {at}"
        shutil.copytree(folder, copy)
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                _open_until(copy, at)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        versions.append(version(copy))
        with Gallery.open(copy) as gallery:
            gallery.check()
            assert gallery.stats().pictures == 39 and names_found(gallery) == NAMES[:39]
        shutil.rmtree(copy)
        if code == 0:
            break
    assert len(versions) > 4 and set(versions) == {first_version, FORMAT_VERSION}


def _open_until(folder, count):
    """Open a gallery; the process dies before the statement number ``count`` of its upgrade."""
    left = itertools.count()

    def statement(_):
        if next(left) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    plain = database.upgrade

    def upgrade(connection):
        connection.set_trace_callback(statement)
        plain(connection)

    database.upgrade = upgrade
    Database(folder).close()


def test_an_upgraded_gallery_does_all_that_a_new_one_does(folder, tmp_path):
    with Gallery.open(folder) as gallery:
        assert gallery.describe("person 1", {"site": "A"}) == {"site": "A"}
        gallery.set_terms("person 2", expires="2000-01-01")
        assert gallery.merge("person 3", "person 4").also == ("person 4",)
        gallery.reject(VECTORS[0], "person 5")
        assert gallery.choose(centred="yes").choices["centred"] == "yes"
        assert [one.pictures for one in gallery.forget_expired()] == [3]
        assert gallery.compact().places > 0
        assert [info.name for info in gallery.identities("site = A")] == ["person 1"]
        gallery.backup(tmp_path / "copy")
        gallery.export(tmp_path / "out")
        gallery.check()
        before = gallery.identities()
    with Gallery.open(tmp_path / "copy") as copy:
        copy.check()
        assert copy.identities() == before
    with Gallery.create(tmp_path / "n", fingerprint="f" * 64, dimension=DIMENSION) as new:
        assert new.import_(tmp_path / "out").enrolled == 36
        new.check()


def test_two_open_it_at_once(folder):
    errors = []

    def open_it():
        try:
            with Gallery.open(folder) as gallery:
                gallery.check()
        except GalleryError as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM recent_sources WHERE picture = 7",
        "UPDATE recent_sources SET source_key = source_key + 1 WHERE picture = 7",
        "INSERT INTO sources SELECT * FROM recent_sources WHERE picture = 7",
        "INSERT INTO sources VALUES (5, 1000)",
    ],
)
def test_check_sees_a_wrong_key(tmp_path, damage):
    with Gallery.create(tmp_path / "g", fingerprint="x", dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(VECTORS, NAMES)
        with gallery._database.writing() as connection:
            connection.execute(damage)
        with pytest.raises(GalleryError, match="keys of sources"):
            gallery.check()


def test_moved_keys_are_found_and_forgotten(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="x", dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(VECTORS[:20], NAMES[:20])
        with gallery._database.writing() as connection:
            assert source_keys.recent(connection) == 20
            source_keys.move(connection)
            assert source_keys.recent(connection) == 0
        gallery.check()
        again = gallery.enrol_vectors(VECTORS, NAMES)
        assert [one.status for one in again] == ["unchanged"] * 20 + ["enrolled"] * 20
        gallery.forget("person 6")  # has pictures in both tables
        gallery.check()
        with gallery._database.reading() as connection:
            counted = connection.execute("SELECT count(*) FROM sources").fetchone()[0]
            assert (counted, source_keys.recent(connection)) == (18, 19)


def test_forgetting_does_not_scan_the_keys(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="x", dimension=DIMENSION) as gallery:
        statements = []
        gallery.enrol_vectors(VECTORS, NAMES)
        gallery._database._connection.set_trace_callback(statements.append)
        gallery.forget("person 0")
        gallery._database._connection.set_trace_callback(None)
        deletes = [one for one in statements if one.startswith("DELETE FROM")]
        assert any("sources" in one for one in deletes)
        with gallery._database.reading() as connection:
            for statement in deletes:
                plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
                scanned = [line[3] for line in plan if line[3].startswith("SCAN")]
                assert all("json_each" in one for one in scanned), (statement, plan)


def test_forgetting_empties_every_table_of_people(tmp_path):
    """Rows in each table that may speak of an identity or a picture: all go, the others stay."""
    with Gallery.create(tmp_path / "g", fingerprint="x", dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(VECTORS, NAMES)
        with gallery._database.writing() as connection:
            for identity, picture in ((1, 1), (2, 4)):  # person 0 and person 1
                fact, more = slots.put(connection, "facts", [b'{"site": "A"}', b"{}"])
                (original,) = slots.put(connection, "originals", [f"file {identity}".encode()])
                connection.execute("INSERT INTO identity_facts VALUES (?, ?)", (identity, fact))
                connection.execute("INSERT INTO picture_facts VALUES (?, ?)", (picture, more))
                connection.execute("INSERT INTO kept_files VALUES (?, ?)", (picture, original))
                connection.execute("INSERT INTO terms VALUES (?, '2026-01-01', NULL)", (identity,))
                connection.execute("INSERT INTO crops VALUES (?, 5, 1, 2, 3, 4, 1)", (picture,))
            reject(connection, identity=1, source=b"q" * 32)  # a stranger is not person 0
            reject(connection, identity=3, source=source_of(connection, 1))  # 0 is not person 2
            reject(connection, identity=3, source=source_of(connection, 4))  # 1 is not person 2
            connection.execute("INSERT INTO merges VALUES (5, 1, 'now')")
            connection.execute("INSERT INTO merges VALUES (6, 2, 'now')")
            connection.executemany(
                "INSERT INTO proposals VALUES (?, 'same', 1, NULL)", [(1,), (2,), (3,)]
            )
            connection.execute(
                "INSERT INTO proposed_identity VALUES (1, 1, 0), (5, 1, 1), (6, 3, 0)"
            )
            connection.execute(
                "INSERT INTO proposed_picture VALUES (1, 2, 0), (9, 2, 1), (9, 3, 0)"
            )
        gallery.check()
        assert gallery.forget("person 0").status == "forgotten"
        gallery.check()
        with gallery._database.reading() as connection:
            left = {
                table: connection.execute(f"SELECT {column} FROM {table}").fetchall()
                for table, column in PEOPLE.items()
            }
    assert left == {
        **{"identity_facts": [(2,)], "picture_facts": [(4,)], "kept_files": [(4,)]},
        **{"terms": [(2,)], "crops": [(4,)], "merges": [(6,)], "rejections": [(3,)]},
        **{"proposals": [(3,)], "proposed_identity": [(3,)], "proposed_picture": [(3,)]},
    }
    assert b"file 1" not in (tmp_path / "g" / "gallery.db").read_bytes()
    assert b"file 2" in (tmp_path / "g" / "gallery.db").read_bytes()


PEOPLE = {
    **{"identity_facts": "identity", "picture_facts": "picture", "kept_files": "picture"},
    **{"terms": "identity", "crops": "picture", "merges": "merged", "rejections": "number"},
    **{"proposals": "number", "proposed_identity": "proposal", "proposed_picture": "proposal"},
}


def reject(connection, *, identity, source):
    values = np.frombuffer(source[:DIMENSION], np.uint8) + 1.0
    stored = (values / np.linalg.norm(values)).astype("<f2").tobytes()
    (vector,) = slots.put(connection, "vectors", [stored])
    (label,) = slots.put(connection, "labels", [source + b"a.jpg"])
    (key,) = source_keys.keys([source]).tolist()
    connection.execute(
        "INSERT INTO rejections VALUES (NULL, ?, ?, ?, ?, 'now')", (identity, key, vector, label)
    )


def source_of(connection, picture):
    return connection.execute(
        "SELECT l.content FROM pictures p JOIN labels l ON l.slot = p.label WHERE p.number = ?",
        (picture,),
    ).fetchone()[0][:32]
