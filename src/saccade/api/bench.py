"""``compare``: the index kinds measured on the vectors of a gallery."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from saccade.errors import GalleryError, InputError
from saccade.files import existing_folder, write_atomic
from saccade.gallery import rows
from saccade.gallery.database import Database
from saccade.gallery.store import read_meta
from saccade.judge.search import QUERIES, TOP, Progress, SearchScores, judge_kinds
from saccade.values import Float32Array
from saccade.vectors import INDEXES

HTML = (".html", ".htm")  # so that no picture or database is overwritten


def compare(
    gallery: Path | str,
    *,
    kinds: Iterable[str] = tuple(INDEXES),
    queries: int = QUERIES,
    top: int = TOP,
    report: Path | str | None = None,
    progress: Progress = iter,
) -> SearchScores:
    """Compare index kinds on the vectors of a gallery, and write a report if asked.

    Raises GalleryError when the gallery cannot be opened or holds fewer than two pictures, and
    InputError for an unknown kind, a number below 1, or a report that cannot be written. A kind
    whose library is not installed is among ``missing``. ``progress`` passes the kinds through.
    """
    place = None if report is None else Path(report)
    if place is not None and (place.is_dir() or not place.absolute().parent.is_dir()):
        raise InputError(f"report {place} must be a file in a folder that exists")
    if place is not None and place.suffix not in HTML:
        raise InputError(f"report {place} would be an HTML page; let its name end in .html")
    vectors = read_vectors(gallery)
    if len(vectors) < 2:
        raise GalleryError(
            f"gallery {gallery} holds {len(vectors)} pictures; a comparison needs 2 or more: enrol "
            f"some first"
        )
    scores = judge_kinds(vectors, [*kinds], queries=queries, top=top, progress=progress)
    if place is not None:
        from saccade.judge.search_report import search_report  # Loads the charts.

        write_atomic(place, search_report(scores, gallery=str(gallery)))
    return scores


def read_vectors(gallery: Path | str) -> Float32Array:
    """Return the vectors of a gallery (n, d), rows of length 1 by picture number."""
    database = Database(existing_folder(gallery, "gallery"))
    try:
        with database.reading() as connection:
            dimension = read_meta(connection).dimension
        with database.translated():
            found = [chunk.vectors(dimension) for chunk in rows.every(database.reading)]
    finally:
        database.close()
    return np.concatenate([np.empty((0, dimension), np.float32), *found])
