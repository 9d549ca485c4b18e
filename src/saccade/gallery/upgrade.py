"""Galleries of earlier formats: brought up to date in place, when they are opened for writing.

Whoever may only read uses what the earlier format has: no search needs what a later one added.

Version 2 writes the keys of sources into tables of their own, see
docs/decisions/0010-sources-in-order.md. Version 3 adds tables for what users decide and say about
identities, see docs/decisions/0014-people-in-the-gallery.md. Version 4 adds the table of the mean
that similarities are taken from, see docs/decisions/0018-templates-and-mirror-images.md. The
shelves stay as they are.
"""

import sqlite3

from saccade.gallery.schema import (
    CREATE_CENTRING,
    CREATE_PEOPLE,
    CREATE_SOURCES,
    FORMAT_VERSION,
    LATER_SHELVES,
    create_shelf,
)

SOURCES_SINCE = 2
PEOPLE_SINCE = 3
CENTRING_SINCE = 4


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


def stand_in(connection: sqlite3.Connection, version: int) -> None:
    """Give a gallery of an earlier version, that is only read, what it lacks: empty, in memory.

    So whoever reads need not ask for the version.
    """
    lacking: tuple[str, ...] = ()
    if version < PEOPLE_SINCE:
        lacking += (*map(create_shelf, LATER_SHELVES), *CREATE_PEOPLE)
    if version < CENTRING_SINCE:
        lacking += (CREATE_CENTRING,)
    for statement in lacking:
        if statement.startswith("CREATE TABLE "):
            connection.execute(statement.replace("CREATE TABLE ", "CREATE TEMP TABLE ", 1))


def _sources_in_order(connection: sqlite3.Connection) -> None:
    connection.execute("DROP INDEX pictures_by_source")
    for table in CREATE_SOURCES:
        connection.execute(table)
    connection.execute(
        "INSERT INTO sources SELECT source_key, number FROM pictures ORDER BY source_key, number"
    )


def _people(connection: sqlite3.Connection) -> None:
    for statement in (*map(create_shelf, LATER_SHELVES), *CREATE_PEOPLE):
        connection.execute(statement)


def _centring(connection: sqlite3.Connection) -> None:
    connection.execute(CREATE_CENTRING)


STEPS = (_sources_in_order, _people, _centring)  # from version 1 to 2, and so on
