"""The tables of an export: their columns, and how rows that may come from anybody are read.

They are neither compressed nor dictionary-coded: what is read of them is no larger than they are.
Version 1 of the format had neither decisions nor crops.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from saccade.data.vector_parquet import pyarrow
from saccade.errors import InputError
from saccade.gallery.rows import LENGTH_TOLERANCE

if TYPE_CHECKING:
    from saccade.gallery.archive import Archive

IDENTITIES, PICTURES = "identities.parquet", "pictures.parquet"
MERGES, REJECTIONS = "merges.parquet", "rejections.parquet"
TABLES = {1: (IDENTITIES, PICTURES), 2: (IDENTITIES, PICTURES, MERGES, REJECTIONS)}
SOURCE_DIGITS, PHOTO_DIGITS = 64, 8  # hexadecimal
HEX = frozenset("0123456789abcdef")
MOST_FILE_NAME = 10_000  # characters
CROP = ("photo", "x", "y", "width", "height", "aligned")


def schemas(version: int) -> dict[str, Any]:
    """Return the columns of the tables; raises SettingError without pyarrow."""
    arrow, _ = pyarrow()
    text, number = arrow.string(), arrow.float64()

    def table(needed: str, *more: tuple[str, Any]) -> Any:
        """Columns of texts that may not be missing, then others; "?" is one that may."""
        kinds = {"number": arrow.int64(), "vector": arrow.list_(arrow.float32())}
        return arrow.schema(
            [
                arrow.field(name.rstrip("?"), kinds.get(name, text), nullable=name.endswith("?"))
                for name in needed.split()
            ]
            + [arrow.field(*one) for one in more]
        )

    crop = ("photo", text), *((side, number) for side in CROP[1:5]), ("aligned", arrow.bool_())
    content = "identity name source_sha256 vector"
    found = {
        IDENTITIES: table("name enrolled_at consent? expires? facts"),
        PICTURES: table(
            f"number {content} facts thumbnail? thumbnail_sha256? original?",
            *(crop if version > 1 else ()),
        ),
        MERGES: table("merged kept at"),
        REJECTIONS: table(f"{content} at"),
    }
    return {name: found[name] for name in TABLES[version]}


def rows_of(archive: "Archive", name: str, *, at_once: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as dicts, ``at_once`` in memory; InputError where it differs.

    None for a table that an earlier version of the format has not.
    """
    if name not in TABLES[archive.version]:
        return
    arrow, parquet = pyarrow()
    place = archive.table(name)
    try:
        with parquet.ParquetFile(place) as file:
            _require_plain(archive, name, file, place.stat().st_size)
            for batch in file.iter_batches(at_once):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise archive.refused(f"{name} cannot be read ({why:.100})") from error


def _require_plain(archive: "Archive", name: str, file: Any, size: int) -> None:
    """Refuse a table of other columns, other counts, or which could hold more than its file."""
    wanted = schemas(archive.version)[name]
    if not file.schema_arrow.equals(wanted):
        raise archive.refused(f"{name} has other columns")
    about, count = file.metadata, archive.manifest[Path(name).stem]
    numbers = int(archive.manifest["dimension"]) if "vector" in wanted.names else 1
    least = 4 * numbers if "vector" in wanted.names else 1
    if about.num_rows != count or count * least > size:
        raise archive.refused(f"{name} has {about.num_rows:,} rows, {count:,} were said")
    for group in range(about.num_row_groups):
        rows = about.row_group(group)
        for column in range(about.num_columns):
            part = rows.column(column)
            dictionary = any("DICTIONARY" in one for one in part.encodings)
            if (
                part.compression != "UNCOMPRESSED"
                or dictionary
                or part.total_uncompressed_size > size
            ):
                raise archive.refused(f"{name} is compressed, which no export is")
            # A run of nulls in a list is a few bytes, however long it is.
            if part.num_values > rows.num_rows * numbers:
                raise archive.refused(f"{name} has more values than its rows can have")


def vector_of(values: object, dimension: int) -> bytes:
    """Return a row's vector (d,) as float16 bytes; InputError unless an export writes it so."""
    if not isinstance(values, list) or len(values) != dimension or None in values:
        raise InputError("its vector is none of this gallery")
    vector = np.array(values, np.float32)
    if not np.isfinite(vector).all():
        raise InputError("its vector is none of this gallery")
    with np.errstate(over="ignore"):
        half = vector.astype("<f2")
    exact = (half.astype(np.float32) == vector).all()
    if not exact or abs(float(np.linalg.norm(vector)) - 1.0) >= LENGTH_TOLERANCE:
        raise InputError("its vector is not as an export writes it")
    return half.tobytes()


def source_of(text: str) -> bytes:
    """Return a SHA-256; raises InputError when the text is none."""
    return _hex(text, SOURCE_DIGITS, "source_sha256 is no SHA-256")


def file_name(text: str) -> str:
    """Return the name of a file; raises InputError when it is too long to be one."""
    if len(text) > MOST_FILE_NAME:
        raise InputError(f"the name of the file has {len(text):,} characters")
    return text


def crop_of(told: dict[str, Any]) -> tuple[bytes, tuple[float, float, float, float], bool] | None:
    """Return the photo's key, the box [x, y, width, height] and whether it is aligned, or None.

    Raises InputError unless all of it is told, or nothing.
    """
    values: list[Any] = [told.get(name) for name in CROP]
    if all(value is None for value in values):
        return None
    if any(value is None for value in values):
        raise InputError("its photo and box are not whole")
    photo, x, y, width, height, aligned = values
    if not np.isfinite([x, y, width, height]).all() or min(width, height) <= 0:
        raise InputError("its box is none")
    return _hex(photo, PHOTO_DIGITS, "its photo is none"), (x, y, width, height), aligned


def _hex(text: str, digits: int, why: str) -> bytes:
    if len(text) != digits or not HEX.issuperset(text):
        raise InputError(why)
    return bytes.fromhex(text)
