"""One file of the cache: the pictures of one data set, decoded, at one size.

Laid out as: pixels (n, c, H, W) uint8; the SHA-256 of each source file (n, 32); the CRC-32 of each
picture's pixels (n,); what is wrong with it (n,) uint8, 0 when it could be read; then TAIL, with
the CRC-32 of all that is not pixels. Numbers are little-endian. The file's name is the SHA-256 of
what decides the pixels, so a file answers for its content and not for where it was read.
"""

import hashlib
import math
import mmap
import os
import struct
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from PIL import __version__ as pillow_version
from PIL import features

from saccade.values import IntArray, UInt8Array

FORMAT = 1
DECODING = 1  # Count up when a picture file would be decoded to other pixels than before.
MAGIC = b"saccade\x01"
TAIL = struct.Struct("<8sQIIII")  # magic; n, c, H, W; CRC-32 of tables and shape
SOURCE_BYTES = 32
ROW_BYTES = SOURCE_BYTES + 4 + 1  # of the tables
CHECK_THREADS, CHECK_ROWS = 4, 256

Shape = tuple[int, int, int, int]


class DamagedError(Exception):
    """A cache file that is not what was written."""


@dataclass(slots=True)
class Tables:
    """What a cache file says of each picture: source, checksum of the pixels, what is wrong."""

    sources: UInt8Array
    checksums: IntArray
    faults: UInt8Array

    @classmethod
    def empty(cls, count: int) -> Self:
        """Tables of ``count`` rows, to be filled."""
        return cls(
            np.zeros((count, SOURCE_BYTES), np.uint8),
            np.zeros(count, np.int64),
            np.zeros(count, np.uint8),
        )

    def to_bytes(self) -> bytes:
        """The three tables as they stand in the file."""
        checksums = self.checksums.astype("<u4")
        return self.sources.tobytes() + checksums.tobytes() + self.faults.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes, count: int) -> Self:
        """Read back what ``to_bytes`` gave."""
        checksums = np.frombuffer(content, "<u4", count, count * SOURCE_BYTES)
        return cls(
            np.frombuffer(content, np.uint8, count * SOURCE_BYTES).reshape(count, SOURCE_BYTES),
            checksums.astype(np.int64),
            np.frombuffer(content, np.uint8, count, count * (SOURCE_BYTES + 4)),
        )


@dataclass(slots=True)
class Draft:
    """A cache file being written, a picture at a time, by any number of threads."""

    handle: int
    shape: Shape
    path: Path
    tables: Tables = field(init=False)

    def __post_init__(self) -> None:
        self.tables = Tables.empty(self.shape[0])

    def put(self, row: int, pixels: UInt8Array) -> None:
        """Write one picture, (c, H, W) uint8. Raises OSError on a full disk."""
        content = pixels.tobytes()
        self.tables.checksums[row] = zlib.crc32(content)
        _write(self.handle, content, row * len(content))

    def finish(self) -> str:
        """Write what is not pixels; returns the key under which the file is found."""
        tables = self.tables.to_bytes()
        tail = TAIL.pack(MAGIC, *self.shape, _checksum(tables, self.shape))
        _write(self.handle, tables + tail, pixel_bytes(self.shape))
        return key_of(self.tables.sources, self.shape)


def pixel_bytes(shape: Shape) -> int:
    """Return how many bytes the pixels take."""
    return math.prod(shape)


def file_bytes(shape: Shape) -> int:
    """Return how many bytes the whole file takes."""
    return pixel_bytes(shape) + shape[0] * ROW_BYTES + TAIL.size


def key_of(sources: UInt8Array, shape: Shape) -> str:
    """Return the file's name, SHA-256 in hexadecimal, from sources (n, 32) in their order.

    It covers the format, how pictures are decoded, and the versions of the decoders.
    """
    decoders = [features.version(name) for name in ("jpg", "libjpeg_turbo", "webp")]
    what = (FORMAT, DECODING, pillow_version, decoders, shape)
    return hashlib.sha256(repr(what).encode() + sources.tobytes()).hexdigest()


def read_shape(path: Path) -> Shape:
    """Return the shape of the pixels in a file, from its tail alone. Raises DamagedError."""
    with path.open("rb") as stream:
        return _tail(stream.fileno())[0]


def read_tables(path: Path) -> Tables:
    """Return the tables of a file, without its pixels. Raises DamagedError."""
    with path.open("rb") as stream:
        return _read_tables(stream.fileno())[1]


def open_pixels(handle: int, shape: Shape) -> UInt8Array:
    """Return the pixels, (n, c, H, W) uint8, mapped read-only.

    The map lasts when the file is closed or removed. A map that may be written would count as
    memory, of which a large data set needs more than there is.
    """
    mapped = mmap.mmap(handle, pixel_bytes(shape), prot=mmap.PROT_READ)
    return np.frombuffer(mapped, np.uint8).reshape(shape)


def checked(path: Path) -> tuple[UInt8Array, Tables]:
    """Return the pixels, mapped read-only, and the tables of a file.

    Every byte is read once and compared with its checksum. Raises DamagedError.
    """
    with path.open("rb") as stream:
        shape, tables = _read_tables(stream.fileno())
        if key_of(tables.sources, shape) != path.stem:
            raise DamagedError("its name is not that of its content")
        pixels = open_pixels(stream.fileno(), shape)

    def right(start: int) -> bool:
        return all(
            tables.faults[row] or zlib.crc32(pixels[row].data) == tables.checksums[row]
            for row in range(start, min(start + CHECK_ROWS, shape[0]))
        )

    with ThreadPoolExecutor(CHECK_THREADS) as pool:
        if not all(pool.map(right, range(0, shape[0], CHECK_ROWS))):
            raise DamagedError("its pixels are not those that were written")
    return pixels, tables


def holds_any(tables: Tables, prefixes: Iterable[bytes]) -> bool:
    """True when a source's SHA-256 begins with one of ``prefixes``."""
    wanted = set(prefixes)
    content = tables.sources.tobytes()
    return any(
        content[start : start + length] in wanted
        for length in {len(prefix) for prefix in wanted}
        for start in range(0, len(content), SOURCE_BYTES)
    )


def _tail(handle: int) -> tuple[Shape, int]:
    """The shape and the checksum of the tables."""
    size = os.fstat(handle).st_size
    content = os.pread(handle, TAIL.size, max(0, size - TAIL.size))
    if len(content) < TAIL.size:
        raise DamagedError("it is cut short")
    magic, count, channels, height, width, checksum = TAIL.unpack(content)
    shape = (count, channels, height, width)
    if magic != MAGIC or min(shape) < 1 or file_bytes(shape) != size:
        raise DamagedError("it is cut short, or of another kind")
    return shape, checksum


def _read_tables(handle: int) -> tuple[Shape, Tables]:
    shape, checksum = _tail(handle)
    content = os.pread(handle, shape[0] * ROW_BYTES, pixel_bytes(shape))
    if _checksum(content, shape) != checksum:
        raise DamagedError("its tables are not those that were written")
    return shape, Tables.from_bytes(content, shape[0])


def _checksum(tables: bytes, shape: Shape) -> int:
    return zlib.crc32(repr(shape).encode(), zlib.crc32(tables))


def _write(handle: int, content: bytes, offset: int) -> None:
    """Write all of it; the system may take less at a time."""
    rest = memoryview(content)
    while rest:
        done = os.pwrite(handle, rest, offset)
        rest, offset = rest[done:], offset + done
