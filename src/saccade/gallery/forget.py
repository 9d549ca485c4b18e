"""Forgetting an identity, so that it can be proved. See docs/decisions/0002-forget-in-place.md.

1. One transaction zeroes everything about the identity in place, deletes the rows that point there,
   and notes the debt in ``pending_forgets``: numbers, counts and hash prefixes only.
2. Files of decoded pictures, that training keeps in the user's cache, are removed if they hold one
   of these sources, and the rows are zeroed in the file of codes. While another process makes a new
   one, the forget is *pending*.
3. The write-ahead log, which holds older copies of the pages, is moved into the database and cut to
   zero bytes. A reader of an older snapshot prevents that: then the forget is *pending*.
4. The files are searched for the bytes of the forgotten vectors.
5. The receipt is written, then the debt is struck.

A crash after 1 leaves the debt, and the next open or write goes on from 2. Nobody knows the
vectors' bytes any more by then, so that receipt says that no search was made.

Many identities are forgotten together: one transaction, and each of the steps once for all. Those
that were merged are one: whichever name is given, all of them go, each with a debt and a receipt of
its own.

Single pictures of an identity that stays (``removing``) go the same way. Their debt is numbered by
the first of them, below zero, and says whose they were.
"""

import functools
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saccade.data.cache import drop_sources
from saccade.files import write_together
from saccade.gallery import (
    code_wipe,
    compacting,
    gone,
    log,
    merges,
    removal,
    store,
    terms,
    traces,
    who,
)
from saccade.gallery.answers import FORGOTTEN, PENDING, Forgotten
from saccade.gallery.database import DamageError, Database
from saccade.gallery.rawfile import RawFile
from saccade.gallery.schema import RECEIPTS_FOLDER
from saccade.values import IntArray

WAIT_S = 5.0
PREFIXES = "source_sha256_prefixes"
PREFIX_DIGITS = 8  # of a source's SHA-256: enough to recognise a file that one has
SEARCH_S, SEARCH_S_A_VECTOR, SEARCH_MOST_S = 0.8, 0.001, 20.0
KEPT_ROWS = 4096

NOT_COVERED = "backups, exports and other copies that were made earlier"
BLOCKED = "a reader of an older snapshot keeps the old bytes in the write-ahead log"
INDEXING = "another process is making the index and may hold the rows"
NOT_CLEARED = "a cache of decoded pictures cannot be emptied; run: saccade info --clear-cache"
STILL_FOUND = (
    "the search found bytes of a forgotten vector in the files; enrol the others into a new "
    "gallery and delete this one"
)

Debt = dict[str, Any]
Removed = tuple[Debt, Sequence[bytes]]  # and the bytes of its vectors
Choice = Callable[[sqlite3.Connection], Iterable[Sequence[int]]]
RemoveAll = Callable[[sqlite3.Connection, Sequence[int], str], dict[int, Removed]]


def forget(database: Database, names: Sequence[str], *, wait_s: float = WAIT_S) -> list[Forgotten]:
    """Forget identities with all that is merged with each, all or none; one answer a name.

    Whichever of the names of one identity is given; two of them get the same answer. Waits up to
    ``wait_s`` for readers of older snapshots. Raises UnknownNameError, with the nearest name, when
    nobody is called by one of the names.
    """

    def choice(connection: sqlite3.Connection) -> list[list[int]]:
        numbers = [who.number_of(connection, database.folder, name) for name in names]
        return [merges.root_and_others(connection, number) for number in numbers]

    return carry_out(database, choice, _remove_identities, wait_s)


def forget_expired(database: Database, day: str, *, wait_s: float = WAIT_S) -> list[Forgotten]:
    """Forget whoever has expired on a day (ISO 8601); returns them by number.

    Of identities that are merged only those that have.
    """
    return carry_out(
        database,
        lambda connection: [[number] for number in terms.expired(connection, day)],
        _remove_identities,
        wait_s,
    )


def carry_out(
    database: Database, choice: Choice, remove: RemoveAll, wait_s: float
) -> list[Forgotten]:
    """Forget in all five steps; one answer a group that ``choice`` names inside the transaction.

    ``remove`` removes what the numbers of all groups stand for, and notes each debt with ``owe``.
    """
    groups, removed = _remove(database, choice, remove)
    vectors = {number: gone for number, (_, gone) in removed.items()}
    reasons = settle(database, wait_s=wait_s, vectors=vectors)
    return [_answer(database, group, removed, reasons) for group in groups]


