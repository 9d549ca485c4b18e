"""Forgetting an identity, so that it can be proved. See docs/decisions/0002-forget-in-place.md.

1. One transaction zeroes everything about the identity in place (``removal``), deletes the rows
   that point there, and notes the debt in ``pending_forgets`` (``debts``): numbers, counts and hash
   prefixes only.
2. Files of decoded pictures, that training keeps in the user's cache, are removed if they hold one
   of these sources, and the rows are zeroed in the file of codes (``code_wipe``). While another
   process makes a new one, the forget is *pending*.
3. The write-ahead log, which holds older copies of the pages, is moved into the database and cut to
   zero bytes. A reader of an older snapshot prevents that: then the forget is *pending*.
4. Every zeroed place is read back, and the files are searched for the bytes of the forgotten
   vectors (``proof``).
5. The receipt is written (``receipts``), then the debt is struck.

Steps 2 to 5 stand in ``settling``. A crash after 1 leaves the debt, and the next open or write goes
on from 2. Nobody knows the vectors' bytes any more by then, so that receipt says that no search was
made.

Many identities are forgotten together: one transaction, and each of the steps once for all. Those
that were merged are one: whichever name is given, all of them go, each with a debt and a receipt of
its own.

Single pictures of an identity that stays (``moving``) go the same way. Their debt is numbered by
the first of them, below zero, and says whose they were.
"""

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

from saccade.gallery import debts, gone, log, merges, removal, settling, store, terms, who
from saccade.gallery.answers import FORGOTTEN, PENDING, Forgotten
from saccade.gallery.database import Database
from saccade.gallery.debts import Owed
from saccade.gallery.receipts import path_of

WAIT_S = 5.0
MANY = 500  # identities from which on reading the whole file once beats reading their pages alone

Choice = Callable[[sqlite3.Connection], Iterable[Sequence[int]]]
RemoveAll = Callable[[sqlite3.Connection, Sequence[int], str], dict[int, Owed]]


def forget(
    database: Database, names: Sequence[str], *, wait_s: float = WAIT_S, search_all: bool = False
) -> list[Forgotten]:
    """Forget identities with all that is merged with each, all or none; one answer a name.

    Whichever of the names of one identity is given; two of them get the same answer. Waits up to
    ``wait_s`` for readers of older snapshots; ``search_all``: see ``settling.pay``. Raises
    UnknownNameError, with the nearest name, when nobody is called by one of the names.
    """

    def choice(connection: sqlite3.Connection) -> list[list[int]]:
        numbers = who.numbers_of(connection, database.folder, names)
        return merges.groups(connection, numbers)

    return carry_out(database, choice, _remove_identities, wait_s, search_all=search_all)


def forget_expired(
    database: Database, day: str, *, wait_s: float = WAIT_S, search_all: bool = False
) -> list[Forgotten]:
    """Forget whoever has expired on a day (ISO 8601); returns them by number.

    Of identities that are merged only those that have.
    """
    return carry_out(
        database,
        lambda connection: [[number] for number in terms.expired(connection, day)],
        _remove_identities,
        wait_s,
        search_all=search_all,
    )


def carry_out(
    database: Database,
    choice: Choice,
    remove: RemoveAll,
    wait_s: float,
    *,
    search_all: bool = False,
) -> list[Forgotten]:
    """Forget in all five steps; one answer a group that ``choice`` names inside the transaction.

    ``remove`` removes what the numbers of all groups stand for, and notes each with ``debts.owe``.
    Whoever else is forgetting is waited for; after ``wait_s`` the rest is left for later.
    """
    with settling.turn(database.folder, wait_s=wait_s) as mine:
        groups, owed = _remove(database, choice, remove)
        vectors = {number: removed.vectors for number, (_, removed) in owed.items()}
        if mine:
            reasons = settling.pay(database, wait_s=wait_s, vectors=vectors, search_all=search_all)
        else:
            reasons = dict.fromkeys(owed, settling.AT_IT)
    return [_answer(database, group, owed, reasons) for group in groups]


def _answer(
    database: Database,
    group: Sequence[int],
    owed: Mapping[int, Owed],
    reasons: Mapping[int, str],
) -> Forgotten:
    """What became of identities that were one; the first of them answered for the others."""
    waiting = [reasons[number] for number in group if number in reasons]
    receipts = tuple(
        path_of(database.folder, number, owed[number][0])
        for number in group
        if number not in reasons
    )
    first = group[0]
    return Forgotten(
        owed[first][0].get("identity", first),
        sum(owed[number][0]["pictures"] for number in group),
        sum(len(owed[number][1].vectors) for number in group),
        PENDING if waiting else FORGOTTEN,
        receipt=None if waiting else receipts[0],
        reason=waiting[0] if waiting else "",
        receipts=receipts,
    )


def _remove(
    database: Database, choice: Choice, remove: RemoveAll
) -> tuple[list[Sequence[int]], dict[int, Owed]]:
    """Remove the groups that ``choice`` names in the transaction; returns them, and by number."""
    at = store.now()
    with database.writing() as connection:
        groups = list(choice(connection))
        numbers = dict.fromkeys(itertools.chain.from_iterable(groups))
        if len(numbers) >= MANY:
            database.raw.read_ahead()
        return groups, remove(connection, list(numbers), at)


def _remove_identities(
    connection: sqlite3.Connection, numbers: Sequence[int], at: str
) -> dict[int, Owed]:
    removed = removal.remove_identities(connection, numbers)
    owed = {}
    for number in numbers:
        pictures = len(removed[number].picture_ids)
        entry = log.append(connection, gone.FORGET, at=at, identity=number, pictures=pictures)
        owed[number] = debts.owe(connection, number, removed[number], at, entry)
    return owed
