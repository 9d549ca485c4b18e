"""Files of vectors: a NumPy array (.npy) or a Parquet table, read block by block.

A .npy file is mapped, not read: it may be larger than the memory. Who its rows show stands in a
text file, a name a line. A Parquet table carries both, in columns; see ``vector_parquet``.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from saccade.data.vector_parquet import BLOCK_ROWS, Columns, ParquetRows, is_parquet
from saccade.errors import InputError

FLOATS = (np.float16, np.float32, np.float64)
HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

VectorBlock = tuple[NDArray[Any], Sequence[str], Sequence[str] | None]


class Rows(Protocol):
    """An opened file: its size, and its rows in blocks of at most ``BLOCK_ROWS``."""

    rows: int
    dimension: int

    def blocks(self, *, with_identities: bool) -> Iterator[VectorBlock]: ...


@dataclass(frozen=True, slots=True)
class VectorFile:
    """An opened file of vectors; iterate over it for (vectors (b, d), identities, names or None).

    ``rows`` and ``dimension`` were read from its head. What ``names`` says of a row is shown as its
    file name.
    """

    path: Path
    opened: Rows = field(repr=False)

    @property
    def rows(self) -> int:
        """Number of vectors."""
        return self.opened.rows

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return self.opened.dimension

    @property
    def block_count(self) -> int:
        """Number of blocks at least; a Parquet table may have more."""
        return -(-self.rows // BLOCK_ROWS)

    def __iter__(self) -> Iterator[VectorBlock]:
        yield from self.opened.blocks(with_identities=True)

    def vectors(self) -> Iterator[NDArray[Any]]:
        """Yield the vectors alone, (b, d), for a search; identities need not be there."""
        for block, _, _ in self.opened.blocks(with_identities=False):
            yield block


def read_vectors(
    path: Path | str, *, identities: Path | str | None = None, columns: Columns | None = None
) -> VectorFile:
    """Open a file of vectors, (n, d) float16, float32 or float64.

    path: .npy, or .parquet. identities: for .npy, a UTF-8 text file with a name a line, as many as
    rows; only a search does without. columns: for .parquet, what its columns are called. Raises
    InputError, naming the file, when it is none, damaged, or the two do not fit; SettingError when
    a table is given and pyarrow is not installed.
    """
    place = Path(path)
    if place.is_dir() or not place.exists():
        raise InputError(f"{place} is not a file; name a .npy or .parquet file of vectors")
    if is_parquet(place):
        if identities is not None:
            raise InputError(f"{place} names its identities in a column; leave {identities} out")
        return VectorFile(place, ParquetRows(place, columns or Columns()))
    if place.suffix.lower() != ".npy":
        raise InputError(f"{place} is no file of vectors; .npy and .parquet can be read")
    if columns is not None:
        raise InputError(f"{place} has no columns; they are named for a .parquet file only")
    return VectorFile(place, ArrayRows(place, None if identities is None else Path(identities)))


class ArrayRows:
    """The rows of a .npy file, and of the text file that names them."""

    def __init__(self, path: Path, identities: Path | None) -> None:
        self._path = path
        self._array = _mapped(path)
        self.rows, self.dimension = self._array.shape
        self._identities = identities
        if identities is not None:
            _require_lines(identities, self.rows, path)

    def blocks(self, *, with_identities: bool) -> Iterator[VectorBlock]:
        """Yield (vectors, identities, None), at most ``BLOCK_ROWS`` rows."""
        if with_identities and self._identities is None:
            raise InputError(
                f"whom the rows of {self._path} show is not said; add --identities FILE, a text "
                "file with a name a line"
            )
        lines = _lines(self._identities) if self._identities and with_identities else iter(())
        for start in range(0, self.rows, BLOCK_ROWS):
            block = self._array[start : start + BLOCK_ROWS]
            yield block, list(islice(lines, len(block))), None


def _mapped(path: Path) -> NDArray[Any]:
    """Map the array after its header was checked; nothing is unpickled."""
    with path.open("rb") as stream:
        try:
            shape, fortran, dtype = HEADER_READERS[npy.read_magic(stream)](stream)
        except (ValueError, KeyError, EOFError) as error:
            raise InputError(
                f"{path} is not a .npy file, or it is damaged; save it again"
            ) from error
        start = stream.tell()
    if dtype.hasobject:
        raise InputError(f"{path} holds Python objects, which are never read; save it as float32")
    if len(shape) != 2 or dtype.newbyteorder("=") not in FLOATS:
        raise InputError(
            f"{path} must hold an array (n, d) of float16, float32 or float64. "
            f"Got shape {shape} of {dtype} instead"
        )
    there, needed = path.stat().st_size - start, math.prod(shape) * dtype.itemsize
    if there < needed:
        raise InputError(
            f"{path} is cut short: {there:,} of {needed:,} bytes are there; copy it again"
        )
    if not needed:
        return np.empty(shape, dtype=dtype)
    return np.memmap(path, dtype, "r", start, shape, order="F" if fortran else "C")


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file without their ends."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                name = line.rstrip("\n")
                if not name.strip():
                    raise InputError(f"{path} line {number} is empty; a name a line is needed")
                yield name
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8, a name a line") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder; name a text file with a name a line") from error
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; check the path") from error


def _require_lines(path: Path, rows: int, vectors: Path) -> None:
    count = sum(1 for _ in _lines(path))
    if count != rows:
        raise InputError(
            f"{path} names {count} rows, {vectors} has {rows}; give a name a line, one for each row"
        )