def _answer(
    database: Database,
    group: Sequence[int],
    removed: Mapping[int, Removed],
    reasons: Mapping[int, str],
) -> Forgotten:
    """What became of identities that were one; the first of them answered for the others."""
    waiting = [reasons[number] for number in group if number in reasons]
    receipts = tuple(
        _receipt_path(database, number, removed[number][0])
        for number in group
        if number not in reasons
    )
    first = group[0]
    return Forgotten(
        removed[first][0].get("identity", first),
        sum(removed[number][0]["pictures"] for number in group),
        sum(len(removed[number][1]) for number in group),
        PENDING if waiting else FORGOTTEN,
        receipt=None if waiting else receipts[0],
        reason=waiting[0] if waiting else "",
        receipts=receipts,
    )


def settle(
    database: Database, *, wait_s: float, vectors: Mapping[int, Sequence[bytes]] | None = None
) -> dict[int, str]:
    """Finish pending forgets; returns those that stay pending, identity number to reason.

    ``vectors`` are the forgotten bytes to search for, where they are still known.
    """
    debts = open_debts(database)
    if not debts or database.read_only:
        return dict.fromkeys(debts, BLOCKED)
    try:
        drop_sources([bytes.fromhex(one) for debt in debts.values() for one in debt[PREFIXES]])
    except OSError as error:
        return dict.fromkeys(debts, f"{NOT_CLEARED} ({error.filename}: {error.strerror})")
    identities = np.array([number for number in debts if number > 0], np.int64)
    since = functools.partial(_pictures_gone, database)
    if not code_wipe.wipe(database.folder, identities, wait_s=wait_s, since=since):
        return dict.fromkeys(debts, INDEXING)
    compacting.finish(database)
    if not database.truncate_log(wait_s):
        return dict.fromkeys(debts, BLOCKED)
    reasons = {}
    searches = _search(database, vectors or {})
    for number, debt in debts.items():
        search = searches.get(number, {})
        if debt.get("found") or search.get("found"):
            reasons[number] = STILL_FOUND
            if not debt.get("found"):
                _note_found(database, number, debt)
    paid = {number: debt for number, debt in debts.items() if number not in reasons}
    try:
        _write_receipts(database, paid, searches)
    except OSError as error:
        reasons |= dict.fromkeys(paid, f"the receipts could not be written: {error}")
    _strike(database, [number for number in debts if number not in reasons])
    return reasons


def open_debts(database: Database) -> dict[int, Debt]:
    """Return the forgets that have no receipt yet, by identity number."""
    with database.reading() as connection:
        rows = connection.execute("SELECT identity, content FROM pending_forgets").fetchall()
        try:
            return {number: json.loads(content) for number, content in rows}
        except ValueError as error:
            raise DamageError("a pending forget cannot be read") from error


def _pictures_gone(database: Database, generation: int) -> IntArray:
    """Return the numbers of the pictures that were moved or removed since a generation."""
    with database.reading() as connection:
        return gone.told_by(log.since(connection, generation)).pictures


def _remove(
    database: Database, choice: Choice, remove: RemoveAll
) -> tuple[list[Sequence[int]], dict[int, Removed]]:
    """Remove the groups that ``choice`` names in the transaction; returns them, and by number."""
    at = store.now()
    with database.writing() as connection:
        groups = list(choice(connection))
        numbers = dict.fromkeys(itertools.chain.from_iterable(groups))
        return groups, remove(connection, list(numbers), at)


def _remove_identities(
    connection: sqlite3.Connection, numbers: Sequence[int], at: str
) -> dict[int, Removed]:
    removed = removal.remove_identities(connection, numbers)
    owed = {}
    for number in numbers:
        pictures = len(removed[number].picture_ids)
        entry = log.append(connection, gone.FORGET, at=at, identity=number, pictures=pictures)
        owed[number] = owe(connection, number, removed[number], at, entry)
    return owed


def owe(
    connection: sqlite3.Connection,
    number: int,
    removed: removal.Removed,
    at: str,
    entry: tuple[int, str],
    **more: object,
) -> Removed:
    """Note the debt ``number`` of what was removed; ``entry``: generation and hash in the log."""
    pictures = len(removed.picture_ids)
    generation, digest = entry
    debt = {
        "forgotten_at": at,
        "pictures": pictures,
        "vectors": pictures,
        "picture_ids": removed.picture_ids,
        PREFIXES: [source.hex()[:PREFIX_DIGITS] for source in removed.sources],
        "generation": generation,
        "log_sha256": digest,
        **more,
    }
    connection.execute("INSERT INTO pending_forgets VALUES (?, ?)", (number, json.dumps(debt)))
    return debt, removed.vectors


