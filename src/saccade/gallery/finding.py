"""Search: the best pictures of the best identities, from the loose rows and from the codes.

Both give the best picture of each of their k best identities; the best of those is the answer. A
loose row is compared exactly. The codes give a short list; those of its rows that may be answers
are read from the truth and compared: a read takes longer than all else, and the bounds of the codes
rule most rows out. Where one identity fills the list, it is left out and the codes are asked again.

Identities are those that answer for the rows' own (``merges``). Whoever is rejected for a query is
dropped from its hits, and so many more are sought. Rows and queries are compared as the gallery's
``decisions`` say; limits of rejections are on plain cosines.
"""

import dataclasses
import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.gallery import centring, rows, store
from saccade.gallery.centring import Centre
from saccade.gallery.codes import Base, packed, positions_of
from saccade.gallery.database import Database
from saccade.gallery.decisions import Decisions
from saccade.gallery.memory import Loose, Memory
from saccade.gallery.merges import Merges
from saccade.values import Float32Array, Found, Hit, IntArray, UInt8Array
from saccade.vectors.scan_coded import Effort

START_FACTOR = 4
EXACT_ROWS = 65_536
ROUNDING = 0.001  # of the length of a stored row, by which its cosine differs from its product

Match = tuple[int, float, int]  # picture number, similarity, identity number


class ChangedError(Exception):
    """A row of the short list is not there as the codes say it: changed meanwhile, or damaged."""


def best_matches(
    database: Database, memory: Memory, queries: Float32Array, k: int
) -> list[list[Match]]:
    """Return for each query (q, d) the best picture of each of the k best identities, best first.

    The loose rows of ``memory`` are as they are compared (see ``narrowing``). Similarities are
    cosines in [-1, 1]; equal ones go by the lower picture number. Raises ChangedError when rows
    were forgotten while it searched.
    """
    merges, compared = memory.decisions.merges, memory.decisions.compared(queries)

    def search(some: Float32Array, most: int) -> list[list[Match]]:
        found = loose_matches(memory.loose, merges, some, most)
        if memory.base is None or not len(some):
            return found
        coded = _coded_matches(database, memory.base, memory.decisions, some, most)
        return [best_of([*a, *b], most) for a, b in zip(found, coded, strict=True)]

    rejected = memory.decisions.rejected(queries)
    answers: list[list[Match]] = [[] for _ in queries]
    counts = np.array([len(mine) for mine in rejected], np.int64)
    for count in np.unique(counts).tolist():
        chosen = np.flatnonzero(counts == count)
        for row, matches in zip(chosen, search(compared[chosen], k + count), strict=True):
            answers[row] = _left(matches, rejected[row], k)
    return answers


def exact_matches(
    chunks: Iterable[rows.Rows], decisions: Decisions, queries: Float32Array, k: int
) -> list[list[Match]]:
    """Return what ``best_matches`` does by comparing with every row of the truth."""
    rejected = decisions.rejected(queries)
    most, compared = k + max(map(len, rejected), default=0), decisions.compared(queries)
    found: list[list[Match]] = [[] for _ in queries]
    loose = Loose.empty(queries.shape[1])
    for chunk in chunks:
        loose = loose.extended(chunk)
        if loose.count >= EXACT_ROWS:
            found = _with_more(found, loose, decisions, compared, most)
            loose = Loose.empty(queries.shape[1])
    found = _with_more(found, loose, decisions, compared, most)
    return [_left(matches, mine, k) for matches, mine in zip(found, rejected, strict=True)]


