"""Receipts of forgetting, compared with the gallery that wrote them.

A receipt is true when the audit log is whole and has the entry that the receipt names by its
generation and hash, and when nothing of the receipt is in the gallery: neither the identity nor a
picture by its number, nor a content that was enrolled since and begins with the same 32 bits of
SHA-256. A content that was enrolled before is another one, for each stands in a gallery once.

A receipt of single pictures ("pictures_only") leaves their identity where it is. The log has an
entry for each run of their numbers; the receipt names the last.
"""

import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.gallery import centring, log
from saccade.gallery.forget import PREFIX_DIGITS, PREFIXES
from saccade.gallery.gone import FORGET, REMOVE, runs
from saccade.gallery.schema import SOURCE_TABLES
from saccade.gallery.upgrade import SOURCES_SINCE

MOST_BYTES = 1 << 28
MOST_NUMBER = 1 << 62
COUNTS = ("identity", "pictures", "generation")


def read(path: Path) -> dict[str, Any]:
    """Return a receipt; raises InputError, which says what is wrong, when the file is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is too large for a receipt; name the file that forget wrote")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON; name the file that forget wrote") from error
    wrong = "it is no object" if not isinstance(found, dict) else _first_wrong(found)
    if wrong:
        raise InputError(f"{path} is no receipt: {wrong}; name the file that forget wrote")
    receipt: dict[str, Any] = found
    return receipt


def problems(connection: sqlite3.Connection, receipt: Mapping[str, Any]) -> list[str]:
    """Return what contradicts the receipt, in sentences; works inside a transaction."""
    broken = log.problems(connection)
    told = [*_log_problems(connection, receipt), *_still_there(connection, receipt)]
    return [*broken, *told, *centring.count_problems(connection)]


def _first_wrong(found: Mapping[str, Any]) -> str:
    if found.get("format") != 1:
        return f"its format is {found.get('format')!r:.20}, and 1 is known"
    for key in COUNTS:
        if type(found.get(key)) is not int or not 0 <= found[key] < MOST_NUMBER:
            return f"'{key}' is no number"
    for key, wanted in (("picture_ids", _is_number), (PREFIXES, _is_prefix)):
        if not isinstance(found.get(key), list) or not all(map(wanted, found[key])):
            return f"'{key}' is no list of what it should be"
        if len(found[key]) != found["pictures"]:
            return f"'{key}' has {len(found[key])} entries for {found['pictures']} pictures"
    if type(found.get("pictures_only", False)) is not bool:
        return "'pictures_only' is neither true nor false"
    if found.get("pictures_only") and not _rises(found["picture_ids"]):
        return "'picture_ids' are no rising numbers"
    for key in ("log_sha256", "forgotten_at"):
        if not isinstance(found.get(key), str):
            return f"'{key}' is no text"
    return ""


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST_NUMBER


def _rises(numbers: Sequence[int]) -> bool:
    return bool(numbers) and all(one < other for one, other in itertools.pairwise(numbers))


def _is_prefix(value: object) -> bool:
    digits = isinstance(value, str) and len(value) == PREFIX_DIGITS and value.isalnum()
    return digits and all(one in "0123456789abcdef" for one in str(value))


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
    debt = -pictures[0] if alone else whose
    if connection.execute("SELECT 1 FROM pending_forgets WHERE identity = ?", (debt,)).fetchone():
        yield f"{'a picture of ' if alone else ''}identity {whose} is not forgotten to the end"
    numbers = connection.execute(
        "SELECT p.number FROM json_each(?) j JOIN pictures p ON p.number = j.value",
        (json.dumps(pictures),),
    )
    for (number,) in numbers:
        yield f"picture {number} is in the gallery"
    keys = json.dumps([int(prefix, 16) for prefix in receipt[PREFIXES]])
    for number, key in _enrolled_since(connection, keys, receipt["generation"]):
        yield (
            f"picture {number}, enrolled since, has a content that begins with {key:08x} as one of "
            "the receipt: it was enrolled again, or is another by chance"
        )
    rejected = connection.execute(
        "SELECT r.number FROM json_each(?) j JOIN rejections r ON r.source_key = j.value "
        "WHERE r.at > ?",
        (keys, receipt["forgotten_at"]),
    )
    for (number,) in rejected:
        yield f"rejection {number}, made since, has a content that begins as one of the receipt"


def _enrolled_since(
    connection: sqlite3.Connection, keys: str, generation: int
) -> Iterator[tuple[int, int]]:
    """Yield (number, key) of pictures enrolled after a generation that have one of the keys."""
    (last,) = connection.execute(
        "SELECT coalesce(max(last_picture), 0) FROM log WHERE number < ?", (generation,)
    ).fetchone()
    keyed: tuple[str, ...] = SOURCE_TABLES
    if connection.execute("PRAGMA user_version").fetchone()[0] < SOURCES_SINCE:
        keyed = ("(SELECT source_key, number AS picture FROM pictures)",)
    for table in keyed:
        yield from connection.execute(
            f"SELECT s.picture, s.source_key FROM json_each(?) j "
            f"JOIN {table} s ON s.source_key = j.value WHERE s.picture > ?",
            (keys, last),
        )
