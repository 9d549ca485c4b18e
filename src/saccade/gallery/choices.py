"""How a gallery takes similarities: what a user may choose, and what is chosen.

``templates``: an identity is as alike as its ``best`` picture, or as the ``mean`` direction of its
pictures, with those of all that is merged with it (ISO/IEC 19795-1 calls such a mean a template).
``centred``: similarities are taken after the gallery's mean vector is subtracted (``centring.py``).
``mirrored``: pictures are embedded with their mirror images (``mirrored.py``); it decides what the
stored vectors are, so it is chosen when a gallery is made. What is not in the table ``choices`` is
at its default.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from saccade.errors import InputError
from saccade.gallery import centring, log, store
from saccade.gallery.database import DamageError, Database
from saccade.names import look_up, suggest

TEMPLATES, CENTRED, MIRRORED = "templates", "centred", "mirrored"
BEST, MEAN = "best", "mean"
YES, NO = "yes", "no"
CHOOSE = "choose"  # the action in the log


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be chosen, the default first; ``fixed``: only when a gallery is made."""

    allowed: tuple[str, ...]
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is chosen now, by name; ``dropped``: the threshold that the change took away."""

    choices: Mapping[str, str]
    dropped: float | None = None


def read(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what is chosen, by name; raises DamageError for a value that is not allowed."""
    rows = dict(connection.execute("SELECT name, value FROM choices").fetchall())
    found = {name: rows.get(name, choice.allowed[0]) for name, choice in CHOICES.items()}
    for name, value in found.items():
        if value not in CHOICES[name].allowed:
            raise DamageError(f"its choice {name} cannot be read")
    return found


def check(wanted: Mapping[str, str]) -> None:
    """Raise InputError for a name or value that there is not."""
    for name, value in wanted.items():
        choice = look_up(CHOICES, name, "choice")
        if value not in choice.allowed:
            raise InputError(
                f"{name} cannot be '{value}'; {suggest(value, choice.allowed)} "
                f"(it is one of {', '.join(choice.allowed)})"
            )


def choose(database: Database, wanted: Mapping[str, str]) -> Chosen:
    """Choose, all or nothing; a change drops the threshold, which was for other similarities.

    Raises InputError for what there is not, and for a change of what is fixed.
    """
    check(wanted)
    if not wanted:
        with database.reading() as connection:
            return Chosen(read(connection))
    with database.writing() as connection:
        before = read(connection)
        changed = {name: value for name, value in wanted.items() if before[name] != value}
        for name in changed:
            if CHOICES[name].fixed:
                raise InputError(
                    f"{name} is {before[name]} for all vectors of gallery {database.folder} and "
                    "is chosen when one is made (saccade create GALLERY --mirrored); make another "
                    "gallery, from kept files with saccade re-embed --mirrored"
                )
        if not changed:
            return Chosen(before)
        dropped = store.read_meta(connection).threshold
        connection.executemany("INSERT OR REPLACE INTO choices VALUES (?, ?)", changed.items())
        connection.execute("UPDATE meta SET threshold = NULL")
        if CENTRED in changed:
            (centring.start if changed[CENTRED] == YES else centring.stop)(connection)
        log.append(connection, CHOOSE, at=store.now())
        return Chosen(read(connection), dropped)


CHOICES = {
    TEMPLATES: Choice((BEST, MEAN)),
    CENTRED: Choice((NO, YES)),
    MIRRORED: Choice((NO, YES), fixed=True),
}
