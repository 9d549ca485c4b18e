"""A block of rows becomes part of a gallery in one transaction, whatever the rows came from.

What stands in the gallery already is looked up for all rows together, the rows are sorted out in
memory, and what is new is inserted table by table. A content (SHA-256) stands in a gallery once:
given again under the same identity it changes nothing; under another identity it is skipped, and
the reason names the identity that has it, for one picture of two people is a mistake that only the
user can settle. So is a content that was rejected as the identity it is given for.
"""

import itertools
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from saccade.gallery import (
    centring,
    contradictions,
    crops,
    facts,
    log,
    originals,
    source_keys,
    store,
    terms,
)
from saccade.gallery.answers import ENROLLED, SKIPPED, UNCHANGED, Enrolled
from saccade.gallery.crops import Crop
from saccade.gallery.database import Database
from saccade.gallery.known import KnownNames, KnownSources


class VanishedError(Exception):
    """A content that was enrolled, and so not embedded again, was forgotten meanwhile."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows on their way in: one entry a row in every list.

    ``identities`` are checked names, ``sources`` SHA-256 digests, ``vectors`` float16 bytes (None
    where the content is believed to be enrolled), ``thumbnails`` JPEGs or None, ``shown`` what a
    reason calls the row (``file_names`` when None), ``facts`` what is told of the pictures,
    ``originals`` the files' bytes, or None, if they are to be kept, ``crops`` what they were cut
    from, or None.
    Identities of new rows expire on the day ``expires``, if one is given.
    """

    identities: Sequence[str]
    sources: Sequence[bytes]
    file_names: Sequence[str]
    vectors: Sequence[bytes | None]
    thumbnails: Sequence[bytes | None] | None = None
    shown: Sequence[str] | None = None
    facts: Sequence[Mapping[str, str]] | None = None
    originals: Sequence[bytes | None] | None = None
    crops: Sequence[Crop | None] | None = None
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a block.

    ``fresh`` are the rows that were enrolled, their picture numbers run from ``first_picture``;
    ``unchanged`` are rows with the picture number that they have already. The others are skipped:
    ``owners`` with the identity number that has their content, ``rejected`` with that as which it
    was rejected.
    """

    fresh: list[int]
    first_picture: int
    unchanged: dict[int, int]
    owners: dict[int, int]
    rejected: dict[int, int] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def skipped(self) -> list[int]:
        """The rows that nothing was written of."""
        return sorted([*self.owners, *self.rejected])


def write(
    database: Database,
    block: Block,
    *,
    names: KnownNames | None = None,
    sources: KnownSources | None = None,
    most_reasons: int | None = None,
) -> Written:
    """Enrol the block; when this returns it is on the disk.

    ``names`` and ``sources`` spare look-ups of what is new; ``most_reasons`` bounds the reasons
    that are told, the first ones, None tells all. Raises VanishedError, and writes nothing, when a
    row without a vector needs one.
    """
    with database.writing() as connection:
        return write_within(connection, block, names, sources, most_reasons)


def write_within(
    connection: sqlite3.Connection,
    block: Block,
    names: KnownNames | None = None,
    sources: KnownSources | None = None,
    most_reasons: int | None = None,
) -> Written:
    """Enrol the block, as ``write`` does, in a transaction that the caller began and ends."""
    written = _enrol(connection, block, names, sources)
    for row in written.skipped[:most_reasons]:
        shown = (block.shown or block.file_names)[row]
        written.reasons[row] = f"{shown} {_reason(connection, written, row)}"
    return written


def _reason(connection: sqlite3.Connection, written: Written, row: int) -> str:
    if row in written.rejected:
        name = store.identity_name(connection, written.rejected[row])
        return f"was rejected as '{name}'; undo that first (saccade reject), or leave it out"
    owner = store.identity_name(connection, written.owners[row])
    return f"is enrolled under '{owner}' already; forget '{owner}' first, or leave it out"


def told(block: Block, written: Written) -> list[Enrolled]:
    """Return what became of each row, as one object a row."""
    fresh = dict(zip(written.fresh, itertools.count(written.first_picture), strict=False))
    answers = []
    shown = block.shown or block.file_names
    for row, (name, picture) in enumerate(zip(block.identities, shown, strict=True)):
        if row in fresh:
            answers.append(Enrolled(name, picture, fresh[row], ENROLLED))
        elif row in written.unchanged:
            answers.append(Enrolled(name, picture, written.unchanged[row], UNCHANGED))
        else:
            answers.append(Enrolled(name, picture, None, SKIPPED, written.reasons[row]))
    return answers


def _enrol(
    connection: sqlite3.Connection,
    block: Block,
    names: KnownNames | None,
    sources: KnownSources | None,
) -> Written:
    at = store.now()
    asked = list(dict.fromkeys(block.identities))
    known = store.find_identities(
        connection, asked if names is None else names.possible(connection, asked)
    )
    pictures = source_keys.find(
        connection,
        block.sources if sources is None else sources.possible(connection, block.sources),
    )
    wanted = [known.get(name) for name in block.identities]
    rejected = contradictions.rejected_rows(connection, block.sources, wanted)
    fresh = _fresh_rows(block, pictures, rejected)
    first = store.last_number(connection, "pictures") + 1
    if fresh:
        shown = dict.fromkeys(block.identities[row] for row in fresh)
        added = store.add_identities(connection, [n for n in shown if n not in known], at=at)
        known |= added
        contents = _contents(block, fresh, known)
        store.add_pictures(connection, first, contents)
        _add_told(connection, first, block, fresh, contents.identities)
        span = (first, first + len(fresh) - 1)
        log.append(connection, "enrol", at=at, picture_ids=span, pictures=len(fresh))
        centring.add(connection, contents.vectors, at=at)
        if names is not None and added:
            names.add(list(added), max(added.values()))
        if sources is not None:
            sources.add(contents.sources, span[1])
        if len(fresh) < len(block.sources):
            numbered = zip(itertools.count(first), contents.identities, strict=False)
            pictures |= zip(contents.sources, numbered, strict=False)
    unchanged, owners = {}, {}
    for row in sorted(set(range(len(block.sources))).difference(fresh, rejected)):
        number, identity = pictures[block.sources[row]]
        if identity == known.get(block.identities[row]):
            unchanged[row] = number
        else:
            owners[row] = identity
    return Written(fresh, first, unchanged, owners, rejected)


def _add_told(
    connection: sqlite3.Connection,
    first: int,
    block: Block,
    fresh: list[int],
    identities: Sequence[int],
) -> None:
    """Store facts, files and origins of the new pictures, and the day on which they expire."""
    if block.originals is not None:
        originals.add(connection, first, [block.originals[row] for row in fresh])
    if block.facts is not None:
        facts.add_to_pictures(connection, first, [block.facts[row] for row in fresh])
    if block.crops is not None:
        crops.add(connection, first, [block.crops[row] for row in fresh])
    if block.expires is not None:
        for number in dict.fromkeys(identities):
            now = terms.of_identity(connection, number)
            terms.write(connection, number, now._replace(expires=block.expires))


def _fresh_rows(
    block: Block, pictures: dict[bytes, tuple[int, int]], rejected: dict[int, int]
) -> list[int]:
    """Return the rows whose content stands neither in the gallery nor further up in the block."""
    rows = range(len(block.sources))
    first = dict(zip(reversed(block.sources), reversed(rows), strict=True))
    if rejected:
        first = {block.sources[row]: row for row in reversed(rows) if row not in rejected}
    fresh = sorted(first.values() if not pictures else (first[s] for s in first.keys() - pictures))
    if any(block.vectors[row] is None for row in fresh):
        raise VanishedError
    return fresh


def _contents(block: Block, fresh: list[int], known: dict[str, int]) -> store.Contents:
    thumbnails = block.thumbnails
    return store.Contents(
        identities=[known[block.identities[row]] for row in fresh],
        sources=[block.sources[row] for row in fresh],
        file_names=[block.file_names[row] for row in fresh],
        vectors=[block.vectors[row] or b"" for row in fresh],
        thumbnails=None if thumbnails is None else [thumbnails[row] for row in fresh],
    )
