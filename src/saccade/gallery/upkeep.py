"""When a gallery needs a new index, and making it beside the searches."""

import contextlib
import threading
from pathlib import Path

from saccade.errors import SaccadeError
from saccade.gallery import code_place, code_wipe, indexing, rows
from saccade.gallery.codes import Base
from saccade.gallery.database import Database
from saccade.gallery.memory import Memory, outline
from saccade.vectors.drift import drifted
from saccade.vectors.tuned import Wish

INDEX_FROM = 50_000  # rows; fewer are all compared
LOOSE_SHARE = 50  # a fiftieth of the coded rows may be loose
FORGOTTEN_SHARE = 5  # a fifth of them may be forgotten
DRIFT_ROWS, DRIFT_READ = 1024, 4096
VAST_BYTES = 1 << 30  # of float32 vectors: more are not held in memory if an index can spare it


def due(base: Base | None, loose: int) -> str:
    """Return why a new index is due, in words; empty when none is. ``loose``: rows not in it."""
    if base is None:
        return f"{loose:,} pictures have no index" if loose >= INDEX_FROM else ""
    if base.tuned.kind == "exact":
        grown = loose >= max(INDEX_FROM, 2 * base.tuned.rows)
        return f"there are {loose:,} pictures, and no index was worth it before" if grown else ""
    if loose >= max(INDEX_FROM // 2, base.tuned.rows // LOOSE_SHARE):
        return f"{loose:,} pictures are new since the index was made"
    gone = base.tuned.rows - base.alive_rows
    if gone > base.tuned.rows // FORGOTTEN_SHARE:
        return f"{gone:,} pictures of the index were forgotten"
    return ""


def drift(memory: Memory) -> str:
    """Return why the new rows call for another tuning; empty when they do not.

    Looked at whenever their number passes a power of two.
    """
    base, loose = memory.base, memory.loose
    if base is None or loose.count < DRIFT_ROWS:
        return ""
    new = loose.vectors[: 1 << (loose.count.bit_length() - 1)]
    return drifted(base.coded.fitted, base.tuned, new, base.coded.cells)


def newly_drifted(database: Database, base: Base | None) -> str:
    """Return what ``drift`` does, by the first of the rows that are not in the codes."""
    if base is None:
        return ""
    with database.reading() as connection:
        new = rows.after(connection, base.last, most=DRIFT_READ)
    if len(new) < DRIFT_ROWS:
        return ""
    vectors = new.vectors(len(base.coded.fitted.mean))
    return drifted(base.coded.fitted, base.tuned, vectors, base.coded.cells)


def wish_of(base: Base | None) -> Wish:
    """Return the wish that the index was made for; the default one without an index."""
    return Wish() if base is None else base.wish


def index_if_vast(database: Database, dimension: int) -> None:
    """Make the index that is due before more vectors than memory should hold are read."""
    base, loose = outline(database)
    if database.read_only or 4 * dimension * loose <= VAST_BYTES or not due(base, loose):
        return
    with contextlib.suppress(SaccadeError):  # another process makes it: this one goes without
        indexing.build(database, wish_of(base))


class Checks:
    """Compares each file of codes with its checksums once, in a thread beside the searches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: code_place.Stamp = None

    def after(self, memory: Memory) -> None:
        """Begin when these codes were not checked before."""
        if memory.base is not None and memory.codes != self._checked:
            self._checked = memory.codes
            threading.Thread(target=code_wipe.check, args=(self._folder,), daemon=True).start()


class Upkeep:
    """Makes a new index in a thread of its own when one is due; one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread: threading.Thread | None = None
        self._drift_seen = 0

    def after(self, memory: Memory) -> None:
        """Begin when a new index is due and none is being made."""
        if self._thread is not None and self._thread.is_alive():
            return
        if due(memory.base, memory.loose.count) or self._new_drift(memory):
            wish = wish_of(memory.base)
            self._thread = threading.Thread(target=self._build, args=(wish,), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until no index is being made here."""
        if self._thread is not None:
            self._thread.join()

    def _new_drift(self, memory: Memory) -> bool:
        before, self._drift_seen = self._drift_seen, memory.loose.count
        return before.bit_length() != memory.loose.count.bit_length() and bool(drift(memory))

    def _build(self, wish: Wish) -> None:
        # Another process that makes it, or a full disk: searches go on as they are.
        with contextlib.suppress(SaccadeError, OSError):
            database = Database(self._folder)
            try:
                indexing.build(database, wish)
            finally:
                database.close()
