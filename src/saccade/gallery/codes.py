"""The codes of a gallery on the disk, in ``codes/scan``: found again, and zeroed by ``forget``.

They are derived from the truth and may be deleted at any time. Whoever makes or changes them holds
the lock ``codes/lock``. A search reads the truth of every row that it answers, so that codes which
are wrong or old can cost recall, but never give a wrong similarity or a row that is gone.
"""

import contextlib
import dataclasses
import sqlite3
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
from saccade.gallery.code_place import FOLDER, NAME, locked
from saccade.values import IntArray, UInt8Array, UInt32Array
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_coded import Coded, Effort
from saccade.vectors.scan_codes import LANES, Fit, lane_bits
from saccade.vectors.scan_encode import Codes, head_size
from saccade.vectors.scan_file import CodeFile
from saccade.vectors.tuned import Tuned, Wish

OPEN_WAIT_S = 0.5
FEW_IDENTITIES = 8  # as many are sought one by one, more all at once
NOBODY = np.zeros(0, np.int64)


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

    def without(self, identities: IntArray, pictures: IntArray = NOBODY) -> "Base":
        """The same, the rows of these identities and of these pictures no longer alive.

        Another process may have zeroed them already: first the numbers, the identities last. So
        whoever is not found here has no number there.
        """
        if not len(identities) and not len(pictures):
            return self
        gone = packed(positions_of(self.identities, identities), len(self))
        gone |= packed(positions_of(self.numbers, pictures), len(self))
        allowed = self.allowed & ~gone & _held(self.numbers)
        return dataclasses.replace(
            self, allowed=allowed, alive_rows=int(np.bitwise_count(allowed).sum())
        )


def packed(positions: IntArray, n: int) -> UInt8Array:
    """Return a bit for each of n positions, set at ``positions``, in whole blocks of 16."""
    marked = np.zeros(n, np.bool_)
    marked[positions] = True
    return lane_bits(marked)


def _held(numbers: IntArray) -> UInt8Array:
    """Return a bit a position: 1 where it holds a picture. Meanwhile others may zero some."""
    return lane_bits(numbers != 0)


def positions_of(all_identities: IntArray, identities: IntArray) -> IntArray:
    """Return the rising positions that hold one of the identities; so too for picture numbers."""
    wanted = np.unique(identities)
    if len(wanted) > FEW_IDENTITIES:
        return np.flatnonzero(np.isin(all_identities, wanted))
    found = [np.flatnonzero(all_identities == identity) for identity in wanted]
    return np.sort(np.concatenate([*found, np.zeros(0, np.int64)]))


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
    allowed = _held(numbers)
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
