"""The codes of a gallery on the disk, in ``codes/scan``: found again, and zeroed by ``forget``.

They are derived from the truth and may be deleted at any time. Whoever makes or changes them holds
the lock ``codes/lock``. A search reads the truth of every row that it answers, so that codes which
are wrong or old can cost recall, but never give a wrong similarity or a row that is gone.
"""

import contextlib
import dataclasses
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saccade.gallery import log
from saccade.gallery.code_parts import (
    BROKEN,
    LARGE,
    MOST_NUMBER,
    effort,
    require_shapes,
    whole,
    wish,
)
from saccade.values import IntArray, UInt8Array, UInt32Array
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_coded import Coded, Effort
from saccade.vectors.scan_codes import LANES, Fit, lane_bits
from saccade.vectors.scan_encode import Codes, head_size
from saccade.vectors.scan_encode import wipe as wipe_codes
from saccade.vectors.scan_file import CodeFile
from saccade.vectors.tuned import Tuned, Wish

FOLDER, NAME, LOCK, PARTS = "codes", "scan", "lock", "*.part"
LOCK_POLL_S = 0.02
CHECK_WAIT_S, OPEN_WAIT_S = 10.0, 0.5

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Base:
    """The rows of a gallery that are in its codes.

    ``numbers`` and ``identities`` (n,) tell of each position whose picture it holds; 0 where it was
    forgotten, or fills up a cell. ``allowed`` has a bit a position: 1 where the row is alive;
    ``alive_rows`` counts them. ``generation`` is that of the gallery when the codes were begun,
    ``last`` the highest picture number in them.
    """

    coded: Coded
    effort: Effort
    numbers: IntArray
    identities: IntArray
    allowed: UInt8Array
    alive_rows: int
    generation: int
    last: int
    tuned: Tuned
    wish: Wish

    def __len__(self) -> int:
        return len(self.numbers)

    def without(self, identities: IntArray) -> "Base":
        """The same, the rows of these identities no longer alive.

        Another process may have zeroed them already: first the numbers, the identities last. So
        whoever is not found here by identity has no number there.
        """
        if not len(identities):
            return self
        gone = packed(positions_of(self.identities, identities), len(self))
        allowed = self.allowed & ~gone & packed(np.flatnonzero(self.numbers), len(self))
        return dataclasses.replace(
            self, allowed=allowed, alive_rows=int(np.bitwise_count(allowed).sum())
        )


def packed(positions: IntArray, n: int) -> UInt8Array:
    """Return a bit for each of n positions, set at ``positions``, in whole blocks of 16."""
    marked = np.zeros(n, np.bool_)
    marked[positions] = True
    return lane_bits(marked)


def positions_of(all_identities: IntArray, identities: IntArray) -> IntArray:
    """Return the rising positions that hold one of a few identities."""
    found = [np.flatnonzero(all_identities == identity) for identity in np.unique(identities)]
    return np.sort(np.concatenate([*found, np.zeros(0, np.int64)]))


def stamp(folder: Path) -> Stamp:
    """Return what changes when the file of codes is replaced; None when there is none."""
    try:
        found = (folder / FOLDER / NAME).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size)


def open_base(folder: Path, connection: sqlite3.Connection, *, dimension: int) -> Base | None:
    """Map the codes; None when there are none, or they are damaged or not this gallery's."""
    path = folder / FOLDER / NAME
    if not path.exists():
        return None
    found = _read(path)
    if found is None:  # Perhaps someone is being forgotten in it: once more when that is over.
        with contextlib.suppress(OSError), locked(folder, wait_s=OPEN_WAIT_S) as held:
            found = _read(path) if held else None
    if found is None:
        return None
    base, digest = found
    known = log.digest(connection, base.generation)
    fits = known and known == digest and len(base.coded.fitted.mean) == dimension
    return base if fits else None


def _read(path: Path) -> tuple[Base, object] | None:
    """The codes, and the log's hash that they name; None when they cannot be used."""
    try:
        file = CodeFile(path)
        file.check(name for name in file.arrays if name not in LARGE)
        return read_base(file), file.about.get("log")
    except BROKEN:
        return None


