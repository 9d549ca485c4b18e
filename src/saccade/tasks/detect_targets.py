"""What a detector is to find in a picture, as rows of numbers that make a batch."""

from typing import NamedTuple

from torch import Tensor

NO_BOX = -1  # the class of a row of targets that holds no box
COLUMNS = 6


class Truth(NamedTuple):
    """Of one picture: ``corners`` (g, 4) float32 pixels, and their ``classes`` (g,) int64.

    ``ignored`` (i, 4): corners of what is neither to be found nor background.
    """

    corners: Tensor
    classes: Tensor
    ignored: Tensor


def truths_of(targets: Tensor) -> list[Truth]:
    """(n, most, 6) float32: x1, y1, x2, y2, class or NO_BOX, ignored 0 or 1 → a Truth a picture."""
    found = []
    for rows in targets:
        real = rows[rows[:, 4] != NO_BOX]
        asked = real[:, 5] == 0
        found.append(Truth(real[asked, :4], real[asked, 4].long(), real[~asked, :4]))
    return found
