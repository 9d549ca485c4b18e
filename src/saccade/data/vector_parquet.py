"""Parquet tables of vectors: a column of lists, a column of identities, perhaps one of names.

Row groups are read one after the other, in batches of bounded size. pyarrow is an extra: it is
imported when a table is opened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError, SettingError
from saccade.names import suggest

BLOCK_ROWS = 32_768


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called; the one of names, shown as file names, need not be there."""

    vector: str = "vector"
    identity: str = "identity"
    name: str | None = None


def is_parquet(path: Path) -> bool:
    """True for a name that ends in .parquet."""
    return path.suffix.lower() in (".parquet", ".pq")


class ParquetRows:
    """The rows of a Parquet table. ``dimension`` is that of the first row; every row must have it.

    Raises InputError that names the file, and the column or row that cannot be used.
    """

    def __init__(self, path: Path, columns: Columns) -> None:
        self._path = path
        self._columns = columns
        self._arrow, reader = pyarrow()
        with self._explained():
            self._file = reader.ParquetFile(path)
        self.rows = int(self._file.metadata.num_rows)
        schema = self._file.schema_arrow
        self._require_column(schema, columns.vector)
        if columns.name is not None:
            self._require_column(schema, columns.name)
        self._require_lists(schema.field(columns.vector).type)
        self.dimension = self._first_length()

    def blocks(self, *, with_identities: bool) -> Iterator[tuple[Any, Sequence[str], Any]]:
        """Yield (vectors, identities, names or None), at most ``BLOCK_ROWS`` rows."""
        wanted = [self._columns.vector]
        if with_identities:
            self._require_column(self._file.schema_arrow, self._columns.identity)
            wanted.append(self._columns.identity)
        named = self._columns.name or "name"
        if named in self._file.schema_arrow.names:
            wanted.append(named)
        row = 0
        with self._explained():
            for batch in self._file.iter_batches(BLOCK_ROWS, columns=list(dict.fromkeys(wanted))):
                vectors = self._vectors(batch.column(self._columns.vector), row)
                people = self._texts(batch, self._columns.identity, row) if with_identities else []
                yield vectors, people, self._texts(batch, named, row) if named in wanted else None
                row += len(vectors)

    def _vectors(self, column: Any, first_row: int) -> NDArray[Any]:
        if column.null_count:
            row = first_row + int(np.argmin(column.is_valid().to_numpy(zero_copy_only=False)))
            raise InputError(f"{self._path} row {row} has no vector; take it out")
        if not self._arrow.types.is_fixed_size_list(column.type):
            lengths = column.value_lengths().to_numpy(zero_copy_only=False)
            self._require_lengths(lengths, first_row)
        values = column.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(values).reshape(len(column), self.dimension)

    def _require_lengths(self, lengths: NDArray[Any], first_row: int) -> None:
        wrong = np.flatnonzero(lengths != self.dimension)
        if len(wrong):
            raise InputError(
                f"{self._path} row {first_row + wrong[0]} has a vector of length "
                f"{lengths[wrong[0]]}, the rows before it {self.dimension}; embed them alike"
            )

    def _texts(self, batch: Any, name: str, first_row: int) -> list[str]:
        texts: list[Any] = batch.column(name).to_pylist()
        for row, text in enumerate(texts, first_row):
            if not isinstance(text, str):
                raise InputError(f"{self._path} row {row}: '{name}' is {text!r}, text is needed")
        return texts

    def _first_length(self) -> int:
        kind = self._file.schema_arrow.field(self._columns.vector).type
        if self._arrow.types.is_fixed_size_list(kind):
            return int(kind.list_size)
        with self._explained():
            for batch in self._file.iter_batches(1, columns=[self._columns.vector]):
                return int(batch.column(0).value_lengths()[0].as_py() or 0)
        return 0

    def _require_column(self, schema: Any, name: str) -> None:
        if name not in schema.names:
            raise InputError(f"{self._path} has no column '{name}'; {suggest(name, schema.names)}")

    def _require_lists(self, kind: Any) -> None:
        types = self._arrow.types
        lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
        if not (any(test(kind) for test in lists) and types.is_floating(kind.value_type)):
            raise InputError(
                f"{self._path} column '{self._columns.vector}' must hold lists of float16, float32 "
                f"or float64. Got {kind} instead"
            )

    def _explained(self) -> "_Explained":
        return _Explained(self._path, (self._arrow.ArrowException, OSError))


class _Explained:
    """Turns what pyarrow raises for a damaged table into an InputError that names it."""

    def __init__(self, path: Path, errors: tuple[type[Exception], ...]) -> None:
        self._path = path
        self._errors = errors

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, self._errors):
            why = " ".join(str(error).split())
            raise InputError(
                f"{self._path} is not a Parquet table, or it is damaged; write it again ({why})"
            ) from error


def pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and its Parquet part; raises SettingError where it is not installed."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise SettingError(
            ".parquet needs pyarrow, which is not installed; install it: "
            "pip install 'saccade[parquet]'"
        ) from error
    return arrow, parquet