def read_base(file: CodeFile) -> Base:
    """Return what the file holds; raises one of BROKEN when parts differ or are out of range."""
    about, arrays = file.about, file.arrays
    require_shapes(file)
    numbers, identities = arrays["numbers"], arrays["identities"]
    n = len(numbers)
    fitted = Fit(
        mean=arrays["mean"],
        rotation=arrays["rotation"],
        deviation=arrays["deviation"],
        bits=whole(about["bits"], 1, 4),
        head_step=arrays["head_step"],
        full_step=arrays["full_step"],
    )
    codes = Codes(arrays["head"], arrays["full"], _escaped(arrays["escaped"], n))
    if len(codes.head) != head_size(fitted, n):
        raise ValueError("the head has the wrong length")
    allowed = packed(np.flatnonzero(numbers), n)
    return Base(
        coded=Coded(fitted, codes, _cells(file, n)),
        effort=effort(**about["effort"]),
        numbers=numbers,
        identities=identities,
        allowed=allowed,
        alive_rows=int(np.bitwise_count(allowed).sum()),
        generation=whole(about["generation"], 0, MOST_NUMBER),
        last=whole(about["last"], int(numbers.max(initial=0)), MOST_NUMBER),
        tuned=Tuned.from_dict(about["tuned"]),
        wish=wish(**about["wish"]),
    )


def _escaped(bits: UInt8Array, n: int) -> UInt32Array:
    return np.flatnonzero(np.unpackbits(bits, count=n, bitorder="little")).astype(np.uint32)


def _cells(file: CodeFile, n: int) -> Cells | None:
    centres, radii, starts = (file.arrays[name] for name in ("centres", "radii", "starts"))
    if not len(centres):
        return None
    fits = centres.shape[1:] == file.arrays["mean"].shape and radii.shape == (len(centres),)
    if not fits or starts.shape != (len(centres) + 1,):
        raise ValueError("the cells differ in number")
    if starts[0] != 0 or starts[-1] != n or (np.diff(starts) < 0).any() or (starts % LANES).any():
        raise ValueError("the cells do not follow one another")
    return Cells(centres, radii, starts, np.zeros(0, np.int64))


def check(folder: Path) -> None:
    """Compare the codes with their checksums, and delete a file that differs."""
    path = folder / FOLDER / NAME
    try:
        CodeFile(path).check(LARGE)
    except OSError:
        return
    except BROKEN:
        with locked(folder, wait_s=CHECK_WAIT_S) as held:  # It may have been changed meanwhile.
            if held and path.exists() and not _is_whole(path):
                path.unlink()


def _is_whole(path: Path) -> bool:
    try:
        file = CodeFile(path)
        require_shapes(file)
        file.check(file.arrays)
    except BROKEN:
        return False
    return True


@contextlib.contextmanager
def locked(folder: Path, *, wait_s: float) -> Iterator[bool]:
    """Hold the lock on the codes; gives False when another has it for longer than ``wait_s``.

    Parts that a killed process left are removed.
    """
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        held = _hold(handle, wait_s)
        if held:
            for part in place.glob(PARTS):
                part.unlink(missing_ok=True)
        yield held
    finally:
        os.close(handle)


def _hold(handle: int, wait_s: float) -> bool:
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


def wipe(folder: Path, identities: IntArray, *, wait_s: float) -> bool:
    """Zero all codes of these identities' rows; False while another process makes new codes.

    A file that is damaged where it says what it holds is deleted.
    """
    if not (folder / FOLDER).exists():
        return True
    with locked(folder, wait_s=wait_s) as held:
        path = folder / FOLDER / NAME
        if held and path.exists():
            try:
                wipe_file(path, identities)
            except BROKEN:
                path.unlink()
        return held


def wipe_file(path: Path, identities: IntArray) -> None:
    """Zero the codes in one file. The identities go last, so that a crash is made up for."""
    file = CodeFile(path, writable=True)
    require_shapes(file)
    file.check(["identities"])
    arrays = file.arrays
    positions = positions_of(arrays["identities"], identities)
    if not len(positions):
        return
    n, d = arrays["full"].shape
    encoded = Codes(arrays["head"], arrays["full"], np.zeros(0, np.uint32))
    wipe_codes(encoded, positions)
    arrays["numbers"][positions] = 0
    arrays["escaped"][:] &= ~packed(positions, n)
    file.flush()
    blocks = positions // LANES
    file.rehash("head", blocks, len(encoded.head) // -(-n // LANES))
    file.rehash("full", positions, d)
    file.rehash("numbers", positions, 8)
    file.rehash("escaped", positions // 8, 1)
    file.flush()
    arrays["identities"][positions] = 0
    file.rehash("identities", positions, 8)
    file.flush()
