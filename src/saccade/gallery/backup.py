"""A copy of a whole gallery, made while others search it and write to it.

SQLite's online backup copies the pages of one snapshot. The copy is opened and checked beside its
place; it is a gallery, and is restored by being moved to where it is needed. Until all is there its
database has another name, so that what a killed backup leaves is no gallery (``drafts``). Codes are
derived and left out. Who is forgotten later stays in it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from saccade.errors import GalleryError
from saccade.gallery import check, code_place, drafts, store
from saccade.gallery.database import Database
from saccade.gallery.schema import DATABASE_NAME

UNFINISHED = f"{DATABASE_NAME}.unfinished"


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
    with drafts.making(out, "backup", outside=source) as draft:
        draft.mkdir()
        database = Database(source)
        try:
            database.copy_to(draft / UNFINISHED)
        finally:
            database.close()
        for item in source.iterdir():
            if item.is_dir() and item.name != code_place.FOLDER and not item.name.startswith("."):
                shutil.copytree(item, draft / item.name, ignore=shutil.ignore_patterns(".*.part"))
        (draft / UNFINISHED).rename(draft / DATABASE_NAME)
        identities, pictures, generation = _checked(draft)
        size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    return Backup(out, identities, pictures, generation, size)


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
