"""What an export looks like on disk, and how one that may come from anybody is read.

A folder, or a zip of it, that other programs can read:

    gallery.json         the embedder's fingerprint, the dimension, counts, hashes of the tables
    identities.parquet   name, enrolled_at, consent, expires, facts (JSON)
    pictures.parquet     number, identity, name (of the file), source_sha256, vector (float32),
                         facts (JSON), thumbnail, thumbnail_sha256, original (files below, or
                         null); of a crop also photo (8 digits of its SHA-256), x, y, width, height
                         (the box in it), aligned
    merges.parquet       merged, kept, at
    rejections.parquet   identity that it is not, name (of the file), source_sha256, vector, at
    thumbnails/NUMBER.jpg
    originals/NUMBER.ENDING

Names of files are numbers, so that no name can lead anywhere; whatever else is found is refused, as
are links. All sizes are looked at before anything is read. The tables: ``archive_tables``.
"""

import contextlib
import hashlib
import json
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.gallery.archive_tables import TABLES

FORMAT, VERSION = "saccade gallery export", 2
MANIFEST, DETECTOR = "gallery.json", "detector"
THUMBNAILS, ORIGINALS = "thumbnails", "originals"
MEMBER = re.compile(r"(thumbnails|originals)/[0-9]{1,19}(\.[a-z0-9]{1,5})?")
MOST_MANIFEST_BYTES, MOST_THUMBNAIL_BYTES, MOST_PICTURE_BYTES = 1 << 20, 1 << 20, 1 << 30
MOST_DETECTOR = 200  # characters
MOST_RATIO = 200  # of what a part of a zip unpacks to; pictures and vectors hardly pack at all
AGAIN = "export it again"
BROKEN = (
    *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error),
)


