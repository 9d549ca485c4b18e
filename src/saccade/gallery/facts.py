"""Facts: what users say of identities and pictures, as texts by key; JSON in one slot each.

A change takes another slot and wipes the first (docs/decisions/0014-people-in-the-gallery.md).
A picture's own facts come before those of its identity. Every function works inside a transaction.
"""

import json
import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from saccade.errors import InputError
from saccade.gallery import slots
from saccade.gallery.database import DamageError

MOST_KEY, MOST_VALUE, MOST_FACTS = 100, 4000, 500  # characters, characters, facts of one owner


def checked(facts: Mapping[str, object]) -> dict[str, str]:
    """Return facts as they are stored: texts in Unicode NFC; numbers become texts.

    Raises InputError that names the fact which cannot be stored.
    """
    found = {_text(key, "key", MOST_KEY): value for key, value in facts.items()}
    if len(found) > MOST_FACTS:
        raise InputError(f"at most {MOST_FACTS} facts can be told of one. Got {len(found)} instead")
    return {key: _text(value, f"value of '{key}'", MOST_VALUE) for key, value in found.items()}


def told_by(metadata: Mapping[str, object]) -> dict[str, object]:
    """Return those columns of a table's row that say something."""
    return {key: told for key, told in metadata.items() if key.strip() and str(told).strip()}


def of_identity(connection: sqlite3.Connection, number: int) -> dict[str, str]:
    """Return the facts of an identity; none when none were told."""
    row = connection.execute(
        "SELECT f.content FROM identity_facts i JOIN facts f ON f.slot = i.fact "
        "WHERE i.identity = ?",
        (number,),
    ).fetchone()
    return {} if row is None else read(row[0])


def of_pictures(
    connection: sqlite3.Connection, numbers: Sequence[int]
) -> dict[int, dict[str, str]]:
    """Return the own facts of those of the pictures that have any."""
    rows = connection.execute(
        "SELECT p.picture, f.content FROM json_each(?) j "
        "JOIN picture_facts p ON p.picture = j.value JOIN facts f ON f.slot = p.fact",
        (json.dumps(list(numbers)),),
    )
    return {number: read(content) for number, content in rows}


def change(
    connection: sqlite3.Connection, number: int, facts: Mapping[str, str], remove: Iterable[str]
) -> dict[str, str]:
    """Add facts to an identity's, take others away; returns those that it has now.

    Raises InputError for a key to be removed that it has not.
    """
    old = of_identity(connection, number)
    gone = [_text(key, "key", MOST_KEY) for key in remove]
    if unknown := [key for key in gone if key not in old]:
        known = f"it has {', '.join(sorted(old))}" if old else "it has no facts"
        raise InputError(f"no fact '{unknown[0]}' to remove; {known}")
    new = checked({**{key: value for key, value in old.items() if key not in gone}, **facts})
    write(connection, number, new)
    return new


def write(connection: sqlite3.Connection, number: int, facts: Mapping[str, str]) -> None:
    """Give an identity these facts instead of those that it had, whose slot is wiped."""
    row = connection.execute(
        "SELECT fact FROM identity_facts WHERE identity = ?", (number,)
    ).fetchone()
    connection.execute("DELETE FROM identity_facts WHERE identity = ?", (number,))
    if row is not None:
        slots.wipe(connection, "facts", row[0])
    if facts:
        (slot,) = slots.put(connection, "facts", [_content(facts)])
        connection.execute("INSERT INTO identity_facts VALUES (?, ?)", (number, slot))


def add_to_pictures(
    connection: sqlite3.Connection, first: int, facts: Sequence[Mapping[str, str]]
) -> None:
    """Store the facts of new pictures, numbered from ``first``."""
    told = [(number, own) for number, own in enumerate(facts, first) if own]
    places = slots.put(connection, "facts", [_content(own) for _, own in told])
    rows = [(number, slot) for (number, _), slot in zip(told, places, strict=True)]
    slots.insert(connection, "picture_facts", rows)


def read(content: bytes) -> dict[str, str]:
    """Return the facts that stand in a slot; raises DamageError when they cannot be read."""
    try:
        found = json.loads(content.rstrip(b"\0"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise DamageError("facts cannot be read")
    return found


def _content(facts: Mapping[str, str]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _text(value: object, what: str, most: int) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"the {what} of a fact must be a text or a number. Got {value!r:.50}")
    text = unicodedata.normalize("NFC", str(value)).strip()
    if not text or len(text) > most:
        raise InputError(f"the {what} of a fact must have 1 to {most} characters. Got {len(text)}")
    if not text.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise InputError(f"the {what} of a fact holds a control character; take it out")
    return text
