"""What a check of a gallery finds: each with its evidence, and what could be done about it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.values import Float32Array, IntArray

# What is looked for, in the order in which it is told.
KINDS = {
    "magnet": "pictures that attract strangers",
    "wrong_name": "pictures under a wrong name",
    "same": "two identities that are one",
    "two": "one identity that is two",
    "copy": "near copies",
    "constant": "pictures without content",
    "tiny": "tiny pictures",
    "blurred": "blurred pictures",
    "light": "badly lit or clipped pictures",
}
BY_ODDS = ("wrong_name", "same", "two")  # those whose score is log odds
GROUP = "group"  # unnamed pictures that show one identity: found by ``grouping``


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """The pictures of a gallery, in rising order of their numbers.

    ``numbers`` (n,) of the pictures, ``identities`` (n,) numbers of whom they show, ``vectors``
    (n, d) rows of length 1, and the gallery's ``threshold``, None where there is none.
    ``apart``: pairs of rows that are known not to show one identity, ``never_one`` of identities
    (each the lower first), ``never`` of a picture's number and an identity.
    """

    numbers: IntArray
    identities: IntArray
    vectors: Float32Array
    threshold: float | None = None
    apart: Sequence[tuple[int, int]] = ()
    never_one: Set[tuple[int, int]] = frozenset()
    never: Set[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is probably wrong: one of KINDS.

    ``identities`` and ``pictures``: the numbers it is about. Of "wrong_name" the identity that the
    picture has, then the likelier one; of "same" the one with more pictures first; of "two" the
    pictures are the smaller part; of "copy" the oldest picture comes first, and near
    copies of a picture under a wrong name stand behind it. ``score``: log odds that it is so for
    "wrong_name", "same" and "two", a cosine for "magnet" and "copy", deviations from what is usual
    for the rest. ``evidence`` says why, without names.
    """

    kind: str
    identities: tuple[int, ...]
    pictures: tuple[int, ...]
    score: float
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers and text."""
        return {
            "kind": self.kind,
            "identities": list(self.identities),
            "pictures": list(self.pictures),
            "score": self.score,
            "evidence": self.evidence,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """All findings of each of KINDS, surest first; ``notes``: what was not looked for, and why."""

    pictures: int
    identities: int
    found: Mapping[str, tuple[Finding, ...]]
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all kinds, in order."""
        return tuple(one for ones in self.found.values() for one in ones)


def rows_by(keys: IntArray, count: int) -> list[IntArray]:
    """Return the rows of each key from 0 to ``count`` - 1, in rising order."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.cumsum(np.bincount(keys, minlength=count)))[:count]
