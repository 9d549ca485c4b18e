"""``saccade find GALLERY …``: who or what pictures, photos, videos or vectors show."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saccade.cli.options import (
    AnyQuality,
    Columns,
    Detector,
    Embedder,
    GalleryFolder,
    Json,
    Where,
    named_columns,
    require_vectors_alone,
)
from saccade.cli.output import answer, bar, lines_of_found, tell
from saccade.errors import InputError


def find(
    gallery: GalleryFolder,
    /,
    *pictures: Path,
    top: Annotated[int, Parameter(help="Identities to show for each picture.")] = 5,
    vectors: Path | None = None,
    columns: Columns = None,
    exact: Annotated[bool, Parameter(negative="", help="Compare with every picture.")] = False,
    where: Where = None,
    embedder: Embedder = None,
    detector: Detector = None,
    painted: Path | None = None,
    every: Annotated[int, Parameter(help="Of a video, every n-th frame.")] = 1,
    webcam: str | None = None,
    any_quality: AnyQuality = False,
    json: Json = False,
) -> int:
    """Say who or what pictures show; exit code 1 when none is known.

    Parameters
    ----------
    pictures
        Picture files, or folders that are searched at any depth; with --detector photos, or one
        video, of which each frame is a line of JSON.
    vectors
        Instead of pictures: a .npy array of shape (n, d), or a .parquet table.
    painted
        With --detector: a folder for the photos with boxes and names on them; of a video an .mp4.
    webcam
        With --detector, instead of pictures: the number of a camera, from 0; Ctrl-C ends it.
    """
    if top < 1:
        raise InputError(f"--top must be at least 1. Got {top} instead")
    if vectors is not None:
        from saccade.cli import vectors as of_vectors
        from saccade.data.vector_files import read_vectors

        require_vectors_alone(pictures, None, embedder, detector)
        file = read_vectors(vectors, columns=named_columns(columns))
        return of_vectors.find(gallery, file, top, exact=exact, where=where, json=json)
    if columns is not None:
        raise InputError("--columns belongs to --vectors FILE, which is missing")
    if webcam is None and not pictures:
        raise InputError("no picture is named; give files or folders")
    if detector is not None:
        from saccade.cli import pictures as of_pictures

        options = of_pictures.Options(
            detector, painted, every, webcam, top, any_quality, exact, where
        )
        return of_pictures.find(gallery, pictures, options, embedder=embedder, json=json)
    if painted is not None or webcam is not None or every != 1 or any_quality:
        raise InputError(
            "--painted, --every, --webcam and --any-quality belong to --detector FILE, which is "
            "missing"
        )
    from saccade.api.gallery import Gallery
    from saccade.data.pictures import find_pictures

    paths = [found for item in pictures for found in find_pictures(item)]
    with Gallery.open(gallery, embedder=embedder) as opened:
        searching = opened.searching(paths, k=top, exact=exact, where=where)
        answers = list(bar(searching, total=len(paths), what="searching", quiet=json))
    lines = [line for found in answers for line in lines_of_found(found)]
    tell([answer(found) for found in answers], lines, json=json)
    broken = [found.reason for found in answers if found.reason]
    if broken:
        raise InputError(f"{len(broken)} of {len(answers)} pictures have no answer: {broken[0]}")
    return 0 if any(found.known for found in answers) else 1
