"""What is said of identities, by name: facts, terms, and all of it for ``show`` and ``list``."""

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterable, Mapping

import numpy as np

from saccade.errors import InputError
from saccade.gallery import correct, crops, facts, log, merges, narrowing, store, terms, who
from saccade.gallery.answers import IdentityDetails, IdentityInfo, PictureInfo
from saccade.gallery.database import Database
from saccade.values import IntArray

NEVER = "none"


def describe(
    database: Database, name: str, told: Mapping[str, object], remove: Iterable[str]
) -> dict[str, str]:
    """Add facts to an identity's, take others away; returns those that it has now."""
    new, gone = facts.checked(told), list(remove)
    with database.writing() as connection:
        number = who.number_of(connection, database.folder, name)
        now = facts.change(connection, number, new, gone)
        log.append(connection, "describe", at=store.now(), identity=number)
    # The old ones stand in the log too. Whoever reads it now keeps them until the next change.
    database.truncate_log(0.0)
    return now


def set_terms(
    database: Database, name: str, *, consent: str | None, expires: str | None
) -> terms.Terms:
    """Set the days that are given, "none" takes one away; returns the terms as they are now."""
    days = {"consent": consent, "expires": expires}
    given = {
        what: None if text == NEVER else terms.day(text, what)
        for what, text in days.items()
        if text is not None
    }
    if not given:
        raise InputError("no day is given; set consent or expires, 'none' takes one away")
    with database.writing() as connection:
        number = who.number_of(connection, database.folder, name)
        now = terms.of_identity(connection, number)._replace(**given)
        terms.write(connection, number, now)
        log.append(connection, "terms", at=store.now(), identity=number)
    return now


def details(database: Database, name: str) -> IdentityDetails:
    """Return all that is stored of an identity but vectors and pictures themselves."""
    with database.reading() as connection:
        number = who.number_of(connection, database.folder, name)
        (enrolled_at,) = connection.execute(
            "SELECT enrolled_at FROM identities WHERE number = ?", (number,)
        ).fetchone()
        rows = connection.execute(
            "SELECT p.number, p.source_key, l.content, k.original FROM pictures p "
            "JOIN labels l ON l.slot = p.label LEFT JOIN kept_files k ON k.picture = p.number "
            "WHERE p.identity = ? ORDER BY p.number",
            (number,),
        ).fetchall()
        numbers = [row[0] for row in rows]
        own, cut = facts.of_pictures(connection, numbers), crops.of_pictures(connection, numbers)
        pictures = tuple(
            PictureInfo(
                picture,
                store.read_label(label, key),
                own.get(picture, {}),
                bool(kept),
                cut.get(picture),
            )
            for picture, key, label, kept in rows
        )
        return IdentityDetails(
            store.identity_name(connection, number),
            enrolled_at,
            facts.of_identity(connection, number),
            *terms.of_identity(connection, number),
            pictures,
            _also(connection, number),
        )


def _also(connection: sqlite3.Connection, number: int) -> tuple[tuple[str, str | None], ...]:
    others = [one for one in merges.group(connection, number) if one != number]
    names = store.identity_names(connection, others)
    return tuple(sorted((names[one], terms.of_identity(connection, one).expires) for one in others))


def listed(database: Database, where: str | None) -> list[IdentityInfo]:
    """Return the identities by name; with a condition those that it fits, and how many pictures."""
    with database.reading() as connection:
        return correct.identities(
            connection, None if where is None else _fitting(connection, where)
        )


def _fitting(connection: sqlite3.Connection, where: str) -> dict[int, int]:
    """How many pictures of each identity fit; identities with none are left out."""
    chosen = narrowing.choose(lambda: contextlib.nullcontext(connection), where, terms.today())
    chosen = dataclasses.replace(chosen, expired=narrowing.NONE)
    counts: dict[int, int] = {}
    rows = connection.execute("SELECT number, identity FROM pictures")
    while chunk := rows.fetchmany(narrowing.CHUNK_ROWS):
        table: IntArray = np.array(chunk, np.int64)
        found = table[chosen.among(table[:, 0], table[:, 1]), 1]
        for number, count in zip(*np.unique(found, return_counts=True), strict=True):
            counts[int(number)] = counts.get(int(number), 0) + int(count)
    return counts
