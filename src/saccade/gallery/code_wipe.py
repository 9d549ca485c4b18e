"""Zeroing the codes of whoever is forgotten, and throwing away a file of codes that is damaged.

Rows of pictures that were moved or removed are found by their numbers, which the log tells from the
generation on at which the codes were begun. So no debt need be kept of them, and it does not matter
when they are zeroed, so long as it is before a receipt.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from saccade.gallery.code_parts import BROKEN, LARGE, MOST_NUMBER, require_shapes, whole
from saccade.gallery.code_place import FOLDER, NAME, locked
from saccade.gallery.codes import NOBODY, packed, positions_of
from saccade.values import IntArray
from saccade.vectors.scan_codes import LANES
from saccade.vectors.scan_encode import Codes
from saccade.vectors.scan_encode import wipe as wipe_codes
from saccade.vectors.scan_file import CodeFile

CHECK_WAIT_S = 10.0

Since = Callable[[int], IntArray]  # the numbers of the pictures that went since a generation


def nobody(_: int) -> IntArray:
    """No pictures went."""
    return NOBODY


def wipe(folder: Path, identities: IntArray, *, wait_s: float, since: Since = nobody) -> bool:
    """Zero all codes of these identities' rows, and of the pictures that went ``since`` then.

    False while another process makes new codes. A file that is damaged where it says what it holds
    is deleted.
    """
    if not (folder / FOLDER).exists():
        return True
    with locked(folder, wait_s=wait_s) as held:
        path = folder / FOLDER / NAME
        if held and path.exists():
            try:
                wipe_file(path, identities, since)
            except BROKEN:
                path.unlink()
        return held


def wipe_file(path: Path, identities: IntArray, since: Since = nobody) -> None:
    """Zero the codes in one file. The identities go last, so that a crash is made up for."""
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
