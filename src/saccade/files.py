"""Files: atomic writes, hashes, and the one safe path join."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from saccade.errors import InputError

HASH_BLOCK_BYTES = 1 << 20
ABANDONED_S = 3600
SYNCED_AT_ONCE = 16


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write the whole of ``content`` to ``path`` or leave what was there untouched.

    Text is UTF-8; what of a file's name is not, is written as an escape.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it is synced and takes that name."""
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        temporary.replace(path)
    except OSError as error:
        # A write to a full disk names no file, others name the temporary one.
        error.filename = str(path)
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    sync(path.parent)


def bytes_below(folder: Path) -> int:
    """Return the bytes of all files in a folder, at any depth.

    What others add or remove meanwhile counts or does not, and is no error.
    """
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(root, name).stat().st_size
    return total


def write_together(folder: Path, contents: Mapping[str, str]) -> None:
    """Write many files into a folder, by name, each whole or not at all; all are synced at the end.

    Faster than one by one: the disk is asked for several at once, and once for the folder. What a
    process that died left of its writing is swept away when it is an hour old.
    """
    for left in folder.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):  # Another writer's, which is done by now.
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=".part") as temporary:
        parts = [Path(temporary) / name for name in contents]
        for part, content in zip(parts, contents.values(), strict=True):
            part.write_text(content, encoding="utf-8")
        with ThreadPoolExecutor(SYNCED_AT_ONCE) as pool:
            for _ in pool.map(sync, parts):
                pass
        for part in parts:
            part.replace(folder / part.name)
    sync(folder)


def sync(path: Path) -> None:
    """Ask the system to bring a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def safe_join(root: Path, name: str) -> Path:
    """Return ``root / name``; a name that would leave ``root`` is refused."""
    base = root.resolve()
    try:
        joined = (base / name).resolve()
    except (ValueError, RuntimeError):  # A NUL in the name; links that go in a circle.
        joined = None
    if joined is None or not joined.is_relative_to(base):
        raise InputError(f"{name!r} leaves the folder {root}; use a name inside it")
    return joined


def existing_folder(path: Path | str, what: str) -> Path:
    """Return ``path`` as a Path; ``what`` says in the error which folder was meant."""
    folder = Path(path)
    if not folder.exists():
        raise InputError(f"{what} {folder} does not exist; check the path")
    if not folder.is_dir():
        raise InputError(f"{what} {folder} is a file; a folder is needed")
    return folder


def _umask() -> int:
    """The permissions that new files do not get; asking for them needs setting them twice."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
