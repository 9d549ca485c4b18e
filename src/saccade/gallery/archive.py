"""What an export looks like on disk, and how one that may come from anybody is read.

A folder, or a zip of it, that other programs can read:

    gallery.json         the embedder's fingerprint, the dimension, counts, hashes of the tables
    identities.parquet   name, enrolled_at, consent, expires, facts (JSON)
    pictures.parquet     number, identity, name (of the file), source_sha256, vector (float32),
                         facts (JSON), thumbnail, thumbnail_sha256, original (files below, or null)
    thumbnails/NUMBER.jpg
    originals/NUMBER.ENDING

Names are numbers, so that no name can lead anywhere; whatever else is found is refused, as are
links. The tables are neither compressed nor dictionary-coded: what is read of them is no larger
than they are, and all sizes are looked at before anything is read.
"""

import contextlib
import hashlib
import json
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.values import Float32Array

FORMAT, VERSION = "saccade gallery export", 1
MANIFEST, IDENTITIES, PICTURES = "gallery.json", "identities.parquet", "pictures.parquet"
TABLES = (IDENTITIES, PICTURES)
THUMBNAILS, ORIGINALS = "thumbnails", "originals"
MEMBER = re.compile(r"(thumbnails|originals)/[0-9]{1,19}(\.[a-z0-9]{1,5})?")
MOST_MANIFEST_BYTES, MOST_PICTURE_BYTES = 1 << 20, 1 << 30
MOST_RATIO = 200  # of what a part of a zip unpacks to; pictures and vectors hardly pack at all
AGAIN = "export it again"
BROKEN = (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)


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
            for name in (MANIFEST, *TABLES):
                if name not in self._sizes:
                    raise self.refused(f"{name} is missing")
            self.manifest = self._read_manifest()
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
        if name not in (MANIFEST, *TABLES) and not MEMBER.fullmatch(name):
            raise self.refused(f"it holds {name!r:.60}, which no export has")
        if name not in TABLES and size > MOST_PICTURE_BYTES:
            raise self.refused(f"{name} has {size:,} bytes")

    def _read_manifest(self) -> dict[str, Any]:
        if self._sizes[MANIFEST] > MOST_MANIFEST_BYTES:
            raise self.refused(f"{MANIFEST} has {self._sizes[MANIFEST]:,} bytes")
        try:
            with self._explained(MANIFEST), self._opened(MANIFEST) as stream:
                found = json.loads(stream.read(MOST_MANIFEST_BYTES))
        except (ValueError, RecursionError) as error:
            raise self.refused(f"{MANIFEST} cannot be read") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise self.refused(f"{MANIFEST} says nothing of '{FORMAT}'")
        if found.get("version") != VERSION:
            raise InputError(
                f"{self.path} has version {found.get('version')!r:.20} of the format, this Saccade "
                f"reads {VERSION}; install a newer one"
            )
        numbers = ("dimension", "identities", "pictures")
        right = all(type(found.get(key)) is int and found[key] >= 0 for key in numbers)
        if not right or not isinstance(found.get("fingerprint"), str):
            raise self.refused(f"{MANIFEST} lacks counts or the fingerprint")
        if not isinstance(found.get("files"), dict):
            raise self.refused(f"{MANIFEST} lacks the hashes of the tables")
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


def schemas() -> dict[str, Any]:
    """Return the columns of both tables; raises SettingError without pyarrow."""
    from saccade.data.vector_parquet import pyarrow

    arrow, _ = pyarrow()
    text = arrow.string()
    return {
        IDENTITIES: arrow.schema(
            [
                arrow.field("name", text, nullable=False),
                arrow.field("enrolled_at", text, nullable=False),
                ("consent", text),
                ("expires", text),
                arrow.field("facts", text, nullable=False),
            ]
        ),
        PICTURES: arrow.schema(
            [
                arrow.field("number", arrow.int64(), nullable=False),
                arrow.field("identity", text, nullable=False),
                arrow.field("name", text, nullable=False),
                arrow.field("source_sha256", text, nullable=False),
                arrow.field("vector", arrow.list_(arrow.float32()), nullable=False),
                arrow.field("facts", text, nullable=False),
                ("thumbnail", text),
                ("thumbnail_sha256", text),
                ("original", text),
            ]
        ),
    }


def rows_of(archive: Archive, name: str, *, count: int, at_once: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as dicts, ``at_once`` in memory; InputError where it differs."""
    from saccade.data.vector_parquet import pyarrow

    arrow, parquet = pyarrow()
    place = archive.table(name)
    try:
        with parquet.ParquetFile(place) as file:
            _require_plain(archive, name, file, count, place.stat().st_size)
            for batch in file.iter_batches(at_once):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise archive.refused(f"{name} cannot be read ({why:.100})") from error


def _require_plain(archive: Archive, name: str, file: Any, count: int, size: int) -> None:
    """Refuse a table of other columns, other counts, or which could hold more than its file."""
    wanted = schemas()[name]
    if not file.schema_arrow.equals(wanted):
        raise archive.refused(f"{name} has other columns")
    about = file.metadata
    least = 4 * int(archive.manifest["dimension"]) if name == PICTURES else 1
    if about.num_rows != count or count * least > size:
        raise archive.refused(f"{name} has {about.num_rows:,} rows, {count:,} were said")
    for group in range(about.num_row_groups):
        for column in range(about.num_columns):
            part = about.row_group(group).column(column)
            dictionary = any("DICTIONARY" in one for one in part.encodings)
            if (
                part.compression != "UNCOMPRESSED"
                or dictionary
                or part.total_uncompressed_size > size
            ):
                raise archive.refused(f"{name} is compressed, which no export is")


def vector_of(values: object, dimension: int) -> Float32Array | None:
    """Return a row's vector (d,) float32; None when it has another length."""
    import numpy as np

    if not isinstance(values, list) or len(values) != dimension or None in values:
        return None
    return np.array(values, np.float32)
