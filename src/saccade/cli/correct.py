"""Commands that correct a gallery: names, merges, rejections, pictures; and log, that tells it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import GalleryFolder, Json
from saccade.cli.output import shown, tell
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.gallery import IdentityInfo

PictureIds = Annotated[
    list[int] | None,
    Parameter(
        name="--picture-id",
        consume_multiple=True,
        negative="",
        help="Numbers of enrolled pictures, as find --json and show tell them.",
    ),
]


def rename(gallery: GalleryFolder, old: str, new: str, /, *, json: Json = False) -> int:
    """Give an identity another name, which nobody has; its old one is overwritten.

    Parameters
    ----------
    old
        Name as it is.
    new
        Name as it shall be.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        info = opened.rename(old, new)
    tell(info, [f"renamed: {shown(old)} is {shown(new)} now", _line(info)], json=json)
    return 0


def merge(gallery: GalleryFolder, kept: str, merged: str, /, *, json: Json = False) -> int:
    """Say that two identities are one; unmerge undoes it exactly.

    Parameters
    ----------
    kept
        Name that the one identity has from now on.
    merged
        Name of the other. Its pictures stay under it, and so does what is enrolled under it later.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        info = opened.merge(kept, merged)
    tell(info, [f"merged: {shown(merged)} into {shown(kept)}", _line(info)], json=json)
    return 0


def unmerge(gallery: GalleryFolder, merged: str, /, *, json: Json = False) -> int:
    """Take a merge back: the merged identity stands for itself again.

    Parameters
    ----------
    merged
        Name of the identity that was merged into another.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        info = opened.unmerge(merged)
    tell(info, [f"unmerged: {shown(merged)}", _line(info)], json=json)
    return 0


def reject(
    gallery: GalleryFolder,
    name: str,
    picture: Path | None = None,
    /,
    *,
    picture_id: Annotated[int | None, Parameter(help="Number of an enrolled picture.")] = None,
    undo: Annotated[bool, Parameter(negative="", help="Take a rejection back.")] = False,
    near: Annotated[float | None, Parameter(help="Set the cosine of copies, 0.5 to 0.999.")] = None,
    json: Json = False,
) -> int:
    """Say that a picture does not show an identity: find never offers it for it again.

    Parameters
    ----------
    name
        Identity that the picture does not show.
    picture
        Picture file, enrolled or not. The rejection holds for near copies of it too.
    """
    from saccade.api.gallery import Gallery

    if (picture is None) == (picture_id is None):
        raise InputError("reject needs either a picture file or --picture-id NUMBER")
    with Gallery.open(gallery) as opened:
        if near is not None:
            opened.set_near(near)
        answer = opened.reject(picture or picture_id or 0, name, undo=undo)
    words = {
        "rejected": "is not",
        "unchanged": "was rejected before: it is not",
        "withdrawn": "may again be",
    }
    line = f"{answer.status}: {shown(answer.picture)} {words[answer.status]} {shown(name)}"
    tell(answer, [line], json=json)
    return 0


def move(
    gallery: GalleryFolder,
    name: str,
    /,
    *,
    picture_id: PictureIds = None,
    new: Annotated[bool, Parameter(negative="", help="Make an identity of that name.")] = False,
    json: Json = False,
) -> int:
    """Say that pictures show another identity: they become its, under new numbers.

    Parameters
    ----------
    name
        Identity that the pictures show. Each identity that they are taken from keeps one or more.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        answer = opened.move(_numbers(picture_id, "move"), name, new=new)
    lines = [
        f"moved: picture {before} is picture {now} of {shown(answer.identity)} now"
        for before, now in zip(answer.before, answer.now, strict=True)
    ]
    lines += [
        f"unchanged: picture {one} is of {shown(answer.identity)}" for one in answer.unchanged
    ]
    tell(answer, lines, json=json)
    return 0


def remove(gallery: Path, /, *, picture_id: PictureIds = None, json: Json = False) -> int:
    """Forget single pictures for good; exit code 1 while another reader delays it.

    Parameters
    ----------
    gallery
        Folder of the gallery. Each identity keeps one picture or more.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        gone = opened.remove(_numbers(picture_id, "remove"))
    lines = []
    for one in gone:
        count = "1 picture" if one.pictures == 1 else f"{one.pictures} pictures"
        lines.append(f"{one.status}: {count} of identity {one.number}")
        lines += [f"receipt: {receipt}" for receipt in one.receipts]
        if one.receipt is None:
            lines.append(f"{one.reason}; the next command on this gallery finishes it")
    tell(gone, lines, json=json)
    return 1 if any(one.receipt is None for one in gone) else 0


def _numbers(given: list[int] | None, command: str) -> list[int]:
    if not given:
        raise InputError(f"{command} needs --picture-id NUMBER; find --json and show tell it")
    return given


def log(gallery: GalleryFolder, /, *, name: str | None = None, json: Json = False) -> int:
    """Show what was done to a gallery, from its audit log; exit code 1 when the log was changed.

    Parameters
    ----------
    name
        Only what concerns this identity and what is merged with it.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        found = opened.log(name)
    lines = [f"{entry.number:>6}  {entry.at}  {shown(entry.words)}" for entry in found.entries]
    whole = "the log is whole: each entry fits the hash of the one before it"
    lines.append(f"the log was changed: {found.problem}" if found.problem else whole)
    tell({"whole": not found.problem, **asdict(found)}, lines, json=json)
    return 1 if found.problem else 0


def _line(info: "IdentityInfo") -> str:
    count = "1 picture" if info.pictures == 1 else f"{info.pictures} pictures"
    also = f", also called {', '.join(shown(name) for name in info.also)}" if info.also else ""
    return f"{shown(info.name)}: {count}{also}"


COMMANDS = {
    "rename": rename,
    "merge": merge,
    "unmerge": unmerge,
    "reject": reject,
    "move": move,
    "remove": remove,
    "log": log,
}
