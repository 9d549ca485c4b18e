"""Vectors out of files into a gallery, and searches with them. Needs no embedder, and no torch."""

from collections.abc import Iterator
from pathlib import Path

from saccade.data.vector_files import VectorFile
from saccade.errors import InputError
from saccade.gallery import BulkEnrolled, Gallery
from saccade.gallery.gallery_open import PLAIN_VECTORS
from saccade.values import Found


def create_for_vectors(
    folder: Path | str, dimension: int, *, threshold: float | None = None
) -> Gallery:
    """Make an empty gallery for vectors that come from elsewhere; it takes no pictures."""
    return Gallery.create(
        folder,
        fingerprint=PLAIN_VECTORS,
        dimension=dimension,
        threshold=threshold,
        description="vectors, no embedder",
    )


def enrol_file(
    gallery: Gallery, file: VectorFile, *, expires: str | None = None
) -> Iterator[BulkEnrolled]:
    """Enrol a file of vectors; yields the counts so far. Raises InputError that names the file."""
    done = BulkEnrolled()
    _require_dimension(gallery, file)
    try:
        for done in gallery.enrol_bulk(file, expires=expires):
            yield done
    except InputError as error:
        kept = f"; the {done.rows:,} rows before stay enrolled" if done.rows else ""
        raise InputError(_with_place(file, error) + kept) from error


def find_file(
    gallery: Gallery,
    file: VectorFile,
    k: int,
    *,
    exact: bool = False,
    where: str | None = None,
) -> Iterator[Found]:
    """Search with each vector of a file; a row is called "row 0", …"""
    _require_dimension(gallery, file)
    row = 0
    for vectors in file.vectors():
        names = [f"row {number}" for number in range(row, row + len(vectors))]
        try:
            yield from gallery.find_vectors(vectors, k, names, exact=exact, where=where)
        except InputError as error:
            raise InputError(_with_place(file, error)) from error
        row += len(vectors)


def _require_dimension(gallery: Gallery, file: VectorFile) -> None:
    if file.rows and file.dimension != gallery.dimension:
        raise InputError(
            f"{file.path}: vectors have length {file.dimension}, gallery {gallery.folder} holds "
            f"length {gallery.dimension}; embed with the model that the gallery was made for"
        )


def _with_place(file: VectorFile, error: InputError) -> str:
    """The error's text, with the file's name unless the reader put one there."""
    text = str(error)
    return f"{file.path}: {text}" if text.startswith(("vectors row", "identities row")) else text
