"""Targets of a regression: which numbers of the data are learned, and each of them checked."""

import math
from collections.abc import Sequence
from dataclasses import replace

from saccade.errors import InputError, SettingError
from saccade.values import Sample

LABEL = "label"
LARGEST = 1e30  # The square of a larger one, summed, would leave float64.


def target_names(text: str) -> tuple[str, ...]:
    """Return the names in "age, height"; SettingError for an empty name, or one given twice."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise SettingError(
            "data.target must name columns, each once, with commas between them, as age,height. "
            f"Got '{text}' instead"
        )
    return names


def read_number(text: str, where: str) -> float:
    """Return the number in ``text``; InputError, which ``where`` begins, when it is none."""
    if not text.strip():
        raise InputError(f"{where} is empty; fill in a number, or remove that picture")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if "_" in text or not abs(number) <= LARGEST:
        raise InputError(
            f"{where} must be a finite number, as 3.5. Got '{text}' instead; correct it, or remove "
            "that picture"
        )
    return number


def label_numbers(samples: Sequence[Sample], targets: Sequence[str]) -> list[Sample]:
    """Return samples whose ``numbers`` are read from their labels: data without columns.

    Raises InputError for other ``targets``, and, naming the picture, for a label that is no number.
    """
    for name in targets:
        if name != LABEL:
            raise InputError(
                f"there is no column '{name}': only a CSV table has columns. Name one, or take "
                "data.target label, for folders whose names are numbers"
            )
    return [
        replace(sample, numbers=(read_number(sample.label, f"{sample.path}: the label"),))
        for sample in samples
    ]
