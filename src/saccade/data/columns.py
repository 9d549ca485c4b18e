"""Columns of pictures from a table beside them: a CSV with ``path`` and any others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from saccade.data.predictions import KEYS
from saccade.data.tables import read_columns
from saccade.errors import InputError
from saccade.values import Sample


def with_columns(samples: Sequence[Sample], table: Path | str | None) -> list[Sample]:
    """Return ``samples`` with the columns of ``table`` among their metadata; None adds nothing.

    A row belongs to the picture of the same path, else of the same last two names, else of the
    same file name, else of the same name without its ending, whichever names every picture once.
    Rows of other pictures are passed over; of two columns of one name that of the table counts.
    Raises InputError for a picture without a row, or with two.
    """
    if table is None:
        return list(samples)
    rows = read_columns(Path(table))
    reasons = []
    for key in (*KEYS, _stem):
        wanted = [key(sample.path) for sample in samples]
        found = {key(row.path): row for row in rows}
        reason = _unfit(samples, wanted, Counter(key(row.path) for row in rows))
        if not reason:
            both = zip(samples, wanted, strict=True)
            return [
                replace(one, metadata={**one.metadata, **found[at].metadata}) for one, at in both
            ]
        reasons.append(reason)
    raise InputError(f"{table} {reasons[-1]}; it needs one row for every picture, with its path")


def _unfit(samples: Sequence[Sample], wanted: Sequence[str], rows: Counter[str]) -> str:
    """Why rows cannot be told apart by these names; empty where they can."""
    twice = next((name for name, many in Counter(wanted).items() if many > 1), None)
    for sample, name in zip(samples, wanted, strict=True):
        if rows[name] != 1:
            return f"has {rows[name] or 'no'} row{'s' * (rows[name] > 1)} for {sample.path}"
    return "" if twice is None else f"cannot tell apart the pictures that are called '{twice}'"


def _stem(path: Path) -> str:
    return path.stem
