"""Search the bytes of ``gallery.db`` as they stand in the file, past SQLite.

POSIX drops all of a process's locks on a file as soon as the process closes *any* descriptor of it.
A plain open-read-close of ``gallery.db`` would thus take SQLite's locks away behind its back, and
another process could then cut the log under us. So there is one descriptor a file and process,
shared and counted, and closed only after the last connection of the process to that file.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

BLOCK_BYTES = 4 << 20

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

    def search(self, needles: Sequence[bytes], block_bytes: int = BLOCK_BYTES) -> list[bytes]:
        """Return those needles that stand somewhere in the file.

        Reads blocks that overlap by the longest needle, so that memory stays bounded and a needle
        across a border is seen.
        """
        missing = set(needles)
        found: list[bytes] = []
        overlap = max(map(len, missing), default=1) - 1
        position, tail = 0, b""
        while missing and (block := os.pread(self._descriptor, block_bytes, position)):
            window = tail + block
            here = [needle for needle in missing if needle in window]
            found += here
            missing.difference_update(here)
            position += len(block)
            tail = window[-overlap:] if overlap else b""
        return found
