"""All pairs of pictures, genuine (same identity) and impostor (two identities), within a bound.

Pairs are numbered without being listed, so that a seeded sample of them costs no more memory than
the sample: pictures are sorted by identity; the genuine partners of a picture are those behind it
in its own block, the impostor partners all those behind its block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError, SettingError
from saccade.metrics.identities import Identities, number_identities
from saccade.metrics.similarity import compare
from saccade.values import IntArray

PAIR_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Scores of pairs of pictures.

    ``genuine``: (p,) float64; ``genuine_identity``: (p,) int64. ``impostor``: (s,) float64;
    ``impostor_identities``: (s, 2) int64. Identity numbers follow the sorted labels.
    ``genuine_total``, ``impostor_total``: how many pairs there are before sampling.
    """

    genuine: NDArray[np.float64]
    genuine_identity: IntArray
    impostor: NDArray[np.float64]
    impostor_identities: IntArray
    genuine_total: int
    impostor_total: int
    identities: int


def collect_pairs(
    vectors: NDArray[np.floating],
    labels: Sequence[str],
    *,
    similarity: str = "cosine",
    limit: int = PAIR_LIMIT,
    seed: int = 0,
) -> Pairs:
    """Score every pair of pictures; above ``limit`` of a kind, a uniform sample without repeats.

    ``vectors``: (n, d). Raises InputError when no pair of one of the two kinds exists.
    """
    if limit < 1:
        raise SettingError(f"limit must be 1 or more; got {limit}")
    known = number_identities(labels)
    if len(known.codes) != len(vectors):
        raise InputError(f"{len(vectors)} vectors but {len(known.codes)} labels; give one for each")
    check_enough(known)
    comparison = compare(vectors, similarity)
    order = np.argsort(known.codes, kind="stable")
    ends = np.repeat(np.cumsum(known.counts), known.counts)
    places = np.arange(len(order))
    rng = np.random.default_rng(seed)
    same, genuine_total = _choose(places + 1, ends - places - 1, limit, rng)
    other, impostor_total = _choose(ends, len(order) - ends, limit, rng)
    return Pairs(
        genuine=comparison.paired(*order[same]),
        genuine_identity=known.codes[order[same[0]]],
        impostor=comparison.paired(*order[other]),
        impostor_identities=known.codes[order[other]].T,
        genuine_total=genuine_total,
        impostor_total=impostor_total,
        identities=len(known.names),
    )


def pair_scores(
    vectors: NDArray[np.floating],
    labels: Sequence[str],
    *,
    similarity: str = "cosine",
    limit: int = PAIR_LIMIT,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (genuine, impostor) scores, each (…,) float64; see ``collect_pairs``."""
    found = collect_pairs(vectors, labels, similarity=similarity, limit=limit, seed=seed)
    return found.genuine, found.impostor


def check_enough(known: Identities) -> None:
    """Raise InputError unless there are two identities and one of them has two pictures."""
    if len(known.names) < 2:
        raise InputError(
            f"all {len(known.codes)} pictures show '{known.names[0]}'; at least 2 identities are "
            "needed: add pictures of others"
        )
    if known.counts.max() < 2:
        raise InputError(
            f"each of the {len(known.names)} identities has one picture; at least one identity "
            "needs 2 or more, to be enrolled and searched"
        )


def _choose(
    first_partner: IntArray, partners: IntArray, limit: int, rng: np.random.Generator
) -> tuple[IntArray, int]:
    """Return (2, p) places of the chosen pairs, and how many pairs there are."""
    ends = np.cumsum(partners)
    total = int(ends[-1])
    numbers = np.arange(total) if total <= limit else _sample(total, limit, rng)
    left = np.searchsorted(ends, numbers, side="right")
    right = first_partner[left] + numbers - (ends[left] - partners[left])
    return np.stack([left, right]), total


def _sample(total: int, size: int, rng: np.random.Generator) -> IntArray:
    """Return ``size`` distinct numbers below ``total``, sorted; memory grows with ``size`` only."""
    if total < 4 * size:
        return np.sort(rng.permutation(total)[:size])
    drawn = np.unique(rng.integers(0, total, size + size // 2))
    while len(drawn) < size:
        drawn = np.union1d(drawn, rng.integers(0, total, size))
    return np.sort(rng.permutation(drawn)[:size])
