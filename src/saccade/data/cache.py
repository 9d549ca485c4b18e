"""The folder of decoded pictures: where it is, how it stays within its bounds, how it is emptied.

A file in it never changes: it is written beside its place, locked by its writer, and renamed. So a
part that nobody has locked is what a killed process left. What changes the folder's list (begin,
publish, remove) is done under the folder's lock, for moments only. A file that is removed stays
readable for who has it mapped. Nothing is synced: a file that a power failure spoiled does not pass
its checksums.
"""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from saccade.data.cache_file import (
    DamagedError,
    Draft,
    Shape,
    Tables,
    checked,
    file_bytes,
    holds_any,
    open_pixels,
    read_shape,
    read_tables,
)
from saccade.errors import SettingError
from saccade.values import UInt8Array

ENDING, PART_ENDING, LOCK_NAME = ".u8", ".part", "lock"
FOLDER_VARIABLE = "SACCADE_CACHE"
OWNER_ONLY, OWNER_ONLY_FOLDER = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class CacheSize:
    """How much is in the cache, or was removed from it: finished files and parts alike."""

    folder: Path
    files: int
    bytes: int


class NoRoomError(Exception):
    """A file that does not fit into the bounds."""


def cache_folder() -> Path:
    """Return where decoded pictures are kept; it need not exist.

    ``$SACCADE_CACHE``, else ``saccade`` in ``$XDG_CACHE_HOME``, else in the system's own place.
    Raises SettingError when the first is not an absolute path.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        folder = Path(named).expanduser()
        if not folder.is_absolute():  # It would be another one in every folder.
            raise SettingError(
                f"{FOLDER_VARIABLE} must be a whole path, from the root. Got '{named}' instead"
            )
        return folder
    base = os.environ.get("XDG_CACHE_HOME")
    if base and Path(base).is_absolute():  # Others are to be ignored, as that standard says.
        return Path(base) / "saccade"
    try:
        home = Path.home()
    except RuntimeError:  # An account without one: a place where nothing can be made.
        home = Path(os.devnull)
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "saccade"


def cache_size() -> CacheSize:
    """Return how much the cache holds; nothing where there is no folder, or none to read."""
    folder = cache_folder()
    with contextlib.suppress(OSError):
        return _sum(folder, _files(folder))
    return CacheSize(folder, 0, 0)


def clear_cache() -> CacheSize:
    """Remove every file of the cache, and say how much that was; other files in its folder stay.

    Runs that use one, or are writing one, go on undisturbed. Raises OSError.
    """
    folder = cache_folder()
    if not folder.is_dir():
        return CacheSize(folder, 0, 0)
    with _locked(folder):
        found = _files(folder)
        removed = _sum(folder, found)
        for file in found:
            file.unlink(missing_ok=True)
    return removed


def drop_sources(prefixes: Sequence[bytes]) -> int:
    """Remove every cache file with a picture whose SHA-256 begins with one of ``prefixes``.

    Also those that cannot be read, and all parts: nobody knows what killed processes left in
    theirs, and a living one, that goes on undisturbed, would give its file a name afterwards.
    Returns how many files were removed. Raises OSError.
    """
    if not prefixes:
        return 0
    folder = cache_folder()
    parts = _parts(folder)  # first, so that none is finished after the others were looked at
    _unlink(folder, parts)
    doomed = [file for file in _finished(folder) if _may_hold(file, prefixes)]
    _unlink(folder, doomed)
    return len(parts) + len(doomed)


def _unlink(folder: Path, files: Sequence[Path]) -> None:
    if files:  # else there may be no folder
        with _locked(folder):
            for file in files:
                file.unlink(missing_ok=True)


def holds_shape(shape: Shape) -> bool:
    """True when some file of the cache has this shape, (n, c, H, W), so that it may be the one."""
    for file in _finished(cache_folder()):
        with contextlib.suppress(DamagedError, OSError):
            if read_shape(file) == shape:
                return True
    return False


def find(key: str) -> tuple[UInt8Array, Tables] | None:
    """Return pixels (n, c, H, W), mapped read-only, and tables of the file ``key``, if it is there.

    A damaged file is removed. One that is used counts as the newest.
    """
    file = cache_folder() / f"{key}{ENDING}"
    try:
        found = checked(file)
    except FileNotFoundError:
        return None
    except DamagedError:
        with _locked(file.parent):
            file.unlink(missing_ok=True)
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return found


@contextlib.contextmanager
def drafting(shape: Shape, *, budget_bytes: int) -> Iterator[Draft]:
    """Give a draft whose room on the disk is reserved; afterwards ``publish`` it, or it is removed.

    The least recently used files are removed until all of them and this one fit the budget. Raises
    NoRoomError when that cannot be, OSError when the folder or the disk refuses.
    """
    folder = cache_folder()
    folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
    part = folder / f".{secrets.token_hex(8)}{PART_ENDING}"
    handle = None
    try:
        with _locked(folder):
            _sweep(folder)
            _make_room(folder, budget_bytes - file_bytes(shape))
            handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
            _lock(handle)
            _reserve(handle, file_bytes(shape))
        yield Draft(handle, shape, part)
    finally:
        if handle is not None:
            part.unlink(missing_ok=True)
            os.close(handle)


def publish(draft: Draft) -> UInt8Array:
    """Finish a draft and give it its name; returns its pixels (n, c, H, W), mapped read-only.

    When the cache was cleared meanwhile, the file gets no name, and is gone with the map.
    """
    key = draft.finish()
    folder = draft.path.parent
    with contextlib.suppress(FileNotFoundError), _locked(folder):
        draft.path.replace(folder / f"{key}{ENDING}")
    return open_pixels(draft.handle, draft.shape)


def _may_hold(file: Path, prefixes: Sequence[bytes]) -> bool:
    try:
        return holds_any(read_tables(file), prefixes)
    except FileNotFoundError:
        return False
    except DamagedError:
        return True


def _make_room(folder: Path, budget_bytes: int) -> None:
    """Remove finished files, least recently used first, until the others fit ``budget_bytes``."""
    rest = _sum(folder, _files(folder)).bytes
    aged = sorted((file.stat().st_mtime_ns, file) for file in _finished(folder))
    kept = rest - sum(file.stat().st_size for _, file in aged)
    if kept > budget_bytes:
        raise NoRoomError
    for _, file in aged:
        if rest <= budget_bytes:
            return
        rest -= file.stat().st_size
        file.unlink()


def _sweep(folder: Path) -> int:
    """Remove the parts that no living process has locked; returns how many."""
    removed = 0
    for part in _parts(folder):
        handle = os.open(part, os.O_RDWR)
        try:
            _lock(handle, wait=False)
            part.unlink()
            removed += 1
        except BlockingIOError:
            pass
        finally:
            os.close(handle)
    return removed


def _files(folder: Path) -> list[Path]:
    return [*_finished(folder), *_parts(folder)]


def _parts(folder: Path) -> list[Path]:
    return [*folder.glob(f".*{PART_ENDING}")]


def _finished(folder: Path) -> list[Path]:
    return [file for file in folder.glob(f"*{ENDING}") if len(file.stem) == 64]


def _sum(folder: Path, files: Sequence[Path]) -> CacheSize:
    sizes = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # Another process may have removed it.
            sizes.append(file.stat().st_size)
    return CacheSize(folder, len(sizes), sum(sizes))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, *, wait: bool = True) -> None:
    """Lock a file for this process, until it is closed. Raises BlockingIOError without ``wait``."""
    import fcntl  # Not on every system; without it nothing is kept.

    fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _reserve(handle: int, size: int) -> None:
    """Take ``size`` bytes of the disk at once, so that a full one is noticed before decoding."""
    if hasattr(os, "posix_fallocate"):  # Not on macOS.
        os.posix_fallocate(handle, 0, size)
    else:
        os.ftruncate(handle, size)
