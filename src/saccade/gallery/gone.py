"""Whose rows are no longer there, as the log tells: identities, and single pictures by number.

A picture that is moved to another identity gets a new number, so that its old one is gone.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from saccade.gallery import log
from saccade.values import IntArray

FORGET = "forget"
# A move writes "leave" for each run of old numbers, then "move" for the new ones.
LEAVE, MOVE, REMOVE = "leave", "move", "remove"
PICTURES = (LEAVE, MOVE, REMOVE)  # the actions on single pictures


class Gone(NamedTuple):
    """Numbers of identities (i,) that were forgotten, and of pictures (p,) moved or removed."""

    identities: IntArray
    pictures: IntArray

    def __bool__(self) -> bool:
        """True when anything is gone."""
        return bool(len(self.identities) or len(self.pictures))


def told_by(changes: Iterable[log.Entry]) -> Gone:
    """Return what is gone by these entries."""
    identities: list[int] = []
    runs = [np.zeros(0, np.int64)]
    for change in changes:
        if change.action == FORGET and change.identity is not None:
            identities.append(change.identity)
        elif change.action in (LEAVE, REMOVE):
            first, last = change.first_picture or 0, change.last_picture or -1
            runs.append(np.arange(first, last + 1, dtype=np.int64))
    return Gone(np.array(identities, np.int64), np.concatenate(runs))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return rising numbers as runs: the first and the last of those without a gap."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
