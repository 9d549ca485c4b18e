"""A gallery without the zeroed places that forgotten identities leave.

Places on shelves may go only when all pages are written anew: SQLite moves rows beside a row that
is deleted, and leaves copies of them behind (docs/decisions/0002-forget-in-place.md). So the
transaction that deletes notes the debt in ``choices``, and SQLite's VACUUM, which builds every page
again, strikes it. After a crash between the two, a forget first does what is owed, and only then
proves itself. The debt is the number of the log entry that made it, so that who strikes it cannot
strike that of another who compacts at the same time.
"""

from dataclasses import dataclass

from saccade.gallery import log, store
from saccade.gallery.database import Database
from saccade.gallery.schema import SHELVES

OWED = "compacting"


@dataclass(frozen=True, slots=True)
class Compacted:
    """Bytes of the database before and after, places that went; ``reason`` why it is not done."""

    bytes_before: int
    bytes_after: int
    places: int
    reason: str = ""


def compact(database: Database, *, wait_s: float) -> Compacted:
    """Free the zeroed places; waits up to ``wait_s`` for readers of older snapshots."""
    before = database.raw.size()
    # Else SQLite goes through all pictures for each place, to see that none points there.
    with database.many_writes(), database.writing() as connection:
        places = 0
        for shelf in SHELVES:
            places += connection.execute(
                f"DELETE FROM {shelf} WHERE slot IN (SELECT slot FROM free_slots WHERE shelf = ?)",
                (shelf,),
            ).rowcount
        connection.execute("DELETE FROM free_slots")
        generation, _ = log.append(connection, "compact", at=store.now())
        connection.execute("INSERT OR REPLACE INTO choices VALUES (?, ?)", (OWED, f"{generation}"))
    finish(database)
    cut = database.truncate_log(wait_s)
    why = "" if cut else "a reader of an older snapshot keeps the old pages; compact again later"
    return Compacted(before, database.raw.size(), places, why)


def finish(database: Database) -> None:
    """Write all pages anew if that is owed."""
    with database.reading() as connection:
        owed = connection.execute("SELECT value FROM choices WHERE name = ?", (OWED,)).fetchone()
    if owed:
        database.vacuum()
        with database.writing() as connection:
            connection.execute("DELETE FROM choices WHERE name = ? AND value = ?", (OWED, *owed))
