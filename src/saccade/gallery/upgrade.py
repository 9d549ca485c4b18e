"""Galleries of earlier formats: brought up to date in place, when they are opened for writing.

Whoever may only read uses what the earlier format has: no search needs what a later one added.

Version 2 writes the keys of sources into tables of their own, see
docs/decisions/0010-sources-in-order.md. The shelves stay as they are.
"""

import sqlite3

from saccade.gallery.schema import CREATE_SOURCES, FORMAT_VERSION

SOURCES_SINCE = 2


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the gallery to ``FORMAT_VERSION`` in one transaction, all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been quicker.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in STEPS[version - 1 :]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _sources_in_order(connection: sqlite3.Connection) -> None:
    connection.execute("DROP INDEX pictures_by_source")
    for table in CREATE_SOURCES:
        connection.execute(table)
    connection.execute(
        "INSERT INTO sources SELECT source_key, number FROM pictures ORDER BY source_key, number"
    )


STEPS = (_sources_in_order,)  # from version 1 to 2, and so on
