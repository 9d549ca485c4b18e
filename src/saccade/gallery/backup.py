"""A copy of a whole gallery, made while others search it and write to it.

SQLite's online backup copies the pages of one snapshot. The copy is opened and checked under
another name, and takes its own at the end; it is a gallery, and is restored by being moved to where
it is needed. Codes are derived and left out. Who is forgotten later stays in it.
"""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from saccade.errors import GalleryError
from saccade.files import sync
from saccade.gallery import check, code_place, store
from saccade.gallery.database import Database
from saccade.gallery.schema import DATABASE_NAME


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied: the gallery at ``generation``."""

    folder: Path
    identities: int
    pictures: int
    generation: int
    bytes: int


def backup(source: Path, out: Path) -> Backup:
    """Copy the gallery ``source`` to the new folder ``out``, all of it or nothing.

    Raises GalleryError when something stands at ``out``, or when the copy is not whole.
    """
    refuse(source, out)
    draft = out.parent / f".{out.name}.{secrets.token_hex(4)}.part"
    try:
        draft.mkdir()
        database = Database(source)
        try:
            database.copy_to(draft / DATABASE_NAME)
        finally:
            database.close()
        for item in source.iterdir():
            if item.is_dir() and item.name != code_place.FOLDER and not item.name.startswith("."):
                shutil.copytree(item, draft / item.name)
        identities, pictures, generation = _checked(draft)
        size = 0
        for path in sorted(draft.rglob("*"), reverse=True):
            size += path.stat().st_size if path.is_file() else 0
            sync(path)
        sync(draft)
        refuse(source, out)
        draft.rename(out)
        sync(out.parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise GalleryError(f"backup {out} cannot be made: {why}; choose another place") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Backup(out, identities, pictures, generation, size)


def refuse(source: Path, out: Path) -> None:
    """Raise GalleryError when ``out`` exists, or lies in the gallery itself."""
    if out.exists() or out.is_symlink():
        raise GalleryError(f"{out} exists already; name a new place")
    if not out.absolute().parent.is_dir():
        raise GalleryError(f"folder {out.absolute().parent} does not exist; make it first")
    if out.resolve().is_relative_to(source.resolve()):
        raise GalleryError(f"{out} lies in the gallery itself; name a place outside")


def _checked(draft: Path) -> tuple[int, int, int]:
    """Open the copy and return its identities, pictures and generation."""
    database = Database(draft)
    try:
        with database.reading() as connection:
            problem = next(check.outline_problems(connection), None)
            counts = store.counts(connection)
            generation = store.read_meta(connection).generation
    finally:
        database.close()
    if problem is not None:
        raise GalleryError(f"the copy is not whole: {problem}; look after the disk")
    return counts["identities"], counts["pictures"], generation
