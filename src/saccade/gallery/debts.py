"""Forgets that are not paid yet: noted in the transaction that removes, struck after the receipt.

A debt holds numbers, counts and the first 32 bits of hashes, and nothing that tells who it was. Its
number is the identity's; that of single pictures is the first of them, below zero.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from saccade.gallery import removal
from saccade.gallery.database import DamageError, Database

PREFIXES = "source_sha256_prefixes"
PHOTOS = "photo_sha256_prefixes"  # of the photos that crops were cut from
PREFIX_DIGITS = 8  # of a SHA-256: enough to recognise a file that one has
PLACES = "places"  # the zeroed slots by shelf

Debt = dict[str, Any]
Owed = tuple[Debt, removal.Removed]


def owe(
    connection: sqlite3.Connection,
    number: int,
    removed: removal.Removed,
    at: str,
    entry: tuple[int, str],
    **more: object,
) -> Owed:
    """Note the debt ``number`` of what was removed; ``entry``: generation and hash in the log."""
    pictures = len(removed.picture_ids)
    generation, digest = entry
    debt = {
        "forgotten_at": at,
        "pictures": pictures,
        "vectors": pictures,
        "picture_ids": removed.picture_ids,
        PREFIXES: [source.hex()[:PREFIX_DIGITS] for source in removed.sources],
        PHOTOS: [f"{key:0{PREFIX_DIGITS}x}" for key in removed.photo_keys],
        PLACES: removed.places,
        "generation": generation,
        "log_sha256": digest,
        **more,
    }
    connection.execute("INSERT INTO pending_forgets VALUES (?, ?)", (number, json.dumps(debt)))
    return debt, removed


def unpaid(database: Database) -> dict[int, Debt]:
    """Return the forgets that have no receipt yet, by number."""
    with database.reading() as connection:
        rows = connection.execute("SELECT identity, content FROM pending_forgets").fetchall()
        try:
            return {number: json.loads(content) for number, content in rows}
        except ValueError as error:
            raise DamageError("a pending forget cannot be read") from error


def prefixes(debts: dict[int, Debt]) -> list[bytes]:
    """Return how the SHA-256 of all files begin that held one of the pictures, or were cut up."""
    each = [debt.get(key, []) for debt in debts.values() for key in (PREFIXES, PHOTOS)]
    return [bytes.fromhex(prefix) for mine in each for prefix in mine]


def note_found(database: Database, number: int, debt: Debt) -> None:
    """Note that bytes were found, so that no receipt is ever written."""
    with database.writing() as connection:
        connection.execute(
            "UPDATE pending_forgets SET content = ? WHERE identity = ?",
            (json.dumps(debt | {"found": True}), number),
        )


def strike(database: Database, numbers: Sequence[int]) -> None:
    """Delete debts that are paid."""
    if not numbers:
        return
    with database.writing() as connection:
        connection.executemany(
            "DELETE FROM pending_forgets WHERE identity = ?", [(number,) for number in numbers]
        )
