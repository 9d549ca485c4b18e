"""When a gallery needs a new index, and making it beside the searches."""

import contextlib
import threading
from pathlib import Path

from saccade.errors import SaccadeError
from saccade.gallery import indexing
from saccade.gallery.codes import Base
from saccade.gallery.database import Database
from saccade.gallery.memory import Memory
from saccade.vectors.tuned import Wish

INDEX_FROM = 50_000  # rows; fewer are searched exactly in a millisecond or two
LOOSE_SHARE = 50  # a fiftieth of the coded rows may be loose
DEAD_SHARE = 5  # a fifth of them may be forgotten
DRIFT_ROWS = 1024


def due(memory: Memory) -> str:
    """Return why a new index is due, in words; empty when none is."""
    base, loose = memory.base, memory.loose.count
    if base is None:
        return "there is no index" if loose >= INDEX_FROM else ""
    if base.tuned.kind == "exact":
        grown = loose >= max(INDEX_FROM, 2 * base.tuned.rows)
        return "the gallery has grown since exact search was chosen" if grown else ""
    if loose >= max(INDEX_FROM // 2, len(base) // LOOSE_SHARE):
        return f"{loose:,} pictures are new since the index was made"
    if len(base) - base.alive_rows > len(base) // DEAD_SHARE:
        return "a fifth of the index was forgotten"
    return _drifted(base, memory)


def wish_of(memory: Memory | None) -> Wish:
    """Return the wish that the index was made for; the default one without an index."""
    return Wish() if memory is None or memory.base is None else memory.base.wish


class Upkeep:
    """Makes a new index in a thread of its own when one is due; one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread: threading.Thread | None = None

    def after(self, memory: Memory) -> None:
        """Begin when a new index is due and none is being made."""
        if (self._thread is None or not self._thread.is_alive()) and due(memory):
            wish = wish_of(memory)
            self._thread = threading.Thread(target=self._build, args=(wish,), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until no index is being made here."""
        if self._thread is not None:
            self._thread.join()

    def _build(self, wish: Wish) -> None:
        # Another process that makes it, or a full disk: searches go on as they are.
        with contextlib.suppress(SaccadeError, OSError):
            database = Database(self._folder)
            try:
                indexing.build(database, wish)
            finally:
                database.close()


def _drifted(base: Base, memory: Memory) -> str:
    loose = memory.loose
    if loose.count < DRIFT_ROWS or loose.count & (loose.count - 1):
        return ""
    return ""
