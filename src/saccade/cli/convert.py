"""``saccade convert DATA OUT --to voc``: pictures with boxes from one format to another."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import Json
from saccade.cli.output import line_of_count, shown, tell

if TYPE_CHECKING:
    from saccade.api.convert import Converted

SHOWN, LETTERS = 12, 40  # categories that are named, letters of each


def convert(
    data: Path,
    out: Path,
    /,
    *,
    to: str,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    pictures: str = "copy",
    first_pixel: int | None = None,
    json: Json = False,
) -> int:
    """Write pictures with boxes in another format; exit code 1 when something was left out.

    What cannot be used, or what the new format cannot hold, is counted, with the first of each.

    Parameters
    ----------
    data
        Folder of pictures with boxes, or its .json, data.yaml or .csv file.
    out
        Folder to make; it is there whole, or not at all.
    to
        Format to write: coco, voc, yolo or csv.
    from_
        Format to read, where several fit.
    pictures
        What becomes of them: copy, link (hard links, which take no room), or none.
    first_pixel
        What the corners of VOC (else 1) or CSV (else 0) count from: 1 for pixels inside the box, 0
        for edges.
    """
    from saccade.api.convert import convert as write

    done = write(data, out, to=to, pictures=pictures, layout=from_, first_pixel=first_pixel)
    tell(done.to_dict(), _lines(done), json=json)
    return 1 if done.left_out else 0


def _lines(done: "Converted") -> Iterator[str]:
    for part, one in done.parts.items():
        empty = f", {one.empty:,} of them without a box" if one.empty else ""
        name = f"{part:<5}  " if part else ""
        yield f"{name}{one.boxes:,} boxes in {one.pictures:,} pictures{empty}"
    names = ", ".join(f"{shown(name):.{LETTERS}}" for name in done.categories[:SHOWN])
    more = ", …" if len(done.categories) > SHOWN else ""
    yield f"{len(done.categories):,} categories: {names}{more}"
    for told in (*done.left_out, *done.changed):
        yield line_of_count(told)
    yield f"{done.to}: {shown(str(done.out))}"


COMMANDS = {"convert": convert}
