"""Pieces of forgotten vectors, all looked for in one pass over a file, as it stands on the disk.

A piece is ``stride`` + 15 bytes long, so that wherever a copy of it lies, 16 of its bytes begin at
a multiple of ``stride``. Only there the file is looked at: the 16 bytes are hashed, and what is in
a table of the hashes of all 16 bytes of all pieces is compared with the whole piece. So the time
hardly grows with the number of pieces (Karp and Rabin, Efficient randomized pattern-matching
algorithms, 1987, hash every place of the text instead).
"""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from saccade.gallery.rawfile import RawFile
from saccade.values import IntArray, UInt8Array, UInt64Array

WORD_BYTES = 8
WINDOW_BYTES = 2 * WORD_BYTES
LEAST_STRIDE, MOST_STRIDE = 16, 64
LEAST_BYTES = 32  # shorter vectors may stand somewhere by chance
PIECE_EVERY_BYTES = 1024  # of a long vector, which may be overwritten in part
PIECE_MIN_VALUES = 8  # different bytes: fewer stand anywhere by chance
MOST_PIECES = 1 << 17  # 64 hashes and places of 8 bytes each, and a table of 128 MiB
ROWS = 4096  # pieces hashed at once
TABLE_BITS = (16, 27)
BLOCK_STRIDES = 1 << 15  # read at once: 2 MiB
THREADS = 2
FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def cut(vector: bytes) -> list[bytes]:
    """Return the pieces of a vector to look for: from its beginning on, and its end."""
    if len(vector) < LEAST_BYTES:
        return []
    length = _stride(len(vector)) + WINDOW_BYTES - 1
    starts = {*range(0, len(vector) - length, PIECE_EVERY_BYTES), len(vector) - length}
    pieces = [vector[start : start + length] for start in sorted(starts)]
    return [piece for piece in pieces if len(set(piece)) >= PIECE_MIN_VALUES]


def _stride(vector_bytes: int) -> int:
    """Return the largest multiple of a word with which two pieces fit into the vector."""
    fits = (vector_bytes // 2 - WINDOW_BYTES + 1) // WORD_BYTES * WORD_BYTES
    return min(max(fits, LEAST_STRIDE), MOST_STRIDE)


class Traces:
    """Pieces of one length, as ``cut`` makes them, that are different and at least one."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        self._length = len(pieces[0])
        self._stride = self._length - WINDOW_BYTES + 1
        self._block_bytes = BLOCK_STRIDES * self._stride
        rows = np.frombuffer(b"".join(pieces), np.uint8).reshape(len(pieces), self._length)
        parts = [_hashes(rows[start : start + ROWS]) for start in range(0, len(rows), ROWS)]
        hashes = np.concatenate([hashed for hashed, _ in parts])
        firsts = range(0, len(rows) * self._stride, ROWS * self._stride)
        places = np.concatenate([at + first for (_, at), first in zip(parts, firsts, strict=True)])
        order = np.argsort(hashes)
        self._hashes, self._places = hashes[order], places[order]
        bits = min(max(len(hashes).bit_length() + 4, TABLE_BITS[0]), TABLE_BITS[1])
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, np.bool_)
        self._table[hashes >> self._shift] = True

    def search(self, file: RawFile, *, seconds: float) -> tuple[set[int], int]:
        """Return the numbers of the pieces that stand in the file, and the bytes looked through.

        Begins anywhere, and no further block after ``seconds``; blocks of 2 MiB, two at once.
        """
        until = time.monotonic() + seconds
        size, found = file.size(), set[int]()
        starts = range(0, size, self._block_bytes)
        first = secrets.randbelow(len(starts)) if starts else 0

        def look(turn: int) -> int:
            if turn and time.monotonic() > until:
                return 0
            start = starts[(first + turn) % len(starts)]
            block = file.read(start, self._block_bytes)
            found.update(self._in(block, lambda at, size: file.read(start + at, size)))
            return len(block)

        with ThreadPoolExecutor(THREADS) as pool:
            return found, sum(pool.map(look, range(len(starts))))

    def among(self, contents: Iterable[bytes]) -> set[int]:
        """Return the numbers of the pieces that stand in one of these contents."""
        found = set[int]()
        for content in contents:
            found |= self._in(content, _reader(content))
        return found

    def _in(self, block: bytes, read: Callable[[int, int], bytes]) -> set[int]:
        """Numbers of the pieces that cover a place of the block; ``read`` gives bytes around it."""
        whole = len(block) // self._stride * self._stride
        if len(block) - whole >= WINDOW_BYTES:
            whole += self._stride
        words = np.frombuffer(block.ljust(whole, b"\0")[:whole], "<u8")
        step = self._stride // WORD_BYTES
        hashes = words[::step] * FACTORS[0]
        hashes += words[1::step] * FACTORS[1]
        near = np.flatnonzero(self._table.take((hashes >> self._shift).view(np.int64)))
        firsts = np.searchsorted(self._hashes, hashes[near])
        same = self._hashes.take(firsts, mode="clip") == hashes[near]
        near, firsts = near[same], firsts[same]
        lasts = np.searchsorted(self._hashes, hashes[near], "right")
        found = set[int]()
        for at, one, last in zip(near * self._stride, firsts, lasts, strict=True):
            for place in self._places[one:last].tolist():
                number, offset = divmod(place, self._stride)
                begin = int(at) - offset
                if number not in found and read(begin, self._length) == self.pieces[number]:
                    found.add(number)
        return found


def _reader(content: bytes) -> Callable[[int, int], bytes]:
    return lambda at, size: content[max(at, 0) : at + size]


def _hashes(rows: UInt8Array) -> tuple[UInt64Array, IntArray]:
    """Hash each 16 bytes of each piece (n, length); returns hashes (w,) and their places (w,).

    A place counts all windows, one piece after another.
    """
    windows = np.ascontiguousarray(sliding_window_view(rows, WINDOW_BYTES, axis=1))
    words: UInt64Array = windows.view(np.dtype("<u8"))
    hashes: UInt64Array = words[..., 0] * FACTORS[0] + words[..., 1] * FACTORS[1]
    turned = words[..., 0] << np.uint64(16) | words[..., 0] >> np.uint64(48)
    one_value = (words[..., 0] == words[..., 1]) & (words[..., 0] == turned)  # as of zeros
    places = np.flatnonzero(~one_value)
    return hashes.reshape(-1)[places], places