def _search(
    database: Database, vectors: Mapping[int, Sequence[bytes]]
) -> dict[int, dict[str, int]]:
    """Look for the vectors in the database and its log; returns what was searched and found.

    By identity; without an answer for those that no search was made for. Bytes that another picture
    holds in its own vector are no find.
    """
    wanted = _searchable(vectors)
    if not wanted:
        return {}
    each = dict.fromkeys(itertools.chain.from_iterable(cut for _, cut in wanted))
    numbers = {piece: number for number, piece in enumerate(each)}
    pieces = traces.Traces(list(each))
    size = database.raw.size()
    found, looked_through = pieces.search(database.raw, seconds=_seconds(len(wanted)))
    log_file = RawFile(database.log_path)
    try:
        found |= pieces.search(log_file, seconds=_seconds(len(wanted)))[0]
    finally:
        log_file.close()
    if found:
        with database.reading() as connection:
            found -= pieces.among(_kept_vectors(connection))
    answers: dict[int, dict[str, int]] = {}
    for number, cut in wanted:
        mine = answers.setdefault(
            number, {"bytes": looked_through, "of_bytes": size, "vectors": 0, "found": 0}
        )
        mine["vectors"] += 1
        mine["found"] += sum(numbers[piece] in found for piece in cut)
    return answers


def _kept_vectors(connection: sqlite3.Connection) -> Iterator[bytes]:
    """Yield what stands on the shelf of vectors, many of them at a time."""
    rows = connection.execute("SELECT content FROM vectors")
    while block := rows.fetchmany(KEPT_ROWS):
        yield b"".join(content for (content,) in block)


def _searchable(vectors: Mapping[int, Sequence[bytes]]) -> list[tuple[int, list[bytes]]]:
    """Choose the vectors to search for, in pieces: of each identity one, then of each a second."""
    in_turn = sorted(
        ((place, number) for number, mine in vectors.items() for place in range(len(mine))),
        key=lambda turn: turn[0],
    )
    chosen, left = [], traces.MOST_PIECES
    for place, number in in_turn:
        cut = traces.cut(vectors[number][place])
        if len(cut) > left:
            break
        left -= len(cut)
        if cut:
            chosen.append((number, cut))
    return chosen


def _seconds(vectors: int) -> float:
    """How long the search may take: more for many, who take long anyway."""
    return min(SEARCH_S + SEARCH_S_A_VECTOR * vectors, SEARCH_MOST_S)


def _note_found(database: Database, number: int, debt: Debt) -> None:
    with database.writing() as connection:
        connection.execute(
            "UPDATE pending_forgets SET content = ? WHERE identity = ?",
            (json.dumps(debt | {"found": True}), number),
        )


def _strike(database: Database, numbers: Sequence[int]) -> None:
    if not numbers:
        return
    with database.writing() as connection:
        connection.executemany(
            "DELETE FROM pending_forgets WHERE identity = ?", [(number,) for number in numbers]
        )


def _receipt_path(database: Database, number: int, debt: Debt) -> Path:
    time = debt["forgotten_at"].replace("-", "").replace(":", "")
    which = str(number) if number > 0 else f"picture-{-number}"
    return database.folder / RECEIPTS_FOLDER / f"{time}-{which}.json"


def _write_receipts(
    database: Database, debts: Mapping[int, Debt], searches: Mapping[int, dict[str, int]]
) -> None:
    """Write a receipt for each debt, all of them durable at the end."""
    contents = {}
    for number, debt in debts.items():
        receipt = {
            "format": 1,
            "identity": number,
            **debt,
            "write_ahead_log": "truncated",
            "search": searches.get(number),
            "not_covered": NOT_COVERED,
        }
        path = _receipt_path(database, number, debt)
        if not path.exists():  # else a crash came between the receipt and striking the debt
            contents[path.name] = json.dumps(receipt, indent=2) + "\n"
    folder = database.folder / RECEIPTS_FOLDER
    folder.mkdir(exist_ok=True)
    write_together(folder, contents)
