"""Commands on a gallery: create, enrol, find, verify, threshold, list, forget, stats."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.index import bring_up
from saccade.cli.output import (
    answer,
    bar,
    line_of_created,
    lines_of_broken,
    lines_of_found,
    say,
    say_json,
    shown,
    table,
    tell,
)
from saccade.config import DataSettings
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.data import vector_parquet
    from saccade.values import Sample

Json = Annotated[bool, Parameter(negative="", help="Print one JSON document instead of text.")]
As = Annotated[str | None, Parameter(name="--as", help="Name of the identity all pictures show.")]
Columns = Annotated[
    str | None, Parameter(help="With a .parquet, if called otherwise: vector,identity,name.")
]
BROKEN_SHARE = DataSettings().broken
BrokenShare = Annotated[
    float, Parameter(name="--data.broken", help="Share of those pictures that may be unreadable.")
]
Where = Annotated[
    str | None, Parameter(help='Only pictures whose facts fit: "site = A and year >= 2020".')
]
Embedder = Annotated[
    str | None, Parameter(help="Run folder to check against; else the gallery's own copy.")
]


def create(
    gallery: Path,
    /,
    *,
    embedder: str | None = None,
    dimension: int | None = None,
    threshold: float | None = None,
    threshold_from: Path | None = None,
    broken: BrokenShare = BROKEN_SHARE,
    keep_originals: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Make an empty gallery for the vectors of one embedder, or for vectors from elsewhere.

    Parameters
    ----------
    gallery
        Folder to make.
    embedder
        Run folder, or the word pixels for plain pixels.
    dimension
        Instead of an embedder: length of the vectors, which --vectors then brings.
    threshold
        Cosine similarity from which find and verify say yes; else the run's own.
    threshold_from
        Class folders, CSV, idx or .npz on whose pairs the threshold is found.
    keep_originals
        Keep the files of enrolled pictures in the gallery, for re-embed and export.
    """
    if (embedder is None) == (dimension is None):
        raise InputError("create needs either --embedder RUN or --dimension NUMBER")
    if embedder is None:
        from saccade.cli import vectors

        if keep_originals:
            raise InputError("--keep-originals needs an --embedder; vectors have no files")
        return vectors.create(gallery, dimension, threshold, threshold_from, json=json)
    from saccade.api.gallery import Gallery

    with Gallery.create(
        gallery,
        embedder=embedder,
        threshold=threshold,
        threshold_from=threshold_from,
        broken=broken,
        keep_originals=keep_originals,
    ) as made:
        stats, left_out = made.stats(), made.left_out
    line = line_of_created(gallery, stats)
    tell({**asdict(stats), "broken": left_out}, [*lines_of_broken(left_out), line], json=json)
    return 0


def enrol(
    gallery: Path,
    /,
    *pictures: Path,
    as_: As = None,
    vectors: Path | None = None,
    identities: Path | None = None,
    columns: Columns = None,
    embedder: Embedder = None,
    expires: str | None = None,
    json: Json = False,
) -> int:
    """Put pictures, or vectors, into a gallery; exit code 1 when some were skipped.

    Parameters
    ----------
    gallery
        Folder of the gallery.
    pictures
        Picture files, folders of pictures (with --as), or data with identities: class folders, a
        CSV, an idx pair, a .npz.
    vectors
        Instead of pictures: a .npy array of shape (n, d), or a .parquet table.
    identities
        With a .npy: a text file that names whom each row shows, a name a line.
    expires
        Day, as 2027-01-31, from which whoever gets a new picture is no hit and may be forgotten.
    """
    if vectors is not None:
        from saccade.cli import vectors as of_vectors
        from saccade.data.vector_files import read_vectors

        _no_pictures(pictures, as_, embedder)
        file = read_vectors(vectors, identities=identities, columns=_named(columns))
        return of_vectors.enrol(gallery, file, expires=expires, json=json)
    if identities is not None or columns is not None:
        raise InputError("--identities and --columns belong to --vectors FILE, which is missing")
    from saccade.api.gallery import Gallery

    samples = _samples(pictures, as_)
    counts: dict[str, int] = {"enrolled": 0, "unchanged": 0, "skipped": 0}
    done = []
    with Gallery.open(gallery, embedder=embedder) as opened:
        for item in bar(
            opened.enrolling(samples, expires=expires),
            total=len(samples),
            what="enrolling",
            quiet=json,
        ):
            counts[item.status] += 1
            done.append(item)
            if not json:
                why = f"   {shown(item.reason)}" if item.reason else ""
                say(f"{item.status:<10} {shown(item.identity)}   {shown(item.picture)}{why}")
        bring_up(opened, quiet=json)
    if json:
        say_json({**counts, "pictures": done})
    else:
        say(", ".join(f"{count} {word}" for word, count in counts.items()))
    if counts["skipped"] == len(samples):
        raise InputError(f"nothing was enrolled: {done[0].reason}")
    return 1 if counts["skipped"] else 0