def loose_matches(loose: Loose, merges: Merges, queries: Float32Array, k: int) -> list[list[Match]]:
    """Return the k best identities among rows in memory, for each query (q, d), as compared both.

    The best rows come in order, so once k identities are among them, no further row can change the
    answer. The search starts small and grows for those queries that need it.
    """
    answers: list[list[Match]] = [[] for _ in queries]
    if not loose.count:
        return answers
    open_queries = np.arange(len(queries))
    index = loose.index()
    wanted = min(loose.count, START_FACTOR * k)
    while len(open_queries):
        _, places = index.find(queries[open_queries], wanted)
        identities = merges.of(loose.identities[places])
        first = _first_of_each(identities)
        done = first.sum(axis=1) >= k
        if not done.all():
            there = len(np.unique(merges.of(loose.identities[: loose.count])))
            done = first.sum(axis=1) >= min(k, there)
        for row in np.flatnonzero(done):
            kept = np.flatnonzero(first[row])[:k]
            keep = places[row, kept]
            query = queries[open_queries[row]]
            mine_are = loose.pictures[keep], loose.vectors[keep], identities[row, kept]
            answers[open_queries[row]] = _best(*mine_are, query, k)
        open_queries = open_queries[~done]
        wanted = min(loose.count, wanted * START_FACTOR)
    return answers


def best_of(matches: Iterable[Match], k: int) -> list[Match]:
    """Return the best match of each identity, the k best of those, best first."""
    kept: dict[int, Match] = {}
    for match in sorted(matches, key=lambda match: (-match[1], match[0])):
        kept.setdefault(match[2], match)
    return list(kept.values())[:k]


def with_names(
    connection: sqlite3.Connection, matches: Sequence[Sequence[Match]], queries: Sequence[str]
) -> tuple[list[Found], bool]:
    """Put names to matches, and say whether all matched pictures are still enrolled.

    Another process may have forgotten an identity since the search: it is left out.
    """
    pictures = sorted({number for match in matches for number, _, _ in match})
    identities = sorted({identity for match in matches for _, _, identity in match})
    threshold = store.read_meta(connection).threshold
    labels = store.file_names(connection, pictures)
    names = store.identity_names(connection, identities)
    found = []
    for query, match in zip(queries, matches, strict=True):
        hits = tuple(
            Hit(names[identity], similarity, labels[number], number)
            for number, similarity, identity in match
            if number in labels and identity in names
        )
        found.append(Found(query, hits, threshold))
    return found, len(labels) == len(pictures) and len(names) == len(identities)


def _left(matches: Iterable[Match], rejected: IntArray, k: int) -> list[Match]:
    """Return the k best without those of rejected identities."""
    gone = set(rejected.tolist())
    return [match for match in matches if match[2] not in gone][:k]


def _with_more(
    found: list[list[Match]], loose: Loose, decisions: Decisions, queries: Float32Array, k: int
) -> list[list[Match]]:
    more = loose_matches(loose.compared(decisions), decisions.merges, queries, k)
    return [best_of([*a, *b], k) for a, b in zip(found, more, strict=True)]


def _coded_matches(
    database: Database, base: Base, decisions: Decisions, queries: Float32Array, k: int
) -> list[list[Match]]:
    positions = _listed(base, decisions.centre, queries, k, base.effort, base.allowed)
    found = _compared(database, base, decisions, queries, k, positions)
    return [
        match if len(match) >= k else _all_identities(database, base, decisions, query, k, match)
        for query, match in zip(queries, found, strict=True)
    ]


def _all_identities(
    database: Database,
    base: Base,
    decisions: Decisions,
    query: Float32Array,
    k: int,
    found: list[Match],
) -> list[Match]:
    """Ask again without the identities that were found, until there are k or no others."""
    effort = base.effort
    while len(found) < k:
        identities = np.array([identity for _, _, identity in found], np.int64)
        mine = positions_of(base.identities, decisions.merges.members(identities))
        allowed = base.allowed & ~packed(mine, len(base))
        if not allowed.any():
            break
        positions = _listed(base, decisions.centre, query[None], k, effort, allowed)
        more = _compared(database, base, decisions, query[None], k, positions)[0]
        if not more and not effort.probes:
            break
        effort = effort if more else dataclasses.replace(effort, probes=0, margin=0)
        found = [*found, *more]
    return best_of(found, k)


