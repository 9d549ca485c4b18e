"""What a receipt says of the files: the zeroed places read back, and a search for the vectors.

Every place that was zeroed is read again, by a connection that has no page in memory yet, after the
write-ahead log was cut: so it comes from the database file. A place that was given to a new content
meanwhile is counted as used again. These numbers are in the debt, so a crash does not lose them.

The search looks for the vectors' bytes anywhere in the database and its log, past SQLite: also
where nobody knew of a copy. It needs the bytes, which nobody has after a crash, and stops after a
stated time unless all is wanted.
"""

import itertools
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from saccade.gallery import traces
from saccade.gallery.database import Database
from saccade.gallery.debts import PLACES, Debt
from saccade.gallery.rawfile import RawFile

SEARCH_S, SEARCH_S_A_VECTOR, SEARCH_MOST_S = 0.8, 0.001, 10.0
KEPT_ROWS = 4096

Counts = dict[str, int]


def read_back(database: Database, debts: Mapping[int, Debt]) -> dict[int, Counts]:
    """Read the zeroed places of debts; returns how many there are, are zero, are used again.

    By number, without an answer where a debt of an earlier version does not say the places.
    """
    fresh = Database(database.folder)
    try:
        with fresh.reading() as connection:
            shelves = {shelf for debt in debts.values() for shelf in debt.get(PLACES, {})}
            states = {shelf: _states(connection, shelf, debts) for shelf in shelves}
    finally:
        fresh.close()
    answers = {}
    for number, debt in debts.items():
        if PLACES in debt:
            mine = [
                states[shelf].get(slot) for shelf, all_ in debt[PLACES].items() for slot in all_
            ]
            answers[number] = {
                "places": len(mine),
                "zero": mine.count(True),
                "used_again": mine.count(None),
            }
    return answers


def _states(
    connection: sqlite3.Connection, shelf: str, debts: Mapping[int, Debt]
) -> dict[int, bool]:
    """Return of each free slot whether all of it is zero; the others hold something new."""
    slots = sorted(slot for debt in debts.values() for slot in debt.get(PLACES, {}).get(shelf, ()))
    rows = connection.execute(
        f"SELECT s.slot, s.content = zeroblob(length(s.content)) FROM json_each(?) j "
        f"CROSS JOIN {shelf} s ON s.slot = j.value CROSS JOIN free_slots f "
        "ON f.shelf = ? AND f.bytes = length(s.content) AND f.slot = s.slot",
        (json.dumps(slots), shelf),
    )
    return {slot: bool(zero) for slot, zero in rows}


def search(
    database: Database, vectors: Mapping[int, Sequence[bytes]], *, everything: bool
) -> dict[int, Counts]:
    """Look for the vectors in the database and its log; returns what was searched and found.

    By number; without an answer for those that no search was made for. ``everything``: without a
    time limit. Bytes that another picture holds in its own vector are no find.
    """
    wanted = _searchable(vectors)
    if not wanted:
        return {}
    each = dict.fromkeys(itertools.chain.from_iterable(cut for _, cut in wanted))
    numbers = {piece: number for number, piece in enumerate(each)}
    pieces = traces.Traces(list(each))
    seconds = math.inf if everything else _seconds(len(wanted))
    size = database.raw.size()
    found, looked_through = pieces.search(database.raw, seconds=seconds)
    log_file = RawFile(database.log_path)
    try:
        found |= pieces.search(log_file, seconds=seconds)[0]
    finally:
        log_file.close()
    if found:
        with database.reading() as connection:
            found -= pieces.among(_kept_vectors(connection))
    answers: dict[int, Counts] = {}
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
