"""Commands that look through a gallery and propose what to do: check, group."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import GalleryFolder, Json
from saccade.cli.output import say, say_json, shown, tell
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.api.gallery import Gallery
    from saccade.review.proposed import Reviewed

LINES = 20  # proposals of a kind that are printed
Accept = Annotated[
    tuple[int, ...],
    Parameter(negative="", consume_multiple=True, help="Numbers of proposals to carry out."),
]
Refuse = Annotated[
    tuple[int, ...],
    Parameter(negative="", consume_multiple=True, help="Numbers of those not to propose again."),
]
Report = Annotated[Path | None, Parameter(help="HTML file to write, with the pictures.")]


def check(
    gallery: GalleryFolder,
    /,
    *,
    accept: Accept = (),
    refuse: Refuse = (),
    report: Report = None,
    json: Json = False,
) -> int:
    """Find what is probably wrong in a gallery; exit code 1 when something is proposed."""
    from saccade.api import review

    return _look(gallery, review.check, accept, refuse, report, json)


def group(
    gallery: GalleryFolder,
    /,
    *,
    at_least: Annotated[
        float | None, Parameter(help="Cosine from which two may be one; else the threshold.")
    ] = None,
    accept: Accept = (),
    refuse: Refuse = (),
    report: Report = None,
    json: Json = False,
) -> int:
    """Say which unnamed pictures show one identity; exit code 1 when something is proposed."""
    from saccade.api import review

    def look(opened: "Gallery", report: Path | None) -> "Reviewed":
        return review.group(opened, at_least=at_least, report=report)

    return _look(gallery, look, accept, refuse, report, json)


def _look(
    gallery: Path,
    look: Callable[..., "Reviewed"],
    accept: tuple[int, ...],
    refuse: tuple[int, ...],
    report: Path | None,
    json: bool,
) -> int:
    from saccade.api.gallery import Gallery
    from saccade.api.review import decide

    deciding = bool(accept or refuse)
    if deciding and report is not None:
        raise InputError("--report belongs to a look, not to --accept or --refuse; leave it out")
    with Gallery.open(gallery) as opened:
        if deciding:
            done = decide(opened, accept=accept, refuse=refuse)
            tell({"done": done}, [shown(one) for one in done], json=json)
            return 0
        found = look(opened, report=report)
    if json:
        say_json(found)
    else:
        _print(found)
    return 1 if found.proposals else 0


def _print(found: "Reviewed") -> None:
    from saccade.review.report import HEADINGS

    for kind, heading in HEADINGS.items():
        ones = found.of(kind)
        if not ones:
            continue
        say(f"{heading}: {len(ones)}")
        for one in ones[:LINES]:
            action = one.action or "look at both"
            say(f"  {one.number}: {shown(action)}   {shown(one.evidence)}")
        if len(ones) > LINES:
            say(f"  and {len(ones) - LINES} more, see --json or --report")
    if not found.proposals:
        say(f"nothing is proposed for {found.pictures} pictures")
    for note in found.notes:
        say(f"note: {note}")
    if found.report:
        say(f"report: {shown(str(found.report))}")


COMMANDS = {"check": check, "group": group}
