"""The command that chooses pictures to label: label-next."""

from pathlib import Path

from saccade.cli.options import Json
from saccade.cli.output import progress_bar, say, say_json, shown
from saccade.errors import InputError


def label_next(
    run: str,
    /,
    *pictures: Path,
    count: int = 20,
    by: str = "margin",
    out: Path | None = None,
    json: Json = False,
) -> int:
    """Choose, of pictures without labels, those to label next; no near-copies.

    Parameters
    ----------
    run
        Run folder of a classifier, a regressor or an embedder, or the word pixels.
    pictures
        Picture files, or folders that are searched at any depth.
    count
        How many to choose.
    by
        What of a classifier counts as unsure: margin, of the two likeliest classes, or entropy.
    out
        CSV file to write: path, label (empty, for you), guess, probability, doubt.
    """
    from saccade.api.label_next import label_next as choose

    progress = progress_bar("looking", quiet=json)
    found = choose(run, pictures, count=count, by=by, out=out, progress=progress)
    if json:
        say_json(found)
    else:
        for one in found.pictures:
            guess = "" if one.doubt is None else f"   doubt {one.doubt:.4f}   {shown(one.guess)}?"
            say(f"{shown(one.picture)}{guess}")
        few = len(found.pictures) < min(count, found.seen)
        rest = "; the others are copies of these" if few else ""
        say(f"{len(found.pictures)} of {found.seen} pictures, by {found.by}{rest}")
        if out is not None:
            say(f"written: {shown(str(out))}")
    if found.broken:
        raise InputError(f"{len(found.broken)} pictures were left out: {found.broken[0].reason}")
    return 0


COMMANDS = {"label-next": label_next}
