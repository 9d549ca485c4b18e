"""A file of arrays that are mapped, not read: versioned, bounded, checksummed.

The codes of a gallery are kept so. The first HEADER_BYTES hold, in this order: MAGIC, the header's
length and its CRC-32 (little-endian, 32 bits each), and the header, a JSON object: ``version``,
``about`` (the caller's), and ``arrays``, name to [dtype, shape, offset]. Arrays begin at multiples
of PAGE_BYTES. At the end stands the CRC-32 of every BLOCK_BYTES from HEADER_BYTES on.

Opening reads the header and checks that every array lies within the file; ``check`` reads arrays.
"""

import json
import math
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.files import sync
from saccade.values import IntArray

MAGIC = b"SACCODES"
VERSION = 1
HEADER_BYTES = 1 << 16
PAGE_BYTES = 4096
BLOCK_BYTES = 1 << 20
DTYPES = ("|u1", "<u4", "<i8", "<f4")
MOST_AXES = 4
FIELDS = struct.Struct("<8sII")

Array = np.ndarray[Any, np.dtype[Any]]
Wanted = Mapping[str, tuple[str, tuple[int, ...]]]


class CodeFileError(InputError):
    """A file of codes that is damaged, cut short or newer than this Saccade."""


class CodeFile:
    """The arrays of a file by name, mapped; ``about`` is what the writer said of them."""

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        """Map a file; raises CodeFileError, that names it, when its header is not whole."""
        self.path = path
        size = path.stat().st_size
        header = _header(path)
        self.about: dict[str, Any] = header["about"]
        self._bytes = np.memmap(path, np.uint8, "r+" if writable else "r")
        self._places = _places(path, header["arrays"])
        self._end = max([HEADER_BYTES, *(last for _, last in self._places.values())])
        blocks = _blocks(self._end)
        if size != _rounded(self._end, PAGE_BYTES) + 4 * blocks:
            raise CodeFileError(f"{path} has {size} bytes, which is not what its header says")
        self.sums = self._bytes[size - 4 * blocks :].view("<u4")
        self.arrays = {
            name: self._bytes[first:last].view(header["arrays"][name][0]).reshape(shape)
            for (name, (first, last)), shape in zip(
                self._places.items(), (a[1] for a in header["arrays"].values()), strict=True
            )
        }

    def check(self, names: Iterable[str]) -> None:
        """Read arrays and compare their checksums; raises CodeFileError on a difference."""
        for name in names:
            for block in range(*self._blocks_of(name)):
                if self._sum(block) != self.sums[block]:
                    raise CodeFileError(f"{self.path}: block {block} differs from its checksum")

    def rehash(self, name: str, rows: IntArray, row_bytes: int) -> None:
        """Bring the checksums of an array's ``rows`` up to date after they were changed."""
        begin = self._places[name][0] - HEADER_BYTES
        first, last = begin + rows * row_bytes, begin + (rows + 1) * row_bytes - 1
        touched = np.unique(np.concatenate([first // BLOCK_BYTES, last // BLOCK_BYTES]))
        for block in touched.tolist():
            self.sums[block] = self._sum(block)

    def flush(self) -> None:
        """Bring changes to the disk."""
        self._bytes.flush()

    def _blocks_of(self, name: str) -> tuple[int, int]:
        first, last = (place - HEADER_BYTES for place in self._places[name])
        return first // BLOCK_BYTES, -(-last // BLOCK_BYTES)

    def _sum(self, block: int) -> int:
        start = HEADER_BYTES + block * BLOCK_BYTES
        return zlib.crc32(self._bytes[start : min(start + BLOCK_BYTES, self._end)].data)


class CodeFileWriter:
    """A new file whose arrays are filled through ``arrays``; ``finish`` makes it whole."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        """Make the file, all zeros; ``wanted`` gives dtype and shape of each array by name.

        Raises OSError when the disk has no room for all of it.
        """
        self.path = path
        self._directory: dict[str, tuple[str, tuple[int, ...], int]] = {}
        at = self._end = HEADER_BYTES
        for name, (dtype, shape) in wanted.items():
            self._directory[name] = (dtype, shape, at)
            self._end = at + np.dtype(dtype).itemsize * math.prod(shape)
            at = _rounded(self._end, PAGE_BYTES)
        with path.open("wb") as stream:
            size = at + 4 * _blocks(self._end)
            stream.truncate(size)
            if hasattr(os, "posix_fallocate"):  # a mapped page without room ends the process
                os.posix_fallocate(stream.fileno(), 0, size)
        self._bytes = np.memmap(path, np.uint8, "r+")
        self.arrays: dict[str, Array] = {
            name: self._bytes[at : at + np.dtype(dtype).itemsize * math.prod(shape)]
            .view(dtype)
            .reshape(shape)
            for name, (dtype, shape, at) in self._directory.items()
        }

    def finish(self, about: Mapping[str, Any]) -> None:
        """Write checksums and header, and bring everything to the disk."""
        sums = np.array(
            [
                zlib.crc32(self._bytes[start : min(start + BLOCK_BYTES, self._end)].data)
                for start in range(HEADER_BYTES, self._end, BLOCK_BYTES)
            ],
            "<u4",
        )
        self._bytes[len(self._bytes) - sums.nbytes :] = sums.view(np.uint8)
        header = {"version": VERSION, "about": dict(about), "arrays": self._directory}
        text = json.dumps(header).encode()
        if len(text) > HEADER_BYTES - FIELDS.size:
            raise CodeFileError(f"{self.path}: the header is too long ({len(text)} bytes)")
        start = FIELDS.pack(MAGIC, len(text), zlib.crc32(text)) + text
        self._bytes[: len(start)] = np.frombuffer(start, np.uint8)
        self._bytes.flush()
        sync(self.path)


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if len(start) < HEADER_BYTES:
        raise CodeFileError(f"{path} is cut short")
    magic, length, crc = FIELDS.unpack_from(start)
    text = start[FIELDS.size : FIELDS.size + length]
    if magic != MAGIC or len(text) != length or zlib.crc32(text) != crc:
        raise CodeFileError(f"{path} is not a file of codes, or its header is damaged")
    try:
        header = json.loads(text)
        if header["version"] != VERSION:
            raise CodeFileError(
                f"{path} has version {header['version']}, this Saccade reads {VERSION}; install a "
                "newer Saccade"
            )
        if not isinstance(header["about"], dict) or not isinstance(header["arrays"], dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CodeFileError(f"{path}: the header cannot be understood") from error
    return dict(header)


def _places(path: Path, directory: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """First and last byte of each array; they follow one another without overlap."""
    places, reached = {}, HEADER_BYTES
    for name, entry in directory.items():
        try:
            dtype, shape, first = entry
            whole = [first, *shape]
            fits = dtype in DTYPES and len(shape) <= MOST_AXES
            fits = fits and all(type(n) is int and 0 <= n < 1 << 48 for n in whole)
        except (TypeError, ValueError):
            fits = False
        if not fits or first < reached or first % PAGE_BYTES:
            raise CodeFileError(f"{path}: array '{name}' cannot be placed")
        last = first + np.dtype(dtype).itemsize * math.prod(shape)
        if last > path.stat().st_size:
            raise CodeFileError(f"{path}: array '{name}' ends behind the file's end")
        places[name] = (first, last)
        reached = last
    return places


def _rounded(n: int, to: int) -> int:
    return -(-n // to) * to


def _blocks(end: int) -> int:
    return -(-(end - HEADER_BYTES) // BLOCK_BYTES)
