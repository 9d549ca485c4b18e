"""Rows that never move and never change their length, so that zeroing one leaves no copy behind.

SQLite rewrites a page when rows beside a row come and go, and may leave old copies of *surviving*
rows in the page's free space; ``secure_delete`` does not clear those when the row is deleted later.
So a row on a shelf is only ever appended at the end or overwritten in place, by incremental blob
I/O, which cannot change a length. A wiped row is noted in ``free_slots`` and filled again by the
next content of the same length. Contents are padded with zero bytes to a multiple of the shelf's
grain, so that lengths repeat and say little.
"""

import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

GRAIN_BYTES = {
    "vectors": 1,
    "thumbnails": 512,
    "labels": 64,
    "names": 64,
    "facts": 64,
    "originals": 512,
}
PIECE_BYTES = 8 << 20  # appended by one statement
GROUP_ROWS = 64  # a statement: fewer cost more calls, more gain nothing (measured)

# Row numbers as sums of two short lists: less work than a recursion over every row.
APPEND = """
    WITH RECURSIVE
    low (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM low WHERE n < 255 AND n + 1 < :rows),
    high (n) AS (VALUES (0) UNION ALL SELECT n + 256 FROM high WHERE n + 256 < :rows),
    piece (row) AS (SELECT h.n + l.n FROM high h CROSS JOIN low l WHERE h.n + l.n < :rows)
    INSERT INTO {} SELECT :first + row, substr(:contents, 1 + row * :bytes, :bytes) FROM piece"""


def put(connection: sqlite3.Connection, shelf: str, contents: Sequence[bytes]) -> Sequence[int]:
    """Store each content in a free slot of its length or a new one; returns the slots.

    They are a range where all are new and of one length.
    """
    kept = contents
    if GRAIN_BYTES[shelf] > 1:
        kept = [padded(shelf, content) for content in contents]
    lengths = Counter(map(len, kept))
    free = _take_free(connection, shelf, lengths)
    last = connection.execute(f"SELECT coalesce(max(slot), 0) FROM {shelf}").fetchone()[0]
    slots: dict[int, Sequence[int]] = {}
    for length, count in lengths.items():
        alike = kept if count == len(kept) else [one for one in kept if len(one) == length]
        taken = free.get(length, [])
        for slot, content in zip(taken, alike, strict=False):
            _overwrite(connection, shelf, slot, content)
        new = range(last + 1, last + 1 + count - len(taken))
        _append(connection, shelf, new, alike[len(taken) :])
        slots[length] = [*taken, *new] if taken else new
        last += len(new)
    if len(slots) < 2:
        return next(iter(slots.values()), range(0))
    following = {length: iter(found) for length, found in slots.items()}
    return [next(following[len(content)]) for content in kept]


def padded(shelf: str, content: bytes) -> bytes:
    """Return the content as it stands in its slot."""
    grain = GRAIN_BYTES[shelf]
    over = len(content) % grain
    return content + bytes(grain - over) if over else content


def wipe(connection: sqlite3.Connection, shelf: str, slot: int) -> None:
    """Overwrite the slot with zeros, in place, and mark it free."""
    length = _overwrite(connection, shelf, slot, None)
    connection.execute("INSERT INTO free_slots VALUES (?, ?, ?)", (shelf, length, slot))


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of all the table's columns; several a statement, which is faster."""
    for group in groups(rows):
        one = f"({', '.join('?' * len(group[0]))})"
        places = ", ".join([one] * len(group))
        values = list(itertools.chain.from_iterable(group))
        connection.execute(f"INSERT INTO {table} VALUES {places}", values)


def groups(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    """Cut rows into groups for one statement each.

    Only the last ones are smaller, by powers of two: few statements have to be prepared.
    """
    source = iter(rows)
    while group := list(itertools.islice(source, GROUP_ROWS)):
        size = GROUP_ROWS
        while group:
            while size > len(group):
                size //= 2
            yield group[:size]
            group = group[size:]


def _take_free(
    connection: sqlite3.Connection, shelf: str, wanted: Counter[int]
) -> dict[int, list[int]]:
    """Take up to the wanted number of free slots of each length off the list."""
    free: dict[int, list[int]] = {}
    if not connection.execute("SELECT 1 FROM free_slots LIMIT 1").fetchone():
        return free
    for length, count in wanted.items():
        found = connection.execute(
            "SELECT slot FROM free_slots WHERE shelf = ? AND bytes = ? ORDER BY slot LIMIT ?",
            (shelf, length, count),
        ).fetchall()
        connection.executemany(
            "DELETE FROM free_slots WHERE shelf = ? AND bytes = ? AND slot = ?",
            [(shelf, length, slot) for (slot,) in found],
        )
        free[length] = [slot for (slot,) in found]
    return free


def _append(
    connection: sqlite3.Connection, shelf: str, slots: range, contents: Sequence[bytes]
) -> None:
    """Store contents of one length in new slots.

    They go in end to end, and one statement cuts them: a call and an object a row cost more.
    """
    if not slots:
        return
    length = len(contents[0])
    rows = max(1, PIECE_BYTES // max(1, length))
    for start in range(0, len(slots), rows):
        piece = contents[start : start + rows]
        values = {
            "rows": len(piece),
            "first": slots[start],
            "contents": b"".join(piece),
            "bytes": length,
        }
        connection.execute(APPEND.format(shelf), values)


def _overwrite(connection: sqlite3.Connection, shelf: str, slot: int, content: bytes | None) -> int:
    with connection.blobopen(shelf, "content", slot) as blob:
        length = len(blob)
        blob.write(bytes(length) if content is None else content)
    return length
