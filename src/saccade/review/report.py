"""The page of what was proposed: pictures side by side, the evidence, and what accepting does."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence

from saccade.judge.report_frame import framed
from saccade.report import Part, Picture, PictureSheet, Section, Table, Text, Tile, Tiles
from saccade.review.findings import BY_ODDS, GROUP, KINDS
from saccade.review.proposed import Proposed, Reviewed

WRONG = (
    "Some of these are wrong: with planted mistakes up to one in ten, more where many people look "
    "alike, and all of them where no name is wrong. Look before you accept."
)
SHOWN = 24  # proposals of a kind with their pictures
PICTURES = 6  # of a proposal
HEADINGS = {**KINDS, GROUP: "unnamed pictures of one identity"}
METHOD_OF_CHECK = (
    "Magnets are pictures that match five other identities far better than is usual here. Wrong "
    "names, twins and two under one name are told by the odds of a model with two covariances, one "
    "of identities and one of their pictures, that is estimated from this gallery: at least four "
    "of five should be right. Look before you accept."
)
METHOD_OF_GROUPS = (
    "Groups are made of pictures that are as alike as the threshold asks and have nearest pictures "
    "in common. Look before you accept."
)

Thumbnails = Callable[[Sequence[int]], Mapping[int, bytes]]


def review_report(
    title: str,
    found: Reviewed,
    *,
    gallery: str,
    thumbnails: Thumbnails,
    examples: Callable[[str], Sequence[bytes]],
) -> str:
    """Return one self-contained HTML page.

    ``thumbnails``: the JPEGs of pictures by their numbers; ``examples``: some of an identity.
    """
    sections = [Section("What is proposed", _summary(found))]
    for kind, heading in HEADINGS.items():
        if ones := found.of(kind):
            sections.append(Section(heading.capitalize(), _kind(ones, thumbnails, examples)))
    return framed(
        title,
        sections,
        method=(Text(METHOD_OF_GROUPS if found.of(GROUP) else METHOD_OF_CHECK),),
        history=None,
        about={
            "gallery": gallery,
            "pictures": f"{found.pictures:,}",
            "identities": f"{found.identities:,}",
        },
        subtitle=f"{found.pictures:,} pictures of {found.identities:,} identities.",
    )


def _summary(found: Reviewed) -> tuple[Part, ...]:
    notes = tuple(Text(note, tone="note") for note in found.notes)
    counts = [(heading, len(found.of(kind))) for kind, heading in HEADINGS.items()]
    tiles = tuple(
        Tile(heading.capitalize(), f"{count:,}", "") for heading, count in counts if count
    )
    if not tiles:
        return Text("Nothing is proposed."), *notes
    return (
        Tiles(tiles),
        Text(
            "Accept a proposal by its number with --accept NUMBER, or refuse it with --refuse "
            "NUMBER: what was refused is not proposed again."
        ),
        *notes,
    )


def _kind(
    ones: Sequence[Proposed],
    thumbnails: Thumbnails,
    examples: Callable[[str], Sequence[bytes]],
) -> tuple[Part, ...]:
    rows = tuple(
        (str(one.number), ", ".join(one.identities[:PICTURES]), one.evidence, one.action or "look")
        for one in ones
    )
    table = Table(("Number", "Identities", "Why", "Accepting does"), rows)
    told = (Text(WRONG, tone="note"),) if ones[0].kind in BY_ODDS else ()
    groups = tuple(group for one in ones[:SHOWN] if (group := _group(one, thumbnails, examples)))
    return (*told, PictureSheet(groups), table) if groups else (*told, table)


def _group(
    one: Proposed, thumbnails: Thumbnails, examples: Callable[[str], Sequence[bytes]]
) -> tuple[Picture, ...]:
    """The pictures of a proposal, and beside them some of the identities that it names."""
    pictures = [
        Picture(_uri(jpeg), f"Proposal {one.number}", f"picture {number}", (one.evidence,), "bad")
        for number, jpeg in thumbnails(one.pictures[:PICTURES]).items()
    ]
    if one.kind == GROUP:
        return tuple(pictures)
    for name in one.identities:
        pictures += [
            Picture(_uri(jpeg), f"Proposal {one.number}, of", name) for jpeg in examples(name)
        ]
    return tuple(pictures)


def _uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
