"""The audit log in words. The log itself holds numbers; names are those of now."""

import sqlite3
from pathlib import Path

import numpy as np

from saccade.gallery import log, merges, store, who
from saccade.gallery.answers import AuditLog, Logged
from saccade.gallery.centring import RENEWED
from saccade.gallery.choices import CHOOSE
from saccade.gallery.decisions import FROM, INTO, MERGE, NEARNESS, REJECT, UNMERGE, UNREJECT
from saccade.gallery.gone import FORGET, LEAVE, MOVE, REMOVE
from saccade.values import IntArray

WORDS = {
    "enrol": "enrolled {pictures}{span}",
    FORGET: "forgot {identity} with {pictures}",
    LEAVE: "took {pictures} from {identity}{span}",
    MOVE: "moved {pictures} to {identity}{span}",
    REMOVE: "removed {pictures} of {identity}{span}",
    "threshold": "set the threshold",
    "rename": "renamed {identity}",
    "describe": "changed what is said of {identity}",
    "terms": "set the terms of {identity}",
    "compact": "compacted the gallery",
    MERGE: "merged {identity}",
    INTO: "into {identity}",
    UNMERGE: "took the merge back of {identity}",
    FROM: "with {identity}",
    REJECT: "{picture} is not {identity}",
    UNREJECT: "{picture} may be {identity} again",
    CHOOSE: "chose how similarities are taken",
    RENEWED: "made a new mean, of {pictures}, that similarities are taken from",
    NEARNESS: "set how near copies of rejected pictures are",
}


def read(connection: sqlite3.Connection, folder: Path, name: str | None) -> AuditLog:
    """Return the entries, oldest first; those that concern ``name``, when one is given.

    These are the entries of the identity, of what is merged with it, and the enrolments in which
    its pictures came. Raises UnknownNameError.
    """
    entries = log.since(connection, 0)
    if name is not None:
        everyone = merges.group(connection, who.number_of(connection, folder, name))
        pictures = _pictures(connection, everyone)
        entries = [e for e in entries if _concerns(e, everyone, pictures)]
    numbers = {entry.identity for entry in entries} - {None}
    names = store.identity_names(connection, sorted(n for n in numbers if n is not None))
    told = tuple(_told(entry, names) for entry in entries)
    return AuditLog(told, next(iter(log.problems(connection)), ""))


def _pictures(connection: sqlite3.Connection, everyone: list[int]) -> IntArray:
    """Return the rising numbers of the pictures of these identities."""
    rows = [
        number
        for one in everyone
        for (number,) in connection.execute(
            "SELECT number FROM pictures WHERE identity = ?", (one,)
        )
    ]
    return np.sort(np.array(rows, np.int64))


def _concerns(entry: log.Entry, everyone: list[int], pictures: IntArray) -> bool:
    if entry.identity is not None:
        return entry.identity in everyone
    if entry.first_picture is None or entry.last_picture is None:
        return False
    ends = [entry.first_picture, entry.last_picture + 1]
    before, behind = np.searchsorted(pictures, ends)
    return bool(behind > before)


def _told(entry: log.Entry, names: dict[int, str]) -> Logged:
    words = WORDS.get(entry.action, entry.action + " {identity}").format(
        identity=_identity(entry.identity, names),
        pictures="1 picture" if entry.pictures == 1 else f"{entry.pictures:,} pictures",
        span=_span(entry),
        picture=f"picture {entry.first_picture}" if entry.first_picture else "a picture",
    )
    return Logged(
        entry.number, entry.at, entry.action, entry.identity, entry.pictures, words.strip()
    )


def _identity(number: int | None, names: dict[int, str]) -> str:
    if number is None:
        return ""
    return f"identity {number} ({names[number]})" if number in names else f"identity {number}"


def _span(entry: log.Entry) -> str:
    first, last = entry.first_picture, entry.last_picture
    if first is None:
        return ""
    return f", number {first}" if first == last else f", numbers {first} to {last}"
