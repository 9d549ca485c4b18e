"""Zeroing the codes of whoever is forgotten, and throwing away a file of codes that is damaged.

Rows of pictures that were moved or removed are found by their numbers, which the log tells from the
generation on at which the codes were begun. So no debt need be kept of them, and it does not matter
when they are zeroed, so long as it is before a receipt.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from saccade.gallery.code_parts import BROKEN, LARGE, MOST_NUMBER, require_shapes, whole
from saccade.gallery.code_place import FOLDER, NAME, locked
from saccade.gallery.codes import NOBODY, packed, positions_of
from saccade.values import IntArray
from saccade.vectors.scan_codes import LANES
from saccade.vectors.scan_encode import GROUP_BYTES, Codes
from saccade.vectors.scan_encode import wipe as wipe_codes
from saccade.vectors.scan_file import CodeFile

CHECK_WAIT_S = 10.0


class Wiped(NamedTuple):
    """Of whom codes were zeroed, and read back as zeros: an entry a row in both, (w,)."""

    numbers: IntArray  # of the pictures
    identities: IntArray


Since = Callable[[int], IntArray]  # the numbers of the pictures that went since a generation


def nobody(_: int) -> IntArray:
    """No pictures went."""
    return NOBODY


def wipe(
    folder: Path, identities: IntArray, *, wait_s: float, since: Since = nobody
) -> Wiped | None:
    """Zero all codes of these identities' rows, and of the pictures that went ``since`` then.

    None while another process makes new codes. A file that is damaged where it says what it holds,
    or that does not take the zeros, is deleted. Raises OSError.
    """
    wiped = Wiped(NOBODY, NOBODY)
    if not (folder / FOLDER).exists():
        return wiped
    with locked(folder, wait_s=wait_s) as held:
        path = folder / FOLDER / NAME
        if held and path.exists():
            try:
                positions, wiped = wipe_file(path, identities, since)
                _require_zero(path, positions)
            except BROKEN:
                path.unlink()
                wiped = Wiped(NOBODY, NOBODY)
        return wiped if held else None


def wipe_file(path: Path, identities: IntArray, since: Since = nobody) -> tuple[IntArray, Wiped]:
    """Zero the codes in one file; returns the positions (w,), and who stood there.

    The identities go last, so that a crash is made up for.
    """
    file = CodeFile(path, writable=True)
    require_shapes(file)
    pictures = since(whole(file.about["generation"], 0, MOST_NUMBER))
    file.check(["identities", "numbers"] if len(pictures) else ["identities"])
    arrays = file.arrays
    positions = positions_of(arrays["identities"], identities)
    if len(pictures):
        begun = np.flatnonzero((arrays["numbers"] == 0) & (arrays["identities"] != 0))
        theirs = positions_of(arrays["numbers"], pictures)
        positions = np.unique(np.concatenate([positions, theirs, begun]))
    wiped = Wiped(arrays["numbers"][positions], arrays["identities"][positions])
    if not len(positions):
        return positions, wiped
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
    return positions, wiped


def _require_zero(path: Path, positions: IntArray) -> None:
    """Raise ValueError unless the file, opened anew, holds nothing at these positions."""
    arrays = CodeFile(path).arrays
    n = len(arrays["full"])
    blocks, lanes = positions // LANES, positions % LANES
    held = arrays["head"].reshape(-(-n // LANES), -1, LANES, GROUP_BYTES // LANES)[blocks, :, lanes]
    parts = [held, *(arrays[name][positions] for name in ("full", "numbers", "identities"))]
    parts.append(arrays["escaped"] & packed(positions, n))
    if any(part.any() for part in parts):
        raise ValueError("the file does not take zeros")


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
