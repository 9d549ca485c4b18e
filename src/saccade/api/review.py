"""Looking through a gallery: ``check`` what is probably wrong, ``group`` who has no name, decide.

Both leave proposals in the gallery, each with a number, which ``decide`` accepts or refuses.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saccade.api.accepting import carry_out
from saccade.api.gallery import Gallery
from saccade.errors import InputError, SaccadeError
from saccade.files import write_atomic
from saccade.gallery import apart, proposals, store, whole
from saccade.gallery.inputs import threshold_value
from saccade.gallery.proposals import Proposal
from saccade.gallery.unnamed import PREFIX
from saccade.review import Finding, Members, check_thumbnails, check_vectors
from saccade.review.findings import GROUP, KINDS
from saccade.review.proposed import Proposed, Reviewed
from saccade.review.report import review_report

LISTED = 20  # pictures of a proposal, by number
SETTLED = "nothing is left to do after what was decided before it"


def check(gallery: Gallery, *, report: Path | str | None = None, threads: int = 2) -> Reviewed:
    """Check the structure of a gallery, then look for what is probably wrong in it.

    Kinds: ``review.KINDS``. Unnamed pictures are for ``group``; what was refused before is left
    out. ``report``: an HTML page to write.
    Raises GalleryError when the gallery is damaged, InputError when it is too large for memory.
    """
    gallery.check()
    members = _members(gallery, unnamed=False)
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
    from saccade.review.grouped import group_findings
    from saccade.review.grouping import group_pictures

    asked = threshold_value(at_least)
    members = _members(gallery, unnamed=True)
    level = members.threshold if asked is None else asked
    if level is None:
        raise InputError(
            f"gallery {gallery.folder} has no threshold for plain cosines, so nothing says how "
            "alike pictures of one identity are; give --at-least, or set one in a gallery that is "
            "not centred: saccade threshold"
        )
    groups = group_pictures(members.vectors, at_least=level, apart=members.apart, threads=threads)
    told = _propose(gallery, (GROUP,), group_findings(members, groups))
    names = len(np.unique(members.identities))
    notes = () if names else ("there is no unnamed picture: saccade enrol --unnamed",)
    found = Reviewed(len(members.numbers), names, tuple(told), notes)
    return _reported(gallery, found, report, "Who the unnamed pictures show")


def decide(
    gallery: Gallery, *, accept: Sequence[int] = (), refuse: Sequence[int] = ()
) -> list[str]:
    """Carry out proposals, and refuse others; returns what was done, a sentence each, in order.

    Raises InputError before anything is done at a number that is not open, that must be looked at,
    or that is both accepted and refused; and where one cannot be carried out, telling which were.
    """
    if both := sorted(set(accept).intersection(refuse)):
        raise InputError(f"proposal {both[0]} cannot be both accepted and refused; leave one out")
    _require_answers(gallery, accept, refuse)
    done = []
    for number in dict.fromkeys(accept):
        try:
            done.append(f"{number}: {_accepted(gallery, number)}")
        except SaccadeError as error:
            before = f"; these were done: {' | '.join(done)}" if done else ""
            raise InputError(f"proposal {number}: {error}{before}") from error
    for number in dict.fromkeys(refuse):
        with gallery.database.writing() as connection:
            if proposals.find(connection, number) is None:
                done.append(f"{number}: {SETTLED}")
                continue
            proposals.refuse(connection, number, at=store.now())
        done.append(f"{number}: refused, and not proposed again")
    return done


def _require_answers(gallery: Gallery, accept: Sequence[int], refuse: Sequence[int]) -> None:
    with gallery.database.reading() as connection:
        for number in refuse:
            proposals.named(connection, number)
        for told in _in_words(connection, [proposals.named(connection, one) for one in accept], {}):
            if not told.action:
                raise InputError(
                    f"proposal {told.number} has no answer of its own: look at both pictures, then "
                    "use move, remove or forget; or refuse it"
                )


def _accepted(gallery: Gallery, number: int) -> str:
    """Carry out a proposal that was open; what was accepted before it may have settled it."""
    with gallery.database.reading() as connection:
        one = proposals.find(connection, number)
        if one is None:
            return SETTLED
        (told,) = _in_words(connection, [one], {})
    carry_out(gallery, one, told.identities)
    with gallery.database.writing() as connection:
        proposals.withdraw(connection, [number])
    return told.action


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
    pictures = _called(one.pictures)
    if one.kind == "same":
        return f"merge '{names[1]}' into '{names[0]}'"
    if one.kind == GROUP:
        return f"make {len(one.pictures)} unnamed pictures one identity, '{names[0]}'"
    if one.kind == "wrong_name":
        return f"move {pictures} from '{names[0]}' to '{names[1]}'"
    if one.kind == "two":
        return f"move {pictures} of '{names[0]}' to a new identity"
    if one.kind == "copy":
        return f"remove {_called(one.pictures[1:])}" if len(names) == 1 else ""
    return f"remove {pictures}"


def _called(pictures: Sequence[int]) -> str:
    what = "picture" if len(pictures) == 1 else "pictures"
    more = f" and {len(pictures) - LISTED:,} more" if len(pictures) > LISTED else ""
    return f"{what} {', '.join(map(str, pictures[:LISTED]))}{more}"


def _members(gallery: Gallery, *, unnamed: bool) -> Members:
    """The pictures whose identity is still unnamed, or those of all others."""
    everything = whole.read(gallery.database)
    with gallery.database.reading() as connection:
        names = store.identity_names(connection, np.unique(everything.identities).tolist())
    wanted = [number for number, name in names.items() if name.startswith(PREFIX) == unnamed]
    rows = np.flatnonzero(np.isin(everything.identities, wanted))
    mine = replace(
        everything,
        numbers=everything.numbers[rows],
        identities=everything.identities[rows],
        vectors=everything.vectors[rows],
    )
    known = apart.read(gallery.database, mine)
    return Members(
        mine.numbers,
        mine.identities,
        mine.vectors,
        mine.threshold,
        apart=known.rows() if unnamed else (),
        never_one=known.identities(),
        never=known.pictures(),
    )


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
