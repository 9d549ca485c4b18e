"""A receipt compared with the gallery that wrote it.

A receipt is true when the audit log is whole and has the entry that the receipt names by its
generation and hash, when the gallery's own copy of it says the same, and when nothing of it is in
the gallery: neither the identity nor a picture by its number, nor a content that was enrolled since
and begins with the same 32 bits of SHA-256. A content that was enrolled before is another one, for
each stands in a gallery once.

Of a receipt of single pictures the log has an entry for each run of their numbers; the receipt
names the last.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.gallery import centring, log
from saccade.gallery.debts import PREFIXES
from saccade.gallery.gone import FORGET, REMOVE, runs
from saccade.gallery.receipts import path_of, read
from saccade.gallery.schema import SOURCE_TABLES
from saccade.gallery.upgrade import SOURCES_SINCE


def problems(connection: sqlite3.Connection, folder: Path, receipt: Mapping[str, Any]) -> list[str]:
    """Return what contradicts the receipt, in sentences; works inside a transaction."""
    return [
        *log.problems(connection),
        *_log_problems(connection, receipt),
        *_own_problems(folder, receipt),
        *_still_there(connection, receipt),
        *centring.count_problems(connection),
    ]


def _debt(receipt: Mapping[str, Any]) -> int:
    """The number that the debt had."""
    alone = receipt.get("pictures_only", False)
    return -int(receipt["picture_ids"][0]) if alone else int(receipt["identity"])


def _own_problems(folder: Path, receipt: Mapping[str, Any]) -> Iterator[str]:
    """Compare with what the gallery kept, where that was not deleted: the log has counts only."""
    path = path_of(folder, _debt(receipt), receipt)
    if path.exists():
        try:
            own = read(path)
        except InputError as error:
            yield f"the gallery's own copy cannot be read: {error}"
        else:
            if own != receipt:
                yield f"the gallery's own copy, {path.name}, says something else"


def _log_problems(connection: sqlite3.Connection, receipt: Mapping[str, Any]) -> Iterator[str]:
    generation = receipt["generation"]
    expected = _entries(receipt)
    entries = log.since(connection, generation - len(expected))[: len(expected)]
    if not entries or entries[-1].number != generation:
        yield f"the log has no entry {generation}: the receipt is of another gallery, or of a later"
        return
    for entry, wanted in zip(entries, expected, strict=False):
        if entry != wanted:
            yield f"log entry {entry.number} says something else than the receipt"
    if log.digest(connection, generation) != receipt["log_sha256"]:
        yield f"log entry {generation} has another hash than the receipt"


def _entries(receipt: Mapping[str, Any]) -> list[log.Entry]:
    """Return what the log must have of the forget, in order."""
    generation, at, whose = (receipt[key] for key in ("generation", "forgotten_at", "identity"))
    if not receipt.get("pictures_only"):
        return [log.Entry(generation, at, FORGET, whose, None, None, receipt["pictures"])]
    each = runs(receipt["picture_ids"])
    return [
        log.Entry(number, at, REMOVE, whose, first, last, last - first + 1)
        for number, (first, last) in enumerate(each, generation - len(each) + 1)
    ]


def _still_there(connection: sqlite3.Connection, receipt: Mapping[str, Any]) -> Iterator[str]:
    whose, pictures = receipt["identity"], receipt["picture_ids"]
    alone = receipt.get("pictures_only", False)
    here = connection.execute("SELECT 1 FROM identities WHERE number = ?", (whose,)).fetchone()
    if here and not alone:
        yield f"identity {whose} is in the gallery"
    owed = "SELECT 1 FROM pending_forgets WHERE identity = ?"
    if connection.execute(owed, (_debt(receipt),)).fetchone():
        yield f"{'a picture of ' if alone else ''}identity {whose} is not forgotten to the end"
    numbers = connection.execute(
        "SELECT p.number FROM json_each(?) j JOIN pictures p ON p.number = j.value",
        (json.dumps(pictures),),
    )
    for (number,) in numbers:
        yield f"picture {number} is in the gallery"
    last = _last_before(connection, receipt["generation"])
    if pictures and pictures[-1] > last:
        yield f"picture {pictures[-1]} was not enrolled before it was forgotten"
    keys = json.dumps([int(prefix, 16) for prefix in receipt[PREFIXES]])
    for number, key in _enrolled_since(connection, keys, last):
        yield (
            f"picture {number}, enrolled since, has a content that begins with {key:08x} as one of "
            "the receipt: it was enrolled again, or is another by chance"
        )
    rejected = connection.execute(
        "SELECT r.number FROM json_each(?) j JOIN rejections r ON r.source_key = j.value "
        "WHERE r.at >= ?",
        (keys, receipt["forgotten_at"]),
    )
    for (number,) in rejected:
        yield f"rejection {number}, made since, has a content that begins as one of the receipt"


def _last_before(connection: sqlite3.Connection, generation: int) -> int:
    """Return the highest picture number that was given before a generation."""
    (last,) = connection.execute(
        "SELECT coalesce(max(last_picture), 0) FROM log WHERE number < ?", (generation,)
    ).fetchone()
    return int(last)


def _enrolled_since(
    connection: sqlite3.Connection, keys: str, last: int
) -> Iterator[tuple[int, int]]:
    """Yield (number, key) of pictures after the number ``last`` that have one of the keys."""
    keyed: tuple[str, ...] = SOURCE_TABLES
    if connection.execute("PRAGMA user_version").fetchone()[0] < SOURCES_SINCE:
        keyed = ("(SELECT source_key, number AS picture FROM pictures)",)
    for table in keyed:
        yield from connection.execute(
            f"SELECT s.picture, s.source_key FROM json_each(?) j "
            f"JOIN {table} s ON s.source_key = j.value WHERE s.picture > ?",
            (keys, last),
        )