def find(
    gallery: Path,
    /,
    *pictures: Path,
    top: Annotated[int, Parameter(help="Identities to show for each picture.")] = 5,
    vectors: Path | None = None,
    columns: Columns = None,
    exact: Annotated[bool, Parameter(negative="", help="Compare with every picture.")] = False,
    where: Where = None,
    embedder: Embedder = None,
    json: Json = False,
) -> int:
    """Say who or what pictures show; exit code 1 when none is known.

    Parameters
    ----------
    gallery
        Folder of the gallery.
    pictures
        Picture files, or folders that are searched at any depth.
    vectors
        Instead of pictures: a .npy array of shape (n, d), or a .parquet table.
    """
    if top < 1:
        raise InputError(f"--top must be at least 1. Got {top} instead")
    if vectors is not None:
        from saccade.cli import vectors as of_vectors
        from saccade.data.vector_files import read_vectors

        _no_pictures(pictures, None, embedder)
        file = read_vectors(vectors, columns=_named(columns))
        return of_vectors.find(gallery, file, top, exact=exact, where=where, json=json)
    if columns is not None:
        raise InputError("--columns belongs to --vectors FILE, which is missing")
    from saccade.api.gallery import Gallery
    from saccade.data.pictures import find_pictures

    paths = [found for item in _some(pictures) for found in find_pictures(item)]
    with Gallery.open(gallery, embedder=embedder) as opened:
        searching = opened.searching(paths, k=top, exact=exact, where=where)
        answers = list(bar(searching, total=len(paths), what="searching", quiet=json))
    lines = [line for found in answers for line in lines_of_found(found)]
    tell([answer(found) for found in answers], lines, json=json)
    broken = [found.reason for found in answers if found.reason]
    if broken:
        raise InputError(f"{len(broken)} of {len(answers)} pictures have no answer: {broken[0]}")
    return 0 if any(found.known for found in answers) else 1


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
    gallery: Path,
    value: float | None = None,
    /,
    *,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    broken: BrokenShare = BROKEN_SHARE,
    json: Json = False,
) -> int:
    """Set the similarity from which find and verify say yes.

    Parameters
    ----------
    gallery
        Folder of the gallery.
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


def list_(gallery: Path, /, *, where: Where = None, json: Json = False) -> int:
    """List the identities of a gallery.

    Parameters
    ----------
    gallery
        Folder of the gallery.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        identities = opened.identities(where)
    if json:
        say_json(identities)
        return 0
    heads = [("identity", "pictures", "enrolled")]
    table(heads + [(shown(i.name), str(i.pictures), i.enrolled_at) for i in identities])
    return 0


def forget(
    gallery: Path,
    /,
    *names: str,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    expired: Annotated[bool, Parameter(negative="")] = False,
    on: str | None = None,
    json: Json = False,
) -> int:
    """Remove identities for good; exit code 1 while another reader delays it.

    Parameters
    ----------
    gallery
        Folder of the gallery.
    names
        Identities to forget: all of them, or none when one is not there.
    source
        A text file that names more of them, a name a line.
    expired
        Instead of names: whoever's terms say that they are to be forgotten.
    on
        With --expired: the day, as 2027-01-31, instead of today (UTC).
    """
    from saccade.cli import keep

    return keep.forget(gallery, names, source, expired=expired, on=on, json=json)


def stats(gallery: Path, /, *, json: Json = False) -> int:
    """Show how large a gallery is and how it was made.

    Parameters
    ----------
    gallery
        Folder of the gallery.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        found = opened.stats()
    if json:
        say_json(found)
    else:
        table((key.replace("_", " "), _plain(value)) for key, value in asdict(found).items())
    return 0


def _plain(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _samples(pictures: tuple[Path, ...], name: str | None) -> "list[Sample]":
    from saccade.data.pictures import find_pictures
    from saccade.data.readers import is_data_file, read_data
    from saccade.values import Sample

    samples: list[Sample] = []
    for item in _some(pictures):
        if name is not None:
            samples += [Sample(path, name) for path in find_pictures(item)]
        elif item.is_file() and not is_data_file(item):
            raise InputError(f"whom {item} shows is not said; add --as NAME")
        else:
            samples += read_data(item)
    return samples


def _no_pictures(pictures: tuple[Path, ...], as_: str | None, embedder: str | None) -> None:
    if pictures or as_ is not None:
        raise InputError("--vectors stands alone; give pictures, or --as, in another command")
    if embedder is not None:
        raise InputError("--vectors needs no --embedder; leave it out")


def _named(columns: str | None) -> "vector_parquet.Columns | None":
    if columns is None:
        return None
    from saccade.data import vector_parquet

    names = [name.strip() for name in columns.split(",")]
    if len(names) > 3 or not all(names):
        raise InputError(
            f"--columns takes up to three names: vector,identity,name. Got '{columns}'"
        )
    return vector_parquet.Columns(*names)


def _some(pictures: tuple[Path, ...]) -> Iterable[Path]:
    if not pictures:
        raise InputError("no picture is named; give files or folders")
    return pictures


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
