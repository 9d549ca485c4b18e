"""One connection to ``gallery.db``: the right pragmas, short transactions, clear errors.

Every connection of Saccade is made here. SQLite runs in WAL mode: readers never wait, writers queue
for up to 30 s.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from saccade.errors import GalleryError
from saccade.gallery.rawfile import RawFile
from saccade.gallery.schema import (
    APPLICATION_ID,
    BULK_SETTINGS,
    DATABASE_NAME,
    FORMAT_VERSION,
    SETTINGS,
)
from saccade.gallery.upgrade import stand_in, upgrade

BUSY_S = 30.0
IN_MEMORY_BYTES = 256 << 20
COPIED_PAGES = 4096  # at a time, so that Ctrl-C is heeded


class DamageError(Exception):
    """Rows that contradict each other; leaves a transaction as the GalleryError of that folder."""


class Database:
    """An open ``gallery.db``; threads take turns on its one connection."""

    def __init__(self, folder: Path) -> None:
        """Open the gallery in ``folder``; raises GalleryError and changes nothing if it cannot."""
        self.folder = folder
        self.path = folder / DATABASE_NAME
        self.log_path = folder / f"{DATABASE_NAME}-wal"
        _require(folder, self.path)
        self.read_only = not (os.access(folder, os.W_OK) and os.access(self.path, os.W_OK))
        self.version = 0
        self._turn = threading.RLock()
        try:
            self.raw = RawFile(self.path)
        except OSError as error:
            raise GalleryError(f"{self.path} cannot be opened: {error.strerror}") from error
        try:
            with self.translated():
                self._connection = self._connect()
        except BaseException:
            self.raw.close()
            raise

    def close(self) -> None:
        """Close the connection; doing it twice is harmless."""
        with self._turn, self.translated():
            self._connection.close()
            self.raw.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot. Copy and leave: while it is open, forgotten bytes stay on the disk."""
        with self._turn, self.translated(), _transaction(self._connection, "BEGIN"):
            yield self._connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed and synced at the end, rolled back on any error."""
        self.require_writable()
        with self._turn, self.translated(), _transaction(self._connection, "BEGIN IMMEDIATE"):
            yield self._connection

    def copy_to(self, path: Path) -> None:
        """Copy one snapshot into a new file; other processes read and write meanwhile."""
        target = sqlite3.connect(path, isolation_level=None)
        try:
            with self.reading() as connection:
                connection.backup(target, pages=COPIED_PAGES)
        finally:
            target.close()

    def vacuum(self) -> None:
        """Write every page anew. A large database is built in the system's folder for such files.

        Raises GalleryError while another process writes.
        """
        self.require_writable()
        large = self.raw.size() > IN_MEMORY_BYTES
        with self._turn, self.translated():
            self._connection.execute(f"PRAGMA temp_store = {'FILE' if large else 'MEMORY'}")
            try:
                self._connection.execute("VACUUM")
            finally:
                self._connection.execute("PRAGMA temp_store = MEMORY")

    def require_writable(self) -> None:
        """Raise GalleryError when this user may not change the gallery."""
        if self.read_only:
            raise GalleryError(
                f"gallery {self.folder} is read-only for this user; ask for write access to the "
                "folder, or work on a copy"
            )

    @contextlib.contextmanager
    def many_writes(self) -> Iterator[None]:
        """Keep more pages in memory, and move the log into the database less often, until the end.

        The log is emptied at the end, unless a reader needs it.
        """
        with self._turn, self.translated():
            before = [self._set(name, value) for name, value in BULK_SETTINGS.items()]
        try:
            yield
        finally:
            with self._turn, self.translated():
                for name, value in zip(BULK_SETTINGS, before, strict=True):
                    self._set(name, value)
            if not self.read_only:
                self.truncate_log(0.0)

    def _set(self, name: str, value: int) -> int:
        before = int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
        self._connection.execute(f"PRAGMA {name} = {value}").fetchall()
        return before

    def truncate_log(self, wait_s: float) -> bool:
        """Move the write-ahead log into the database and cut it to zero bytes.

        Waits up to ``wait_s`` for readers of older snapshots; False when one is still there.
        """
        with self._turn, self.translated():
            self._connection.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}").fetchall()
            try:
                answer = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}").fetchall()
            return bool(answer[0] == 0)

    def damaged(self, what: str) -> GalleryError:
        """Return the error that says what is broken in this gallery."""
        return GalleryError(
            f"gallery {self.folder} is damaged: {what}; nothing was changed, restore it from a "
            "backup"
        )

    def _connect(self) -> sqlite3.Connection:
        if not self.read_only:
            return self._opened("rw")
        try:
            return self._opened("ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (
                sqlite3.SQLITE_CANTOPEN,
                sqlite3.SQLITE_READONLY,
            ):
                raise
            # SQLite needs to make two files beside the database. Without them it can read only
            # a database that nobody changes meanwhile, and whose write-ahead log is empty.
            if self.log_path.exists() and self.log_path.stat().st_size:
                raise GalleryError(
                    f"gallery {self.folder} is read-only and was not closed cleanly; open it once "
                    "with write access to the folder"
                ) from None
            return self._opened("ro&immutable=1")

    def _opened(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._require_format(connection)
            for setting in SETTINGS:
                connection.execute(setting).fetchall()
            if not self.read_only:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
                if self.version < FORMAT_VERSION:
                    upgrade(connection)
                    self.version = FORMAT_VERSION
            stand_in(connection, self.version)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_format(self, connection: sqlite3.Connection) -> None:
        """Refuse a foreign or newer file before any pragma could change it."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            raise GalleryError(f"{self.path} is a SQLite file but not a gallery; choose another")
        if not 1 <= version <= FORMAT_VERSION:
            raise GalleryError(
                f"{self.path} has format version {version}, this Saccade reads up to "
                f"{FORMAT_VERSION}; install a newer Saccade"
            )
        self.version = int(version)

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what SQLite and damaged rows raise into a GalleryError that names the gallery."""
        try:
            yield
        except DamageError as damage:
            raise self.damaged(str(damage)) from damage
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> GalleryError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            return GalleryError(
                f"{self.path} is not a gallery (not a SQLite file); nothing was changed"
            )
        if code == sqlite3.SQLITE_CORRUPT:
            return self.damaged(str(error))
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return GalleryError(
                f"gallery {self.folder}: another process has been writing for over {BUSY_S:.0f} s; "
                "try again when it is done"
            )
        if code == sqlite3.SQLITE_FULL:
            return GalleryError(f"gallery {self.folder}: the disk is full; make room and try again")
        if code == sqlite3.SQLITE_IOERR:
            return GalleryError(
                f"gallery {self.folder}: the disk does not take or give its bytes; make room, or "
                "look after the disk, and try again"
            )
        if "closed database" in str(error):
            return GalleryError(f"gallery {self.folder} was closed; open it again")
        return GalleryError(f"gallery {self.folder} cannot be used: SQLite says '{error}'")


def _require(folder: Path, path: Path) -> None:
    if not folder.exists():
        raise GalleryError(f"gallery {folder} does not exist; check the path, or create it first")
    if not folder.is_dir():
        raise GalleryError(f"gallery {folder} is a file; a gallery is a folder")
    if not path.is_file():
        raise GalleryError(
            f"folder {folder} holds no gallery ({DATABASE_NAME} is missing); check the path, or "
            "create a gallery in a new folder"
        )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
