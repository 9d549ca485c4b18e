"""One-shot identification: one picture of each identity is enrolled, all others are searched.

The protocol follows B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum, "Human-level concept learning
through probabilistic program induction" (2015): a class is known by one example only.
We differ: every picture takes its turn as the enrolled one, so that no lucky choice decides, and
the right identity is searched among all identities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError, SettingError
from saccade.metrics.identification import ranks
from saccade.metrics.identities import Identities, number_identities
from saccade.metrics.pairs import check_enough
from saccade.metrics.similarity import Comparison, compare
from saccade.values import IntArray

Number = TypeVar("Number", bound=np.generic)

MAX_TURNS = 10
BLOCK_CELLS = 1 << 23  # similarities held at once


@dataclass(frozen=True, slots=True, eq=False)
class OneShot:
    """What came of s searches.

    All are (s,). ``turn``: which turn. ``query``: number of the picture searched. ``identity``: its
    identity, a place in ``names``. ``rank``: 1 = found first. ``enrolled``: the picture of its own
    identity that was enrolled, and ``similarity`` to it. ``rival``: the enrolled picture of another
    identity that was most alike, and ``rival_similarity``.
    ``names``: (m,) identities, sorted; all m are in the gallery in every turn.
    """

    turn: IntArray
    query: IntArray
    identity: IntArray
    rank: IntArray
    enrolled: IntArray
    similarity: NDArray[np.float64]
    rival: IntArray
    rival_similarity: NDArray[np.float64]
    names: tuple[str, ...]
    turns: int

    @property
    def searched(self) -> IntArray:
        """The identities that were searched at least once, sorted."""
        return np.unique(self.identity)

    def per_identity(self, scores: NDArray[Number]) -> list[NDArray[Number]]:
        """Split (s,) ``scores`` by identity, in the order of ``searched``."""
        order = np.argsort(self.identity, kind="stable")
        ends = np.searchsorted(self.identity[order], self.searched, side="right")
        return np.split(scores[order], ends[:-1])


def one_shot(
    vectors: NDArray[np.floating],
    labels: Sequence[str],
    *,
    turns: int | None = None,
    similarity: str = "cosine",
    searched: NDArray[np.floating] | None = None,
) -> OneShot:
    """Run the protocol.

    ``vectors``: (n, d) float32, rows of length 1 for ``similarity`` "cosine"; any for
    "negative_l2". In turn t, picture t mod m of every identity (of its m pictures in the given
    order) is enrolled and all others are searched. ``turns``: by default the largest number of
    pictures of an identity, at most MAX_TURNS; more than that number would only repeat searches,
    and is lowered to it. An identity with one picture is enrolled only: it distracts.
    ``searched``: (n, d), the same pictures disturbed; these are searched, those enrolled stay.
    Raises InputError for one identity, or when every identity has one picture.
    """
    known = number_identities(labels)
    if len(known.codes) != len(vectors):
        raise InputError(f"{len(vectors)} vectors but {len(known.codes)} labels; give one for each")
    check_enough(known)
    most = int(known.counts.max())
    if turns is not None and turns < 1:
        raise SettingError(f"turns must be 1 or more; got {turns}")
    wanted = min(most, MAX_TURNS if turns is None else turns)
    if searched is None:
        comparison, first = compare(vectors, similarity), 0
    elif searched.shape == vectors.shape:
        comparison = compare(np.concatenate([vectors, searched]), similarity)
        first = len(vectors)
    else:
        raise InputError(f"searched must be {vectors.shape} as the vectors; got {searched.shape}")
    blocks = [
        _search(comparison, known, turn, block, first)
        for turn in range(wanted)
        for block in _query_blocks(known, turn)
    ]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return OneShot(**columns, names=known.names, turns=wanted)


def _enrolled(known: Identities, turn: int) -> IntArray:
    """Return (m,) the picture of every identity that is enrolled in this turn."""
    order = np.argsort(known.codes, kind="stable")
    starts = np.cumsum(known.counts) - known.counts
    picked: IntArray = order[starts + turn % known.counts]
    return picked


def _query_blocks(known: Identities, turn: int) -> list[IntArray]:
    queries = np.setdiff1d(np.arange(len(known.codes)), _enrolled(known, turn))
    size = max(1, BLOCK_CELLS // len(known.names))
    return [queries[start : start + size] for start in range(0, len(queries), size)]


def _search(
    comparison: Comparison, known: Identities, turn: int, queries: IntArray, first: int
) -> dict[str, Any]:
    """Return the (s,) fields of OneShot for one block of queries, whose vectors begin at first."""
    gallery = _enrolled(known, turn)
    table = comparison.matrix(first + queries, gallery)
    own = known.codes[queries]
    rows = np.arange(len(queries))
    rank = ranks(table, own, np.arange(len(gallery)), tie=comparison.tie)
    similarity = table[rows, own]
    table[rows, own] = -np.inf
    rival = table.argmax(axis=1)
    return {
        "turn": np.full(len(queries), turn, dtype=np.int64),
        "query": queries,
        "identity": own,
        "rank": rank,
        "enrolled": gallery[own],
        "similarity": similarity,
        "rival": gallery[rival],
        "rival_similarity": table[rows, rival],
    }