def _listed(
    base: Base,
    centre: Centre | None,
    queries: Float32Array,
    k: int,
    effort: Effort,
    allowed: UInt8Array,
) -> IntArray:
    """Return the positions of the likeliest rows for queries (q, d): (q, f), filled with -1."""
    if centre is not None:
        queries, k = centre.leaning(queries), centring.CODED_FACTOR * k + centring.CODED_MORE
        survivors, finalists = (
            centring.CODED_FACTOR * most for most in (effort.survivors, effort.finalists)
        )
        effort = dataclasses.replace(effort, survivors=survivors, finalists=finalists)
    return base.coded.shortlist(queries, k, effort, allowed=allowed, threads=base.wish.threads)


def _compared(
    database: Database,
    base: Base,
    decisions: Decisions,
    queries: Float32Array,
    k: int,
    positions: IntArray,
) -> list[list[Match]]:
    """Compare queries with the truth of those rows at positions (q, f) that may be answers."""
    lists = [
        _within_reach(base, decisions, query, k, mine[mine >= 0])
        for query, mine in zip(queries, positions, strict=True)
    ]
    listed = np.concatenate(lists)
    wanted, first, places = np.unique(base.numbers[listed], return_index=True, return_inverse=True)
    with database.reading() as connection:
        truth = rows.named(connection, wanted.tolist())
        vectors = decisions.compared(truth.vectors(queries.shape[1]))
    if not np.array_equal(truth.identities, base.identities[listed[first]]):
        raise ChangedError
    identities = decisions.merges.of(truth.identities)
    found = []
    ends = np.cumsum([len(mine) for mine in lists])
    for query, mine in zip(queries, np.split(places, ends[:-1]), strict=True):
        found.append(_best(truth.numbers[mine], vectors[mine], identities[mine], query, k))
    return found


def _within_reach(
    base: Base, decisions: Decisions, query: Float32Array, k: int, positions: IntArray
) -> IntArray:
    """Leave out of the positions (f,) whatever surely is no best picture of the k best identities.

    The bounds of the codes tell: k identities have a row that is more alike than such a row can be.
    """
    low, high = _bounds(base, query, positions)
    if decisions.centre is not None:
        along = _bounds(base, decisions.centre.mean, positions)
        low, high = decisions.centre.within(query, (low, high), along)
    order = np.argsort(-low)
    owners = decisions.merges.of(base.identities[positions[order]])
    _, first = np.unique(owners, return_index=True)
    if len(first) < k:
        return positions
    enough = low[order[np.sort(first)[k - 1]]]
    kept: IntArray = positions[high >= enough]
    return kept


def _bounds(
    base: Base, query: Float32Array, positions: IntArray
) -> tuple[Float32Array, Float32Array]:
    """Return what the products of a query of length 1 or less with n rows lie between, each (n,).

    The codes' bounds are of rows as they are stored, these of rows of length 1.
    """
    low, high = base.coded.bounds(query, positions)
    return low - np.float32(ROUNDING), high + np.float32(ROUNDING)


def _best(
    numbers: IntArray, vectors: Float32Array, identities: IntArray, query: Float32Array, k: int
) -> list[Match]:
    """Return of n rows what ``best_of`` does, without a Python object for each.

    Compares in one way, whichever way rows were found, so that the cosines have the same bits.
    """
    cosines = np.clip((vectors * query).sum(axis=1), -1.0, 1.0)
    order = np.lexsort((numbers, -cosines))
    _, first = np.unique(identities[order], return_index=True)
    best = order[np.sort(first)[:k]]
    kept = numbers[best].tolist(), cosines[best].tolist(), identities[best].tolist()
    return list(zip(*kept, strict=True))


def _first_of_each(identities: IntArray) -> NDArray[np.bool_]:
    """Mark in each row of (q, r) the first place of every identity."""
    order = np.argsort(identities, axis=1, kind="stable")
    ranked = np.take_along_axis(identities, order, axis=1)
    first_ranked = np.ones(ranked.shape, dtype=np.bool_)
    first_ranked[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.empty(ranked.shape, dtype=np.bool_)
    np.put_along_axis(first, order, first_ranked, axis=1)
    return first
