"""Read the bytes of ``gallery.db`` as they stand in the file, past SQLite.

POSIX drops all of a process's locks on a file as soon as the process closes *any* descriptor of it.
A plain open-read-close of ``gallery.db`` would thus take SQLite's locks away behind its back, and
another process could then cut the log under us. So there is one descriptor a file and process,
shared and counted, and closed only after the last connection of the process to that file.
"""

import os
import threading
from pathlib import Path

READ_AHEAD_BYTES = 8 << 20  # at a time
READ_AHEAD_MOST = 0.5  # of the machine's memory: what does not fit would push itself out again

_GUARD = threading.Lock()
_OPEN: dict[tuple[int, int], list[int]] = {}  # (device, inode) -> [descriptor, users]


class RawFile:
    """The bytes of a file; make it before, and close it after, a connection to the same file."""

    def __init__(self, path: Path) -> None:
        with _GUARD:
            about = path.stat()
            self._key = (about.st_dev, about.st_ino)
            if self._key not in _OPEN:
                _OPEN[self._key] = [os.open(path, os.O_RDONLY), 0]
            _OPEN[self._key][1] += 1
            self._descriptor = _OPEN[self._key][0]
        self._closed = False

    def close(self) -> None:
        """Give the descriptor back; doing it twice is harmless."""
        with _GUARD:
            if self._closed:
                return
            self._closed = True
            _OPEN[self._key][1] -= 1
            if not _OPEN[self._key][1]:
                os.close(_OPEN.pop(self._key)[0])

    def size(self) -> int:
        """Length of the file in bytes."""
        return os.fstat(self._descriptor).st_size

    def read(self, position: int, size: int) -> bytes:
        """Return up to ``size`` bytes from a position; none outside the file."""
        return os.pread(self._descriptor, size, position) if position >= 0 else b""

    def read_ahead(self) -> bool:
        """Read all of the file in order, so that it is in memory; False when it does not fit there.

        Pages in no order are read many times faster then: a disk gives them one after another.
        """
        size = self.size()
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if size > READ_AHEAD_MOST * memory:
            return False
        for position in range(0, size, READ_AHEAD_BYTES):
            self.read(position, READ_AHEAD_BYTES)
        return True
