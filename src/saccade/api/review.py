"""Looking through a gallery: ``check`` what is probably wrong, ``group`` who has no name, decide.

Both leave proposals in the gallery, each with a number, which ``decide`` accepts or refuses.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saccade.api.gallery import Gallery
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.gallery import proposals, store, whole
from saccade.gallery.inputs import threshold_value
from saccade.gallery.proposals import Proposal
from saccade.gallery.unnamed import PREFIX
from saccade.gallery.whole import Whole
from saccade.review import Finding, Members, check_thumbnails, check_vectors
from saccade.review.findings import GROUP, KINDS
from saccade.review.proposed import Proposed, Reviewed
from saccade.review.report import review_report


def check(gallery: Gallery, *, report: Path | str | None = None, threads: int = 2) -> Reviewed:
    """Check the structure of a gallery, then look for what is probably wrong in it.

    Kinds: ``review.KINDS``. Unnamed pictures are for ``group``; what was refused before is left
    out. ``report``: an HTML page to write.
    Raises GalleryError when the gallery is damaged, InputError when it is too large for memory.
    """
    gallery.check()
    everything = whole.read(gallery.database)
    named = np.setdiff1d(np.arange(len(everything.numbers)), _unnamed_rows(gallery, everything))
    members = Members(
        everything.numbers[named],
        everything.identities[named],
        everything.vectors[named],
        everything.threshold,
    )
    checked = check_vectors(members, threads=threads)
    seen = check_thumbnails(whole.thumbnails(gallery.database, members.numbers), members)
    made = [*checked.findings, *(one for ones in seen.values() for one in ones)]
    told = _propose(gallery, tuple(KINDS), made)
    found = Reviewed(checked.pictures, checked.identities, tuple(told), checked.notes)
    return _reported(gallery, found, report, "What is probably wrong in this gallery")


def group(
    gallery: Gallery,
    *,
    at_least: float | None = None,
    report: Path | str | None = None,
    threads: int = 2,
) -> Reviewed:
    """Propose which unnamed pictures (``enrol_unnamed``) show one identity.

    ``at_least``: the cosine from which two may; by default the gallery's threshold, unless that is
    for centred similarities. Rejections are honoured, and boxes of one photo are held apart. Raises
    InputError where there is no threshold.
    """
    from saccade.review.grouping import group_pictures

    asked = threshold_value(at_least)
    everything = whole.read(gallery.database)
    level = everything.threshold if asked is None else asked
    if level is None:
        raise InputError(
            f"gallery {gallery.folder} has no threshold for plain cosines, so nothing says how "
            "alike pictures of one identity are; give --at-least, or set one in a gallery that is "
            "not centred: saccade threshold"
        )
    rows = _unnamed_rows(gallery, everything)
    mine = replace(
        everything,
        numbers=everything.numbers[rows],
        identities=everything.identities[rows],
        vectors=everything.vectors[rows],
    )
    apart = whole.apart(gallery.database, mine)
    groups = group_pictures(mine.vectors, at_least=level, apart=apart, threads=threads)
    told = _propose(gallery, (GROUP,), _groups(mine, groups))
    names = len(np.unique(mine.identities))
    notes = () if len(rows) else ("there is no unnamed picture: saccade enrol --unnamed",)
    found = Reviewed(len(rows), names, tuple(told), notes)
    return _reported(gallery, found, report, "Who the unnamed pictures show")


def decide(
    gallery: Gallery, *, accept: Sequence[int] = (), refuse: Sequence[int] = ()
) -> list[str]:
    """Carry out proposals, and refuse others; returns what was done, a sentence each, in order.

    Raises InputError at a number that is not open, or that must be looked at; what came before it
    is done.
    """
    done = []
    for number in accept:
        with gallery.database.reading() as connection:
            one = proposals.named(connection, number)
            (told,) = _in_words(connection, [one], {})
        if not told.action:
            raise InputError(
                f"proposal {number} has no answer of its own: look at both pictures, then use "
                "move, remove or forget; or refuse it"
            )
        _carry_out(gallery, one, told)
        with gallery.database.writing() as connection:
            proposals.withdraw(connection, [number])
        done.append(f"{number}: {told.action}")
    for number in refuse:
        with gallery.database.writing() as connection:
            proposals.refuse(connection, number, at=store.now())
        done.append(f"{number}: refused, and not proposed again")
    return done


def _carry_out(gallery: Gallery, one: Proposal, told: Proposed) -> None:
    if one.kind in ("same", GROUP):
        kept, *others = told.identities
        for other in others:
            gallery.merge(kept, other)
    elif one.kind == "wrong_name":
        gallery.move(one.pictures, told.identities[1])
    elif one.kind == "two":
        gallery.move(one.pictures, _second(gallery, told.identities[0]), new=True)
    else:
        gallery.remove(one.pictures[-1:])


def _second(gallery: Gallery, name: str) -> str:
    """A name for the other of two people that were under one."""
    with gallery.database.reading() as connection:
        tried = (f"{name} ({number})" for number in range(2, 10_000))
        return next(one for one in tried if store.find_identity(connection, one) is None)


def _propose(gallery: Gallery, kinds: Sequence[str], made: Iterable[Finding]) -> list[Proposed]:
    evidence = {}
    wanted = []
    for one in made:
        proposal = Proposal(one.kind, one.identities, one.pictures, one.score)
        evidence[proposal.about] = one.evidence
        wanted.append(proposal)
    with gallery.database.writing() as connection:
        kept = proposals.replace(connection, kinds, wanted)
        return list(_in_words(connection, kept, evidence))


def _in_words(connection: Any, kept: Sequence[Proposal], evidence: Any) -> Iterator[Proposed]:
    numbers = sorted({number for one in kept for number in one.identities})
    names = store.identity_names(connection, numbers)
    for one in kept:
        called = tuple(names[number] for number in one.identities)
        yield Proposed(
            one.number,
            one.kind,
            called,
            one.pictures,
            one.score,
            evidence.get(one.about, ""),
            _action(one, called),
        )


def _action(one: Proposal, names: tuple[str, ...]) -> str:
    pictures = ", ".join(map(str, one.pictures))
    if one.kind == "same":
        return f"merge '{names[1]}' into '{names[0]}'"
    if one.kind == GROUP:
        return f"make {len(names)} unnamed pictures one identity, '{names[0]}'"
    if one.kind == "wrong_name":
        return f"move picture {pictures} from '{names[0]}' to '{names[1]}'"
    if one.kind == "two":
        return f"move pictures {pictures} of '{names[0]}' to a new identity"
    if one.kind == "copy":
        return f"remove picture {one.pictures[-1]}" if len(names) == 1 else ""
    return f"remove picture {pictures}"


def _groups(mine: Whole, groups: Any) -> Iterator[Finding]:
    """Each group of several identities, the largest first; the name of its first picture stays."""
    for number in range(int(groups.max(initial=-1)) + 1):
        rows = np.flatnonzero(groups == number)
        whose = tuple(dict.fromkeys(mine.identities[rows].tolist()))
        if len(whose) < 2:
            continue
        cosines = (mine.vectors[rows] @ mine.vectors[rows].T)[np.triu_indices(len(rows), 1)]
        evidence = f"{len(rows)} pictures, {cosines.mean():.2f} alike on average"
        yield Finding(GROUP, whose, tuple(mine.numbers[rows].tolist()), float(len(rows)), evidence)


def _unnamed_rows(gallery: Gallery, everything: Whole) -> Any:
    with gallery.database.reading() as connection:
        names = store.identity_names(connection, np.unique(everything.identities).tolist())
    unnamed = [number for number, name in names.items() if name.startswith(PREFIX)]
    return np.flatnonzero(np.isin(everything.identities, unnamed))


def _reported(gallery: Gallery, found: Reviewed, report: Path | str | None, title: str) -> Reviewed:
    if report is None:
        return found
    page = review_report(
        title,
        found,
        gallery=str(gallery.folder),
        thumbnails=lambda numbers: dict(
            whole.thumbnails(gallery.database, np.array(sorted(numbers), np.int64))
        ),
        examples=lambda name: gallery.examples(name),
    )
    place = Path(report)
    write_atomic(place, page)
    return replace(found, report=place)
