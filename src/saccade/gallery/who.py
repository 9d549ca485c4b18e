"""Who is called by a name."""

import sqlite3
from pathlib import Path

from saccade.errors import UnknownNameError
from saccade.gallery import inputs, store
from saccade.names import suggest

SUGGESTED_AMONG = 10_000


def number_of(connection: sqlite3.Connection, folder: Path, name: str) -> int:
    """Return the identity's own number, merged or not.

    Raises UnknownNameError, with the nearest name, when nobody is called ``name``.
    """
    wanted = inputs.identity_name(name)
    number = store.find_identity(connection, wanted)
    if number is None:
        raise UnknownNameError(_unknown(connection, folder, wanted))
    return number


def _unknown(connection: sqlite3.Connection, folder: Path, name: str) -> str:
    rows = connection.execute(
        "SELECT n.content, i.name_key FROM identities i JOIN names n ON n.slot = i.name LIMIT ?",
        (SUGGESTED_AMONG,),
    )
    names = [store.read_name(content, key) for content, key in rows]
    return f"gallery {folder} has no identity '{name}'; {suggest(name, names)}"
