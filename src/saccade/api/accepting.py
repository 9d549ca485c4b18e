"""Carrying out a proposal that the user accepted."""

import json
import sqlite3
from collections.abc import Sequence

from saccade.api.gallery import Gallery
from saccade.errors import InputError
from saccade.gallery import apart, merges, store
from saccade.gallery.proposals import Proposal
from saccade.gallery.unnamed import PREFIX
from saccade.review.findings import GROUP

OWNERS = "SELECT identity, number FROM pictures WHERE number IN (SELECT value FROM json_each(?))"


def carry_out(gallery: Gallery, one: Proposal, names: Sequence[str]) -> None:
    """Do what the proposal says; ``names`` of its identities. Raises InputError where it cannot."""
    if one.kind in ("same", GROUP):
        _require_photos_apart(gallery, one)
        _merge(gallery, one.identities, names)
    elif one.kind == "wrong_name":
        _move(gallery, one.pictures, names[1])
    elif one.kind == "two":
        _move(gallery, one.pictures, _second(gallery, names[0]), new=True)
    else:
        _remove(gallery, one.pictures[1:] if one.kind == "copy" else one.pictures)


def _require_photos_apart(gallery: Gallery, one: Proposal) -> None:
    """Raise InputError for two boxes of one photo, enrolled or merged since it was proposed."""
    photo = apart.shared_photo(gallery.database, one.identities)
    if photo is not None:
        raise InputError(f"it would make one identity of two boxes of photo {photo}; refuse it")


def _merge(gallery: Gallery, identities: Sequence[int], names: Sequence[str]) -> None:
    """Make them one; those that are already, by hand or by an accept that was cut short, stay."""
    with gallery.database.reading() as connection:
        roots = [merges.root(connection, number) for number in identities]
    for name, root in zip(names[1:], roots[1:], strict=True):
        if root != roots[0]:
            gallery.merge(names[0], name)


def _move(gallery: Gallery, pictures: Sequence[int], to: str, *, new: bool = False) -> None:
    whole, rest = _unnamed_and_rest(gallery, pictures)
    if rest:
        gallery.move(rest, to, new=new)
    elif new:
        gallery.unmerge(whole[0])
        gallery.rename(whole.pop(0), to)
    for name in whole:
        gallery.unmerge(name)
        gallery.merge(to, name)


def _remove(gallery: Gallery, pictures: Sequence[int]) -> None:
    whole, rest = _unnamed_and_rest(gallery, pictures)
    if rest:
        gallery.remove(rest)
    for name in whole:
        gallery.unmerge(name)
        gallery.forget(name)


def _unnamed_and_rest(gallery: Gallery, pictures: Sequence[int]) -> tuple[list[str], list[int]]:
    """Return the unnamed identities that these pictures are all of, and the other pictures.

    Only those that are merged into another: a group is made of them, each of one picture, and an
    identity cannot lose its last one. They are merged elsewhere, or forgotten, instead.
    """
    owned: dict[int, list[int]] = {}
    with gallery.database.reading() as connection:
        for identity, number in connection.execute(OWNERS, (json.dumps(list(pictures)),)):
            owned.setdefault(identity, []).append(number)
        names = store.identity_names(connection, list(owned))
        whole = [
            identity
            for identity, mine in owned.items()
            if names[identity].startswith(PREFIX) and _is_merged_whole(connection, identity, mine)
        ]
    rest = [number for one, mine in owned.items() if one not in whole for number in mine]
    return [names[identity] for identity in whole], sorted(rest)


def _is_merged_whole(connection: sqlite3.Connection, identity: int, mine: Sequence[int]) -> bool:
    held, answers = connection.execute(
        "SELECT (SELECT count(*) FROM pictures WHERE identity = ?1), "
        "(SELECT count(*) FROM merges WHERE kept = ?1)",
        (identity,),
    ).fetchone()
    merged = merges.pointer(connection, identity) is not None
    return merged and not answers and held == len(mine)


def _second(gallery: Gallery, name: str) -> str:
    """A name for the other of two people that were under one."""
    with gallery.database.reading() as connection:
        number = 2
        while store.find_identity(connection, f"{name} ({number})") is not None:
            number += 1
    return f"{name} ({number})"
