"""What the parts of a file of codes must be, so that a search can rely on them.

Checksums tell damage, but not a file that another version wrote, or that was made up: what a search
would trust is looked at by its type, its shape and its range, before anything of that size is made.
"""

from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.vectors.scan_coded import Effort
from saccade.vectors.scan_codes import LANES
from saccade.vectors.scan_file import CodeFile
from saccade.vectors.tuned import Wish

SMALL = {
    "mean": "<f4",
    "rotation": "<f4",
    "deviation": "<f4",
    "head_step": "<f4",
    "full_step": "<f4",
    "centres": "<f4",
    "radii": "<f4",
    "starts": "<i8",
}
LARGE = {"head": "|u1", "full": "|u1", "numbers": "<i8", "identities": "<i8"}
DTYPES = {**SMALL, "escaped": "|u1", **LARGE}
MOST_MARGIN = 1e6  # radii
LARGEST = 8.0  # no value of a fit to vectors of length 1 reaches this
MOST_ROWS, MOST_FINALISTS, MOST_THREADS, MOST_NUMBER = 1 << 32, 1 << 16, 1 << 10, 1 << 62

# What reading a file that is broken may raise.
BROKEN = (OSError, InputError, LookupError, TypeError, ValueError, ArithmeticError)


def require_shapes(file: CodeFile) -> None:
    """Raise ValueError unless the arrays are those that are wanted and fit together."""
    arrays = file.arrays
    if {name: array.dtype.str for name, array in arrays.items()} != DTYPES:
        raise ValueError("the arrays are others than wanted")
    n, d = arrays["full"].shape
    wanted: dict[str, tuple[int, ...]] = {"numbers": (n,), "identities": (n,)}
    wanted |= {"escaped": (2 * -(-n // LANES),), "rotation": (d, d)}
    wanted |= {"mean": (d,), "deviation": (d,), "full_step": (d,)}
    if any(arrays[name].shape != shape for name, shape in wanted.items()):
        raise ValueError("the arrays differ in length")
    for name, dtype in SMALL.items():
        # Asked so, NaN fails too.
        if dtype == "<f4" and not (np.abs(arrays[name]) < LARGEST).all():
            raise ValueError(f"{name} holds what no fit does")


def effort(survivors: int, probes: int, finalists: int, margin: float) -> Effort:
    """Return the effort; raises ValueError for what no search can do."""
    if type(margin) is not float or not 0 <= margin <= MOST_MARGIN:
        raise ValueError(f"{margin!r:.20} is no margin")
    return Effort(
        whole(survivors, 1, MOST_ROWS),
        whole(probes, 0, MOST_ROWS),
        whole(finalists, 1, MOST_FINALISTS),
        margin,
    )


def wish(threads: int, **others: Any) -> Wish:
    """Return the wish; raises ValueError or SettingError for what cannot be wished."""
    return Wish(threads=whole(threads, 1, MOST_THREADS), **others)


def whole(value: object, least: int, most: int) -> int:
    """Return a whole number from ``least`` to ``most``; raises ValueError for anything else."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.20} is no whole number from {least} to {most}")
    return value
