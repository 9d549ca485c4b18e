"""Where the codes of a gallery lie, and who may change them."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER, NAME, LOCK, PARTS = "codes", "scan", "lock", "*.part"
LOCK_POLL_S = 0.02

Stamp = tuple[int, int, int] | None


def stamp(folder: Path) -> Stamp:
    """Return what changes when the file of codes is replaced; None when there is none."""
    try:
        found = (folder / FOLDER / NAME).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size)


@contextlib.contextmanager
def locked(folder: Path, *, wait_s: float) -> Iterator[bool]:
    """Hold the lock on the codes; gives False when another has it for longer than ``wait_s``.

    Parts that a killed process left are removed.
    """
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        held = hold(handle, wait_s)
        if held:
            for part in place.glob(PARTS):
                part.unlink(missing_ok=True)
        yield held
    finally:
        os.close(handle)


def hold(handle: int, wait_s: float) -> bool:
    """Lock an open file or folder for this process; False when another has it for ``wait_s``."""
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(LOCK_POLL_S)
        else:
            return True
