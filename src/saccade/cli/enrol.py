"""``saccade enrol GALLERY …``: pictures, photos or vectors into a gallery."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.index import bring_up
from saccade.cli.options import (
    AnyQuality,
    Columns,
    Detector,
    Embedder,
    GalleryFolder,
    Json,
    Largest,
    named_columns,
    require_vectors_alone,
)
from saccade.cli.output import bar, say, say_json, shown
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.gallery import Enrolled, Gallery
    from saccade.values import Sample

As = Annotated[str | None, Parameter(name="--as", help="Name of the identity all pictures show.")]


def enrol(
    gallery: GalleryFolder,
    /,
    *pictures: Path,
    as_: As = None,
    vectors: Path | None = None,
    identities: Path | None = None,
    columns: Columns = None,
    embedder: Embedder = None,
    detector: Detector = None,
    largest: Largest = False,
    any_quality: AnyQuality = False,
    expires: str | None = None,
    unnamed: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Put pictures, or vectors, into a gallery; exit code 1 when some were skipped.

    Parameters
    ----------
    pictures
        Picture files, folders of pictures (with --as), or data with identities: class folders, a
        CSV, an idx pair, a .npz.
    vectors
        Instead of pictures: a .npy array of shape (n, d), or a .parquet table.
    identities
        With a .npy: a text file that names whom each row shows, a name a line.
    expires
        Day, as 2027-01-31, from which whoever gets a new picture is no hit and may be forgotten.
    unnamed
        Nobody knows whom the pictures show: each, or each box of a photo, gets a made-up name; then
        see group.
    """
    if vectors is not None:
        from saccade.cli import vectors as of_vectors
        from saccade.data.vector_files import read_vectors

        require_vectors_alone(pictures, as_, embedder, detector)
        file = read_vectors(vectors, identities=identities, columns=named_columns(columns))
        return of_vectors.enrol(gallery, file, expires=expires, json=json)
    if identities is not None or columns is not None:
        raise InputError("--identities and --columns belong to --vectors FILE, which is missing")
    if detector is None and (largest or any_quality):
        raise InputError("--largest and --any-quality belong to --detector FILE, which is missing")
    from saccade.api.gallery import Gallery

    if unnamed and (as_ is not None or largest or expires is not None):
        raise InputError("--unnamed stands without --as, --largest and --expires; leave them out")
    samples = _samples(pictures, "" if unnamed else as_)
    counts: dict[str, int] = {"enrolled": 0, "unchanged": 0, "skipped": 0}
    done = []
    with Gallery.open(gallery, embedder=embedder) as opened:
        enrolling = (
            _enrolling_unnamed(opened, samples, detector, any_quality)
            if unnamed
            else _enrolling(opened, samples, detector, largest, any_quality, expires)
        )
        for item in bar(enrolling, total=len(samples), what="enrolling", quiet=json):
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
    if counts["skipped"] == len(done):
        raise InputError(f"nothing was enrolled: {done[0].reason}")
    return 1 if counts["skipped"] else 0


def _enrolling(
    gallery: "Gallery",
    samples: "list[Sample]",
    detector: Path | None,
    largest: bool,
    any_quality: bool,
    expires: str | None,
) -> "Iterator[Enrolled]":
    """Whole pictures, or what a detector finds in them."""
    if detector is None:
        return gallery.enrolling(samples, expires=expires)
    from saccade.api.pictures import enrol_photos, open_detector
    from saccade.cli.pictures import warn_of_detector

    finder = open_detector(detector)
    warn_of_detector(gallery, finder)
    return enrol_photos(
        gallery,
        samples,
        detector=finder,
        largest=largest,
        any_quality=any_quality,
        expires=expires,
    )


def _enrolling_unnamed(
    gallery: "Gallery", samples: "list[Sample]", detector: Path | None, any_quality: bool
) -> "Iterator[Enrolled]":
    """Whole pictures, or all that a detector finds in them, under made-up names."""
    if detector is None:
        return gallery.enrolling_unnamed(samples)
    from saccade.api.pictures import enrol_unnamed_photos, open_detector
    from saccade.cli.pictures import warn_of_detector

    finder = open_detector(detector)
    warn_of_detector(gallery, finder)
    return enrol_unnamed_photos(gallery, samples, detector=finder, any_quality=any_quality)


def _samples(pictures: tuple[Path, ...], name: str | None) -> "list[Sample]":
    from saccade.data.pictures import find_pictures
    from saccade.data.readers import is_data_file, read_data
    from saccade.values import Sample

    if not pictures:
        raise InputError("no picture is named; give files or folders")
    samples: list[Sample] = []
    for item in pictures:
        if name is not None:
            samples += [Sample(path, name) for path in find_pictures(item)]
        elif item.is_file() and not is_data_file(item):
            raise InputError(f"whom {item} shows is not said; add --as NAME")
        else:
            samples += read_data(item)
    return samples
