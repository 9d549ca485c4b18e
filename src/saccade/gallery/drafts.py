"""A file or a folder that is made beside its place, and takes its name when it is whole.

While it is made it stands in a hidden folder that its process holds by a lock. What a process left
that was killed, nobody holds: it is removed when the same place is made again.
"""

import contextlib
import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from saccade.errors import GalleryError
from saccade.files import sync

ENDING = ".part"
TRIES = 8  # at a folder that another process takes for a left one, before its lock is held


@contextlib.contextmanager
def making(out: Path, what: str, *, outside: Path) -> Iterator[Path]:
    """Give a new path, to be made; at the end it becomes ``out``, and is on the disk.

    ``what`` says in errors what it is. Raises GalleryError when something stands at ``out``, it
    lies in the gallery ``outside``, or the system refuses.
    """
    refuse(outside, out)
    held = folder = None
    try:
        folder, held = _held_folder(out)
        draft = folder / out.name
        yield draft
        for path in (*(draft.rglob("*") if draft.is_dir() else ()), draft):
            sync(path)
        refuse(outside, out)
        draft.rename(out)
        sync(out.absolute().parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise GalleryError(f"{what} {out} cannot be made: {why}; choose another place") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def refuse(source: Path, out: Path) -> None:
    """Raise GalleryError when ``out`` exists, or lies in the gallery itself."""
    if out.exists() or out.is_symlink():
        raise GalleryError(f"{out} exists already; name a new place")
    if not out.absolute().parent.is_dir():
        raise GalleryError(f"folder {out.absolute().parent} does not exist; make it first")
    if out.resolve().is_relative_to(source.resolve()):
        raise GalleryError(f"{out} lies in the gallery itself; name a place outside")


def _held_folder(out: Path) -> tuple[Path, int]:
    """Make the hidden folder, and remove those for the same place that nobody holds."""
    _remove_left(out)
    for _ in range(TRIES):
        folder = out.parent / f".{out.name}.{secrets.token_hex(4)}{ENDING}"
        folder.mkdir()
        held = _taken(folder)
        if held is not None:
            return folder, held
    raise GalleryError(f"{out} is being made by others all the time; try again")


def _remove_left(out: Path) -> None:
    digits = "[0-9a-f]" * 8
    pattern = f".{glob.escape(out.name)}.{digits}{ENDING}"
    for folder in out.parent.glob(pattern):
        held = _taken(folder)
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _taken(folder: Path) -> int | None:
    """Return the handle that holds a folder; None when another process does, or removed it."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.stat().st_ino == os.fstat(held).st_ino:
            return held
    except OSError:
        pass
    os.close(held)
    return None
