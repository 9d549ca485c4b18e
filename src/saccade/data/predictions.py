"""Predictions of classes that were made elsewhere: a CSV table, a picture a row.

Either ``path`` and a column of probabilities for every class, or ``path`` and ``label``, the class
answered, with its ``probability`` where that is known, as ``saccade predict --out`` writes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saccade.data.tables import PATH, is_table, read_header, read_table
from saccade.data.targets import LABEL, read_number
from saccade.errors import InputError
from saccade.names import suggest
from saccade.values import Float64Array, IntArray, Sample

PROBABILITY = "probability"
OFF_ONE = 0.01  # by which the probabilities of a row may miss 1: they are often rounded


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """The answers to n pictures: ``given`` (n,), places in ``classes``.

    ``sure`` (n,): their probabilities; ``shares`` (n, k): those of all classes; None if unknown.
    """

    classes: tuple[str, ...]
    given: IntArray
    sure: Float64Array | None
    shares: Float64Array | None


def read_predictions(table: Path, samples: Sequence[Sample]) -> Predictions:
    """Return the predictions of ``table`` for ``samples``, in their order.

    A row belongs to the sample of the same path, else of the same last two names, else of the same
    file name, whichever names every sample once. Raises InputError, in one line, for a sample
    without a row, a row without a sample, a class that no sample shows in a table of labels, one
    without a column in a table of probabilities, and a probability outside [0, 1], not a number, or
    missing in some rows of labels only.
    """
    if not is_table(table):
        raise InputError(f"predictions {table} are no .csv file that exists; check the path")
    columns = read_header(table)
    shown = sorted({sample.label for sample in samples})
    if LABEL in columns:
        rows = _matched(table, read_table(table), samples)
        return _labels(table, rows, shown)
    classes = tuple(name for name in columns if name != PATH)
    for name in shown:
        if name not in classes:
            raise InputError(
                f"predictions {table} have no column for the class '{name}'; "
                f"{suggest(name, classes)}; a column is needed for every class, or the column label"
            )
    rows = _matched(table, read_table(table, targets=classes), samples)
    shares = np.array([row.numbers for row in rows], np.float64)
    for row, found in zip(rows, shares, strict=True):
        _require_shares(f"predictions {table}, {row.path.name}", found)
    return Predictions(classes, shares.argmax(axis=1), np.minimum(shares.max(axis=1), 1.0), shares)


def _labels(table: Path, rows: Sequence[Sample], classes: Sequence[str]) -> Predictions:
    place = {name: number for number, name in enumerate(classes)}
    for row in rows:
        if row.label not in place:
            raise InputError(
                f"predictions {table}, {row.path.name}: no picture of the truth shows the class "
                f"'{row.label}' ({suggest(row.label, classes)}); mend it, or give a column of "
                "probabilities for every class"
            )
    given = np.array([place[row.label] for row in rows], np.int64)
    blank = [row for row in rows if not row.metadata.get(PROBABILITY, "").strip()]
    if len(blank) == len(rows):
        return Predictions(tuple(classes), given, None, None)
    if blank:
        raise InputError(
            f"predictions {table}, {blank[0].path.name}: there is no probability, though other "
            "rows have one; give one in every row or in none"
        )
    sure = [
        read_number(row.metadata[PROBABILITY], f"predictions {table}, {row.path.name}: probability")
        for row in rows
    ]
    for row, found in zip(rows, sure, strict=True):
        _require_share(f"predictions {table}, {row.path.name}", found)
    return Predictions(tuple(classes), given, np.array(sure, np.float64), None)


def _require_shares(where: str, found: Float64Array) -> None:
    for share in found.tolist():
        _require_share(where, share)
    if abs(found.sum() - 1) > OFF_ONE:
        raise InputError(
            f"{where}: the probabilities add up to {found.sum():.4g} and not to 1; give those of "
            "one softmax, or the column label alone"
        )


def _require_share(where: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"{where}: {share:g} is no probability; it must be from 0 to 1")


def _matched(table: Path, rows: Sequence[Sample], samples: Sequence[Sample]) -> list[Sample]:
    """The row of each sample, in the order of the samples."""
    for key in KEYS:
        found = {key(row.path): row for row in rows}
        wanted = [key(sample.path) for sample in samples]
        if len(found) == len(rows) and len(set(wanted)) == len(samples):
            missing = next((one for one in wanted if one not in found), None)
            if missing is None and len(rows) == len(samples):
                return [found[one] for one in wanted]
    names = {row.path.name for row in rows}
    lost = next((one.path for one in samples if one.path.name not in names), None)
    known = {sample.path.name for sample in samples}
    spare = next((row.path for row in rows if row.path.name not in known), None)
    told = "their paths do not name each picture once"
    if lost or spare:
        told = f"there is none for {lost}" if lost else f"no picture is called {spare}"
    raise InputError(
        f"predictions {table} have {len(rows)} rows for the {len(samples)} pictures of the truth; "
        f"{told}; one row is needed for every picture, with its path"
    )


def _absolute(path: Path) -> str:
    return str(path.absolute())


def _last_two(path: Path) -> str:
    return "/".join(path.parts[-2:])


def _name(path: Path) -> str:
    return path.name


KEYS: tuple[Callable[[Path], str], ...] = (_absolute, _last_two, _name)
