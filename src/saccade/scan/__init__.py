"""The compiled scan: codes of vectors, and the search through them.

Every kernel gives the same whole numbers and the same bits; which one runs is chosen by the
processor, or by the environment variable SACCADE_KERNEL.
"""

import os

from saccade.errors import SettingError
from saccade.names import suggest
from saccade.scan._kernel import (
    DENSER,
    NEAR,
    OUTER_RADII,
    Chooser,
    Finder,
    centred,
    dots,
    encode,
    head_scores,
    names,
    nearest,
    neighbours,
    pack,
    quantise,
    row_scores,
)

KERNEL_VARIABLE = "SACCADE_KERNEL"

__all__ = [
    "DENSER",
    "NEAR",
    "OUTER_RADII",
    "Chooser",
    "Finder",
    "centred",
    "dots",
    "encode",
    "head_scores",
    "kernel",
    "names",
    "nearest",
    "neighbours",
    "pack",
    "quantise",
    "row_scores",
]


def kernel() -> str:
    """Return the name of the kernel to use: that of SACCADE_KERNEL, else the fastest here.

    Raises SettingError when this processor cannot run the one that is named.
    """
    usable = names()
    wanted = os.environ.get(KERNEL_VARIABLE) or usable[0]
    if wanted not in usable:
        raise SettingError(
            f"{KERNEL_VARIABLE}: this processor has no kernel '{wanted}'; {suggest(wanted, usable)}"
        )
    return wanted
