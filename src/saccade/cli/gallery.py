"""Commands on a gallery: create, verify, threshold, list, forget, stats; all of them in a table."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saccade.cli.enrol import enrol
from saccade.cli.find import find
from saccade.cli.options import BROKEN, BrokenShare, Embedder, GalleryFolder, Json, Where
from saccade.cli.output import (
    line_of_created,
    lines_of_broken,
    say_json,
    shown,
    table,
    tell,
)
from saccade.errors import InputError

OfThose = Annotated[BrokenShare, Parameter(help="Share of those pictures that may be unreadable.")]


def create(
    gallery: Path,
    /,
    *,
    embedder: str | None = None,
    dimension: int | None = None,
    threshold: float | None = None,
    threshold_from: Path | None = None,
    broken: OfThose = BROKEN,
    keep_originals: Annotated[bool, Parameter(negative="")] = False,
    mirrored: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Make an empty gallery for the vectors of one embedder, or for vectors from elsewhere.

    Parameters
    ----------
    gallery
        Folder to make.
    embedder
        Run folder, an .onnx file with its card, or the word pixels for plain pixels.
    dimension
        Instead of an embedder: length of the vectors, which --vectors then brings.
    threshold
        Cosine similarity from which find and verify say yes; else the run's own.
    threshold_from
        Class folders, CSV, idx or .npz on whose pairs the threshold is found.
    keep_originals
        Keep the files of enrolled pictures in the gallery, for re-embed and export.
    mirrored
        Average each picture's vector with that of its mirror image, here and in every search.
    """
    if (embedder is None) == (dimension is None):
        raise InputError("create needs either --embedder RUN or --dimension NUMBER")
    if embedder is None:
        from saccade.cli import vectors

        if keep_originals:
            raise InputError("--keep-originals needs an --embedder; vectors have no files")
        if mirrored:
            raise InputError("--mirrored needs an --embedder; vectors have no mirror images")
        return vectors.create(gallery, dimension, threshold, threshold_from, json=json)
    from saccade.api.gallery import Gallery

    with Gallery.create(
        gallery,
        embedder=embedder,
        threshold=threshold,
        threshold_from=threshold_from,
        broken=broken,
        keep_originals=keep_originals,
        mirrored=mirrored,
    ) as made:
        stats, left_out = made.stats(), made.left_out
    line = line_of_created(gallery, stats)
    tell({**asdict(stats), "broken": left_out}, [*lines_of_broken(left_out), line], json=json)
    return 0


def verify(
    gallery: Path, a: Path, b: Path, /, *, embedder: Embedder = None, json: Json = False
) -> int:
    """Say whether two pictures show the same identity; exit code 1 when they do not.

    Parameters
    ----------
    gallery
        Folder of the gallery whose embedder and threshold are used.
    a
        First picture.
    b
        Second picture.
    """
    from saccade.api.gallery import Gallery

    with Gallery.open(gallery, embedder=embedder) as opened:
        answer = opened.verify(a, b)
    word = "same" if answer.same else "different"
    line = f"{word}   similarity {answer.similarity:.4f}   threshold {answer.threshold:.4f}"
    tell(answer, [line], json=json)
    return 0 if answer.same else 1


def threshold(
    gallery: GalleryFolder,
    value: float | None = None,
    /,
    *,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    broken: OfThose = BROKEN,
    json: Json = False,
) -> int:
    """Set the similarity from which find and verify say yes.

    Parameters
    ----------
    value
        Cosine similarity, -1 to 1.
    source
        Class folders on whose pairs it is found instead.
    """
    from saccade.api.gallery import Gallery

    if (value is None) == (source is None):
        raise InputError("threshold needs either a value or --from FOLDER")
    with Gallery.open(gallery) as opened:
        if source is not None:
            value = opened.threshold_on(source, broken=broken)
        opened.set_threshold(value)
        left_out = opened.left_out
    lines = [*lines_of_broken(left_out), f"threshold: {value:.4f}"]
    tell({"threshold": value, "broken": left_out}, lines, json=json)
    return 0


def list_(gallery: GalleryFolder, /, *, where: Where = None, json: Json = False) -> int:
    """List the identities of a gallery."""
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        identities = opened.identities(where)
    if json:
        say_json(identities)
        return 0
    merged = any(info.also for info in identities)
    heads = [("identity", "pictures", "enrolled", *(["also called"] if merged else []))]
    table(
        heads
        + [
            (shown(i.name), str(i.pictures), i.enrolled_at)
            + ((", ".join(map(shown, i.also)),) if merged else ())
            for i in identities
        ]
    )
    return 0


def forget(
    gallery: GalleryFolder,
    /,
    *names: str,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    expired: Annotated[bool, Parameter(negative="")] = False,
    on: str | None = None,
    search_all: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Remove identities for good; exit code 1 while another reader delays it.

    Parameters
    ----------
    names
        Identities to forget: all of them, or none when one is not there.
    source
        A text file that names more of them, a name a line.
    expired
        Instead of names: whoever's terms say that they are to be forgotten.
    on
        With --expired: the day, as 2027-01-31, instead of today (UTC).
    search_all
        Search the whole database for further copies of the vectors, however long that takes; the
        zeroed places are read back in any case.
    """
    from saccade.cli import keep

    return keep.forget(
        gallery, names, source, expired=expired, on=on, search_all=search_all, json=json
    )


def stats(gallery: GalleryFolder, /, *, json: Json = False) -> int:
    """Show how large a gallery is and how it was made."""
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        found = opened.stats()
    if json:
        say_json(found)
    else:
        table((key.replace("_", " "), _plain(value)) for key, value in asdict(found).items())
    return 0


def _plain(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else shown(str(value))


COMMANDS = {
    "create": create,
    "enrol": enrol,
    "find": find,
    "verify": verify,
    "threshold": threshold,
    "list": list_,
    "forget": forget,
    "stats": stats,
}
