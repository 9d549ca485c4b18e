"""Doubts about who is who: pictures under a wrong name, one identity twice, two under one name.

Each is a comparison of two partitions of the same pictures by ``likelihood``, made with the odds
that such a mistake has before anything is looked at (PRIOR), and told when it is surer than SURE.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from saccade.review.likelihood import Likelihood, Sets, blocks
from saccade.values import Float64Array, IntArray

PRIOR = 0.01  # share of pictures, or of identities, of which such a mistake is expected
SURE = float(np.log(4.0))  # log odds: four of five of those just told are right
FEWEST_EACH = 2  # pictures of each of two identities under one name
MOST_PARTED = 4000  # pictures of an identity that are parted: the tree of all pairs takes 64 MB


@dataclass(frozen=True, slots=True)
class WrongName:
    """A picture (row) that is much likelier another identity (code) than its own."""

    row: int
    other: int
    odds: float


@dataclass(frozen=True, slots=True)
class Twins:
    """Two identities (codes) that are likelier one."""

    first: int
    second: int
    odds: float


@dataclass(frozen=True, slots=True)
class TwoUnderOneName:
    """An identity (code) whose pictures (rows) are likelier of two: the smaller part is told."""

    code: int
    rows: tuple[int, ...]
    odds: float


def twins(model: Likelihood, sets: Sets, codes: IntArray, who: IntArray) -> list[Twins]:
    """Return identities that are likelier one, surest first.

    ``who`` (n, c): other identities that each row is like (``neighbours.strangers``), -1 for none.
    """
    own = np.repeat(codes[:, None], who.shape[1], axis=1)[who >= 0]
    pairs = np.unique(np.sort(np.stack([own, who[who >= 0]], axis=1), axis=1), axis=0)
    if not len(pairs):
        return []
    first, second = pairs.T
    apart = model.of_sets(sets.counts, sets.sums, sets.squares)
    together = np.concatenate(
        [_joined(model, sets, first[part], second[part]) for part in blocks(len(pairs))]
    )
    odds = together - apart[first] - apart[second] + np.log(PRIOR / len(sets.counts))
    chosen = np.flatnonzero(odds > SURE)
    chosen = chosen[np.argsort(-odds[chosen], kind="stable")]
    return [Twins(int(first[i]), int(second[i]), float(odds[i])) for i in chosen]


def two_under_one_name(
    model: Likelihood, sets: Sets, rows_of: Sequence[IntArray]
) -> list[TwoUnderOneName]:
    """Return identities whose pictures are likelier of two, surest first.

    The two parts are those of Ward's tree (Ward, "Hierarchical grouping to optimize an objective
    function", 1963); each has FEWEST_EACH pictures or more. ``rows_of``: those of each code, of
    which more than MOST_PARTED are not looked at.
    """
    whole = model.of_sets(sets.counts, sets.sums, sets.squares)
    found = []
    for code, rows in enumerate(rows_of):
        if not 2 * FEWEST_EACH <= len(rows) <= MOST_PARTED:
            continue
        part = fcluster(linkage(model.rows[rows], "ward"), 2, "maxclust") - 1
        smaller = rows[part == np.argmin(np.bincount(part))]
        if len(smaller) < FEWEST_EACH or len(smaller) == len(rows):
            continue
        two = _apart(model, rows, part)
        # The tree chose the best of all ways to part them.
        odds = two - whole[code] - (len(rows) - 1) * np.log(2) + np.log(PRIOR)
        # Poor pictures, like nothing and not like one another, are no second identity.
        alone = np.zeros(len(rows), np.int64)
        alone[np.isin(rows, smaller)] = np.arange(1, len(smaller) + 1)
        if min(odds, two - _apart(model, rows, alone)) > SURE:
            found.append(TwoUnderOneName(code, tuple(smaller.tolist()), float(odds)))
    return sorted(found, key=lambda one: -one.odds)


def wrong_names(model: Likelihood, sets: Sets, codes: IntArray, who: IntArray) -> list[WrongName]:
    """Return pictures that are likelier one of the other identities ``who`` (n, c), surest first.

    Likelier than its own identity, and likelier than somebody who is not in the gallery: a poor
    picture, which is like nobody, is not under a wrong name for that.
    """
    odds, other = np.full(len(codes), -np.inf), np.full(len(codes), -1, np.int64)
    apart = model.of_sets(sets.counts, sets.sums, sets.squares)
    for part in blocks(len(codes)):
        rows = np.arange(part.start, min(part.stop, len(codes)))
        alone = model.of_sets(
            np.ones(len(rows), np.int64), model.rows[rows], (model.rows[rows] ** 2).sum(axis=1)
        )
        own = _without(model, sets, apart, codes[rows], rows) - alone
        for column in who[rows].T:
            there = np.flatnonzero(column >= 0)
            if not len(there):
                continue
            joined = _with(model, sets, column[there], rows[there]) - apart[column[there]]
            gained = joined - alone[there] - np.maximum(own[there], 0.0)
            better = gained > odds[rows[there]]
            odds[rows[there[better]]] = gained[better]
            other[rows[there[better]]] = column[there[better]]
    odds += np.log(PRIOR / len(sets.counts))
    chosen = np.flatnonzero((odds > SURE) & (sets.counts[codes] > 1))
    chosen = chosen[np.argsort(-odds[chosen], kind="stable")]
    return [WrongName(int(row), int(other[row]), float(odds[row])) for row in chosen]


def _apart(model: Likelihood, rows: IntArray, part: IntArray) -> float:
    """The likelihood of rows (m,), each ``part`` (m,) of them an identity of its own."""
    parts = Sets.of(model.rows[rows], part)
    return float(model.of_sets(parts.counts, parts.sums, parts.squares).sum())


def _joined(model: Likelihood, sets: Sets, first: IntArray, second: IntArray) -> Float64Array:
    return model.of_sets(
        sets.counts[first] + sets.counts[second],
        sets.sums[first] + sets.sums[second],
        sets.squares[first] + sets.squares[second],
    )


def _with(model: Likelihood, sets: Sets, codes: IntArray, rows: IntArray) -> Float64Array:
    """The likelihood of identities (m,), each with one row (m,) more."""
    added = model.rows[rows]
    squares = sets.squares[codes] + (added**2).sum(axis=1)
    return model.of_sets(sets.counts[codes] + 1, sets.sums[codes] + added, squares)


def _without(
    model: Likelihood, sets: Sets, apart: Float64Array, codes: IntArray, rows: IntArray
) -> Float64Array:
    """What each row (m,) adds to the likelihood of its own identity (m,)."""
    taken = model.rows[rows]
    squares = sets.squares[codes] - (taken**2).sum(axis=1)
    left = model.of_sets(sets.counts[codes] - 1, sets.sums[codes] - taken, squares)
    found: Float64Array = apart[codes] - left
    return found
