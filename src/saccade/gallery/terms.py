"""Terms: the day of an identity's consent, and the day from which it is to be forgotten.

Days are ISO 8601 in UTC, such as 2027-01-31. From the day on which it expires an identity is no
hit, whether it was forgotten yet or not.

Days are of one name, also where it is merged with others: they end what was agreed on for the
pictures under that name, a merge may be wrong, and forgetting cannot be undone. So of merged names
only those that have expired go. Every function works inside a transaction.
"""

import datetime
import re
import sqlite3
from typing import NamedTuple

from saccade.errors import InputError

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(rf"{DAY.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z")


class Terms(NamedTuple):
    """Days, or None where none was told."""

    consent: str | None = None
    expires: str | None = None


def today() -> str:
    """The day in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def day(text: str, what: str) -> str:
    """Return a day; raises InputError, which names ``what``, when the text is none."""
    try:
        if not DAY.fullmatch(text):
            raise ValueError
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise InputError(
            f"{what} must be a day as 2027-01-31, year, month, day. Got '{text}' instead"
        ) from error


def moment(text: str, what: str) -> str:
    """Return a time in UTC, to the second; raises InputError, which names ``what``."""
    try:
        if not MOMENT.fullmatch(text):
            raise ValueError
        datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{what} must be a time as 2027-01-31T09:30:00Z. Got '{text:.40}' instead"
        ) from error
    return text


def last_day(expires: str | None) -> str | None:
    """Return the day on which newcomers expire; raises InputError when the text is none."""
    return None if expires is None else day(expires, "expires")


def of_identity(connection: sqlite3.Connection, number: int) -> Terms:
    """Return the terms of an identity."""
    row = connection.execute(
        "SELECT consent, expires FROM terms WHERE identity = ?", (number,)
    ).fetchone()
    return Terms() if row is None else Terms(*row)


def write(connection: sqlite3.Connection, number: int, terms: Terms) -> None:
    """Give an identity these terms instead of those that it had."""
    connection.execute("DELETE FROM terms WHERE identity = ?", (number,))
    if terms != Terms():
        connection.execute("INSERT INTO terms VALUES (?, ?, ?)", (number, *terms))


def expired(connection: sqlite3.Connection, on: str) -> list[int]:
    """Return the identities that have expired on a day, by rising number."""
    rows = connection.execute("SELECT identity FROM terms WHERE expires <= ?", (on,))
    return sorted(number for (number,) in rows)