class Archive:
    """An export, open for reading; ``close`` removes what was unpacked of a zip.

    Raises InputError, one line, for anything that no export is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary: Path | None = None
        self._zip: zipfile.ZipFile | None = None
        if not path.exists():
            raise InputError(f"{path} does not exist; check the path")
        try:
            self._sizes = self._sizes_of_folder() if path.is_dir() else self._sizes_of_zip()
            self.manifest = self._read_manifest()
            self.version = int(self.manifest["version"])
            for name in TABLES[self.version]:
                if name not in self._sizes:
                    raise self.refused(f"{name} is missing")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the zip, and remove what was unpacked."""
        if self._zip is not None:
            self._zip.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def table(self, name: str) -> Path:
        """Return a file that holds a table, whose hash is the manifest's."""
        with self._explained(name):
            place = self.path / name if self._zip is None else self._unpacked(name)
            with place.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != self.manifest["files"].get(name):
            raise self.refused(f"{name} is damaged, its hash is another")
        return place

    def read(self, name: object, folder: str, sha256: str) -> bytes:
        """Return a picture's file; ``name`` is as the table says it."""
        if not isinstance(name, str) or not name.startswith(f"{folder}/"):
            raise self.refused(f"a picture's file is called {name!r:.60}")
        if name not in self._sizes:
            raise self.refused(f"{name!r:.60} is missing")
        with self._explained(name), self._opened(name) as stream:
            content: bytes = stream.read(self._sizes[name] + 1)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self.refused(f"{name} is damaged, its hash is another")
        return content

    @contextlib.contextmanager
    def placed(self, table: str, row: int) -> Iterator[None]:
        """Name the archive, the table and the row in what is raised of a row."""
        try:
            yield
        except InputError as error:
            if str(error).startswith(str(self.path)):
                raise
            raise self.refused(f"{table} row {row}: {error}") from error

    def refused(self, why: str) -> InputError:
        """Return the error that says why this is no export."""
        return InputError(f"{self.path} is no export, or it is damaged: {why}; {AGAIN}")

    def _sizes_of_folder(self) -> dict[str, int]:
        sizes = {}
        if not (self.path / MANIFEST).is_file():
            raise self.refused(f"{MANIFEST} is missing")
        paths = sorted(self.path.iterdir())
        for folder in (THUMBNAILS, ORIGINALS):
            if (self.path / folder).is_dir() and not (self.path / folder).is_symlink():
                paths += sorted((self.path / folder).iterdir())
        for path in paths:
            name = path.relative_to(self.path).as_posix()
            about = path.lstat()
            if stat.S_ISLNK(about.st_mode):
                raise self.refused(f"{name!r:.60} is a link")
            if stat.S_ISDIR(about.st_mode) and name in (THUMBNAILS, ORIGINALS):
                continue
            if not stat.S_ISREG(about.st_mode):
                raise self.refused(f"{name!r:.60} is no file")
            self._require_allowed(name, about.st_size)
            sizes[name] = about.st_size
        return sizes

    def _sizes_of_zip(self) -> dict[str, int]:
        if not self.path.is_file():
            raise self.refused("it is neither a folder nor a file")
        with self._explained("it"):
            self._zip = zipfile.ZipFile(self.path)
        sizes: dict[str, int] = {}
        packed = 0
        for entry in self._zip.infolist():
            if entry.filename in (f"{THUMBNAILS}/", f"{ORIGINALS}/"):
                continue
            self._require_allowed(entry.filename, entry.file_size)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise self.refused(f"{entry.filename!r:.60} is a link")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise self.refused(f"{entry.filename!r:.60} is packed otherwise than by deflate")
            if entry.filename in sizes:
                raise self.refused(f"{entry.filename!r:.60} stands in it twice")
            if entry.file_size > MOST_RATIO * entry.compress_size + MOST_MANIFEST_BYTES:
                raise self.refused(f"{entry.filename!r:.60} unpacks to {entry.file_size:,} bytes")
            sizes[entry.filename] = entry.file_size
            packed += entry.compress_size
        if packed > self.path.stat().st_size:
            raise self.refused("its parts overlap")
        return sizes

    def _require_allowed(self, name: str, size: int) -> None:
        if name in TABLES[VERSION]:
            return
        if name != MANIFEST and not MEMBER.fullmatch(name):
            raise self.refused(f"it holds {name!r:.60}, which no export has")
        most = {MANIFEST: MOST_MANIFEST_BYTES, THUMBNAILS: MOST_THUMBNAIL_BYTES}
        if size > most.get(name.partition("/")[0], MOST_PICTURE_BYTES):
            raise self.refused(f"{name} has {size:,} bytes")

    def _read_manifest(self) -> dict[str, Any]:
        if MANIFEST not in self._sizes:
            raise self.refused(f"{MANIFEST} is missing")
        try:
            with self._explained(MANIFEST), self._opened(MANIFEST) as stream:
                found = json.loads(stream.read(MOST_MANIFEST_BYTES))
        except (ValueError, RecursionError) as error:
            raise self.refused(f"{MANIFEST} cannot be read") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise self.refused(f"{MANIFEST} says nothing of '{FORMAT}'")
        version = found.get("version")
        if type(version) is not int or version not in TABLES:
            raise InputError(
                f"{self.path} has version {version!r:.20} of the format, this Saccade reads "
                f"{', '.join(map(str, TABLES))}; install a newer one"
            )
        numbers = ("dimension", *(Path(table).stem for table in TABLES[version]))
        right = all(type(found.get(key)) is int and found[key] >= 0 for key in numbers)
        if not right or not isinstance(found.get("fingerprint"), str):
            raise self.refused(f"{MANIFEST} lacks counts or the fingerprint")
        if not isinstance(found.get("files"), dict):
            raise self.refused(f"{MANIFEST} lacks the hashes of the tables")
        detector = found.get(DETECTOR, "")
        if not isinstance(detector, str) or len(detector) > MOST_DETECTOR:
            raise self.refused(f"{MANIFEST} names no detector")
        return found

    def _opened(self, name: str) -> Any:
        return (self.path / name).open("rb") if self._zip is None else self._zip.open(name)

    def _unpacked(self, name: str) -> Path:
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="saccade-import-"))
        place = self._temporary / name
        if not place.exists():
            with self._opened(name) as stream, place.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
        return place

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except BROKEN as error:
            why = " ".join(str(error).split())
            raise self.refused(f"{name} cannot be read ({why:.100})") from error
