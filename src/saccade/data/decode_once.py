"""Every picture of a data set decoded once: into the cache, found there again, or into memory.

The files' content decides, never their names or times: each start reads and hashes every file. The
data stay the truth; with the cache and without it the pixels are the same.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from saccade.data import cache
from saccade.data.batches import DECODE_THREADS, require_memory
from saccade.data.cache_file import SOURCE_BYTES, Shape, file_bytes, key_of
from saccade.data.pictures import REASONS, decode, read_picture, refusal, resize, to_size
from saccade.errors import InputError, PictureError
from saccade.values import Sample, UInt8Array

Put = Callable[[int, UInt8Array], None]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pixels (n, c, H, W) uint8, perhaps mapped read-only; those of broken pictures mean nothing.

    ``sources`` is (n, 32) uint8: the SHA-256 of each file, or of an array's shape and pixels.
    ``broken`` says by place why a picture cannot be read. ``note`` says why the cache was not used
    although it was wanted, else it is empty.
    """

    pixels: UInt8Array
    sources: UInt8Array
    broken: dict[int, str]
    note: str = ""


def decode_once(
    samples: Sequence[Sample], *, size_hw: tuple[int, int], channels: int, budget_bytes: int
) -> Decoded:
    """Return the pictures at one size, from the cache where it holds them.

    The cache holds ``budget_bytes`` at most in all. Pictures that do not fit it, that are arrays
    already, or that it cannot take, are decoded into memory. Raises InputError when they do not fit
    that either, or when a file changes while it is read.
    """
    shape = (len(samples), channels, *size_hw)
    if any(sample.array is not None for sample in samples):
        return _in_memory(samples, shape)
    if file_bytes(shape) > budget_bytes:
        wanted, allowed = (f"{amount / 2**30:.4g}" for amount in (file_bytes(shape), budget_bytes))
        note = f"they take {wanted} GiB, more than the {allowed} of data.cache"
        return _in_memory(
            samples, shape, note if budget_bytes else "", remedy=", or raise data.cache"
        )
    try:
        return _found(samples, shape) or _kept(samples, shape, budget_bytes)
    except cache.NoRoomError:
        return _in_memory(samples, shape, "other runs are filling the cache")
    except (OSError, ImportError) as error:  # The system may have no locks.
        why = getattr(error, "strerror", None) or str(error)
        return _in_memory(samples, shape, f"{cache.cache_folder()} cannot be written: {why}")


def _found(samples: Sequence[Sample], shape: Shape) -> Decoded | None:
    """What the cache holds of these pictures; files are hashed only if something may be there."""
    if not cache.holds_shape(shape):
        return None
    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        sources = np.stack(list(pool.map(_source, samples)))
    found = cache.find(key_of(sources, shape))
    if found is None:
        return None
    pixels, tables = found
    faults = {int(row): int(tables.faults[row]) for row in np.flatnonzero(tables.faults)}
    broken = {row: _reason(samples[row].path, fault) for row, fault in faults.items()}
    return Decoded(pixels, tables.sources, broken)


def _kept(samples: Sequence[Sample], shape: Shape, budget_bytes: int) -> Decoded:
    """Decode into the cache."""
    with cache.drafting(shape, budget_bytes=budget_bytes) as draft:
        broken = _decode_all(samples, shape, draft.tables.sources, draft.put)
        for row, reason in broken.items():
            draft.tables.faults[row] = _fault(samples[row].path, reason)
        pixels = cache.publish(draft)
    return Decoded(pixels, draft.tables.sources, broken)


def _in_memory(
    samples: Sequence[Sample], shape: Shape, note: str = "", *, remedy: str = ""
) -> Decoded:
    try:
        require_memory(shape)
    except InputError as error:
        raise InputError(f"{error}{remedy}") from error
    pixels, sources = np.empty(shape, np.uint8), np.empty((len(samples), SOURCE_BYTES), np.uint8)
    broken = _decode_all(samples, shape, sources, pixels.__setitem__)
    told = f"the pictures are decoded into memory at each start: {note}" if note else ""
    return Decoded(pixels, sources, broken, told)


def _decode_all(
    samples: Sequence[Sample], shape: Shape, sources: UInt8Array, put: Put
) -> dict[int, str]:
    """Hash and decode every picture, in one opening of each; returns why not, by place."""
    size_hw, channels = shape[2:], shape[1]

    def fill(row: int) -> str:
        source, pixels = _read(samples[row], size_hw, channels)
        sources[row] = np.frombuffer(source, np.uint8)
        if isinstance(pixels, str):
            return pixels
        put(row, pixels)
        return ""

    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        reasons = list(pool.map(fill, range(len(samples))))
    return {row: reason for row, reason in enumerate(reasons) if reason}


def _read(
    sample: Sample, size_hw: tuple[int, int], channels: int
) -> tuple[bytes, UInt8Array | str]:
    """SHA-256, and pixels (channels, H, W) or why there are none, of one and the same content."""
    if sample.array is not None:
        return _array_source(sample.array), _resized(sample, size_hw, channels)
    try:
        with sample.path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            source = hashlib.file_digest(stream, "sha256").digest()
            stream.seek(0)
            pixels = _decoded(stream, sample.path, size_hw, channels)
            after = os.fstat(stream.fileno())
    except (OSError, ValueError) as error:
        reason = refusal(sample.path, error)
        return _no_source(sample.path, reason), reason
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise InputError(f"{sample.path} changed while it was read; start again when it is at rest")
    return source, pixels


def _decoded(
    stream: BinaryIO, path: Path, size_hw: tuple[int, int], channels: int
) -> UInt8Array | str:
    try:
        return to_size(decode(stream, path), size_hw, channels)
    except PictureError as error:
        return str(error)


def _resized(sample: Sample, size_hw: tuple[int, int], channels: int) -> UInt8Array | str:
    try:
        return resize(read_picture(sample), size_hw, channels)
    except PictureError as error:
        return str(error)


def _source(sample: Sample) -> UInt8Array:
    """(32,) uint8: the SHA-256 of a file, as ``_read`` gives it."""
    try:
        with sample.path.open("rb") as stream:
            source = hashlib.file_digest(stream, "sha256").digest()
    except (OSError, ValueError) as error:
        source = _no_source(sample.path, refusal(sample.path, error))
    return np.frombuffer(source, np.uint8)


def _array_source(array: UInt8Array) -> bytes:
    head = f"{array.shape} {array.dtype}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).digest()


def _no_source(path: Path, reason: str) -> bytes:
    """What stands for the content of a file that cannot be opened: the reason's number."""
    return _fault(path, reason).to_bytes(SOURCE_BYTES)


def _fault(path: Path, reason: str) -> int:
    """The number of a reason in a cache file, which must not name another folder's path."""
    return 1 + REASONS.index(reason.removeprefix(f"{path} "))


def _reason(path: Path, fault: int) -> str:
    return f"{path} {REASONS[fault - 1]}"
