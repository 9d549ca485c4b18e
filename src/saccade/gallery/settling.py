"""Paying what is owed to the forgotten: clear what was derived, prove it, write the receipts.

Only one process or thread pays at a time (``turn``): whoever forgets knows the vectors' bytes, and
another that paid the debt meanwhile would write a receipt without a search for them.
"""

import contextlib
import fcntl
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from saccade.data.cache import drop_sources
from saccade.errors import GalleryError, SettingError
from saccade.gallery import code_wipe, compacting, debts, gone, log, proof, receipts
from saccade.gallery.code_place import hold
from saccade.gallery.database import Database
from saccade.gallery.debts import Debt
from saccade.values import IntArray

AT_IT = "another process or thread is forgetting, and proves that first"
BLOCKED = "a reader of an older snapshot keeps the old bytes in the write-ahead log"
INDEXING = "another process is making the index and may hold the rows"
NOT_CLEARED = "a cache of decoded pictures cannot be emptied; run: saccade info --clear-cache"
NO_CODES = "the file of codes cannot be changed; see who owns the folder codes"
NOT_ZERO = (
    "a zeroed place holds bytes when it is read back; look after the disk, enrol the others into "
    "a new gallery and delete this one"
)
STILL_FOUND = (
    "the search found bytes of a forgotten vector in the files; enrol the others into a new "
    "gallery and delete this one"
)


@contextlib.contextmanager
def turn(folder: Path, *, wait_s: float) -> Iterator[bool]:
    """Be the only one who pays; gives False when another is at it for longer than ``wait_s``.

    The lock is on the folder itself, and ends with the process.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield hold(handle, wait_s)
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # a child that was forked may have the handle too
        os.close(handle)


def settle(database: Database, *, wait_s: float) -> dict[int, str]:
    """Finish pending forgets; returns those that stay pending, by number, each with the reason.

    Waits up to ``wait_s`` for readers of older snapshots, and for nobody who is paying already.
    """
    owed = debts.unpaid(database)
    if not owed or database.read_only:
        return dict.fromkeys(owed, BLOCKED)
    with turn(database.folder, wait_s=0.0) as mine:
        return pay(database, wait_s=wait_s) if mine else dict.fromkeys(owed, AT_IT)


def pay(
    database: Database,
    *,
    wait_s: float,
    vectors: Mapping[int, Sequence[bytes]] | None = None,
    search_all: bool = False,
) -> dict[int, str]:
    """Do what ``settle`` does, in one's ``turn``.

    ``vectors`` are the forgotten bytes to search for, where they are still known; ``search_all``
    looks through all of the files for them, however long that takes.
    """
    owed = debts.unpaid(database)
    if not owed:
        return {}
    hindrance, codes = _cleared(database, owed, wait_s)
    if hindrance:
        return dict.fromkeys(owed, hindrance)
    places = proof.read_back(database, owed)
    searches = proof.search(database, vectors or {}, everything=search_all)
    reasons = _contradicted(database, owed, places, searches)
    for number, counts in places.items():
        counts["codes"] = _of(codes, number, owed[number])
    told = {
        number: {"read_back": places.get(number), "search": searches.get(number)} for number in owed
    }
    paid = {number: debt for number, debt in owed.items() if number not in reasons}
    try:
        receipts.write(database.folder, paid, told)
    except OSError as error:
        reasons |= dict.fromkeys(paid, f"the receipts could not be written: {error}")
    debts.strike(database, [number for number in owed if number not in reasons])
    return reasons


def _cleared(
    database: Database, owed: dict[int, Debt], wait_s: float
) -> tuple[str, code_wipe.Wiped | None]:
    """Clear the cache, the codes and the write-ahead log; returns what hinders it, if anything.

    And of whom codes were zeroed.
    """
    try:
        drop_sources(debts.prefixes(owed))
    except (OSError, SettingError) as error:
        return f"{NOT_CLEARED} ({error})", None
    identities = np.array([number for number in owed if number > 0], np.int64)
    since = functools.partial(_pictures_gone, database)
    try:
        codes = code_wipe.wipe(database.folder, identities, wait_s=wait_s, since=since)
    except OSError as error:
        return f"{NO_CODES} ({error})", None
    if codes is None:
        return INDEXING, None
    try:
        compacting.finish(database)
    except GalleryError as error:
        return f"{error}", None
    return ("" if database.truncate_log(wait_s) else BLOCKED), codes


def _pictures_gone(database: Database, generation: int) -> IntArray:
    """Return the numbers of the pictures that were moved or removed since a generation."""
    with database.reading() as connection:
        return gone.told_by(log.since(connection, generation)).pictures


def _contradicted(
    database: Database,
    owed: Mapping[int, Debt],
    places: Mapping[int, proof.Counts],
    searches: Mapping[int, proof.Counts],
) -> dict[int, str]:
    """Return the debts that may have no receipt, for their bytes are there; notes which were."""
    reasons = {}
    for number, debt in owed.items():
        back = places.get(number)
        if back and back["zero"] + back["used_again"] < back["places"]:
            reasons[number] = NOT_ZERO
        elif debt.get("found") or searches.get(number, {}).get("found"):
            reasons[number] = STILL_FOUND
            if not debt.get("found"):
                debts.note_found(database, number, debt)
    return reasons


def _of(codes: code_wipe.Wiped | None, number: int, debt: Debt) -> int:
    """Count the zeroed codes that were of a debt's identity, or of its pictures."""
    if codes is None:
        return 0
    if number > 0:
        return int(np.count_nonzero(codes.identities == number))
    return int(np.isin(codes.numbers, debt["picture_ids"]).sum())
