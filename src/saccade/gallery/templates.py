"""Search by templates: an identity is as alike as the mean direction of its pictures.

The mean is that of the vectors of length 1 of all pictures that may be hits, of the identity and of
all that is merged with it; where it is zero, for the vectors cancel out, the similarity is 0. A hit
names the identity's most alike picture. In a gallery that is centred, the vectors are those without
the gallery's mean (``Decisions.compared``).

Few identities are first found in one of three ways, then all their pictures are read from the truth
and compared. ``exact`` means every identity's pictures as they are read. Without codes the means of
all rows in memory are compared: as right. With codes the candidates are those whose best pictures
are most alike, more than are sought: an identity none of whose pictures is among these is missed,
even if its mean is nearer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.gallery import finding, rows
from saccade.gallery.database import Database
from saccade.gallery.decisions import Decisions
from saccade.gallery.finding import ChangedError, Match
from saccade.gallery.memory import Loose, Memory
from saccade.gallery.merges import Merges
from saccade.gallery.narrowing import Chosen
from saccade.gallery.rows import Reading
from saccade.values import Float32Array, IntArray
from saccade.vectors.exact import ExactIndex

MORE_FACTOR, MORE = 4, 12  # candidates for k hits: 4 k + 12
BLOCK_QUERIES = 64
NONE: IntArray = np.zeros(0, np.int64)

Sums = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Means:
    """Rising ``identities`` (m,) that answer for themselves, and their mean directions (m, d)."""

    identities: IntArray
    vectors: Float32Array

    def most_alike(self, queries: Float32Array, most: int) -> tuple[Float32Array, IntArray]:
        """Return similarities and identities, both (q, up to most), best first."""
        similarities, places = ExactIndex(self.vectors).find(queries, most)
        return similarities, self.identities[places]


class Templates:
    """The means of what a process has in memory; the last ones are kept for the next find."""

    def __init__(self) -> None:
        self._last: tuple[Memory, Means] | None = None

    def of(self, memory: Memory) -> Means:
        """Return the means of the loose rows of ``memory``."""
        last = self._last
        if last is None or last[0] is not memory:
            self._last = last = memory, _of_loose(memory.loose, memory.decisions.merges)
        return last[1]


def mean_matches(
    reading: Reading,
    candidates: Sequence[IntArray],
    decisions: Decisions,
    chosen: Chosen,
    queries: Float32Array,
    k: int,
) -> list[list[Match]]:
    """Return for each query (q, d) the k best of its candidates, best first, by the truth.

    Each match has the number of the identity's most alike picture, and the similarity of the mean.
    Equal ones go by the lower picture number. ``chosen`` says which pictures may be hits. Raises
    ChangedError when a candidate has none any more.
    """
    found = []
    queries = decisions.compared(queries)
    for start in range(0, len(queries), BLOCK_QUERIES):
        block = slice(start, start + BLOCK_QUERIES)
        mine = candidates[block]
        truth = _read(reading, np.unique(np.concatenate(mine)), decisions, chosen, queries[block])
        found += [
            truth.best_of(row, whose, queries[start + row], k) for row, whose in enumerate(mine)
        ]
    return found


def likely(
    database: Database, memory: Memory, templates: Templates, queries: Float32Array, k: int
) -> list[IntArray]:
    """Return for each query (q, d) the candidates for its k best identities."""
    if memory.base is not None:
        most = MORE_FACTOR * k + MORE
        found = finding.best_matches(database, memory, queries, most)
        return [np.array([match[2] for match in mine], np.int64) for mine in found]
    rejected = memory.decisions.rejected(queries)
    most = k + max(map(len, rejected), default=0)
    compared = memory.decisions.compared(queries)
    _, identities = templates.of(memory).most_alike(compared, most)
    return _left(identities, rejected, k)


def surely(
    chunks: Iterable[rows.Rows], decisions: Decisions, queries: Float32Array, k: int
) -> list[IntArray]:
    """Return for each query the k best identities of all rows, that come by rising identity."""
    rejected = decisions.rejected(queries)
    most, compared = k + max(map(len, rejected), default=0), decisions.compared(queries)
    scores = np.zeros((len(queries), 0), np.float32)
    identities = np.zeros((len(queries), 0), np.int64)
    for means in _means(chunks, decisions, queries.shape[1]):
        more, whose = means.most_alike(compared, most)
        scores = np.concatenate([scores, more], axis=1)
        identities = np.concatenate([identities, whose], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
        scores = np.take_along_axis(scores, order, axis=1)
        identities = np.take_along_axis(identities, order, axis=1)
    return _left(identities, rejected, k)


@dataclass(frozen=True, slots=True)
class _Truth:
    """Of some ``means``: ``pictures`` (q, m), each query's most alike picture of the identity."""

    means: Means
    pictures: IntArray

    def best_of(self, row: int, whose: IntArray, query: Float32Array, k: int) -> list[Match]:
        """Return the k best of the identities ``whose`` for the query in a row."""
        places = np.searchsorted(self.means.identities, whose)
        cosines = np.clip((self.means.vectors[places] * query).sum(axis=1), -1.0, 1.0)
        numbers = self.pictures[row, places]
        best = np.lexsort((numbers, -cosines))[:k]
        kept = numbers[best].tolist(), cosines[best].tolist(), whose[best].tolist()
        return list(zip(*kept, strict=True))


def _read(
    reading: Reading, wanted: IntArray, decisions: Decisions, chosen: Chosen, queries: Float32Array
) -> _Truth:
    """Read all pictures of the ``wanted`` identities, chunk by chunk; queries as compared."""
    merges = decisions.merges
    sums = np.zeros((len(wanted), queries.shape[1]))
    nearest = np.full((len(queries), len(wanted)), -np.inf, np.float32)
    pictures = np.zeros((len(queries), len(wanted)), np.int64)
    with reading() as connection:
        chunks = rows.of_identities(connection, merges.members(wanted).tolist())
        for chunk in filter(len, chosen.of_rows(chunks)):
            vectors = decisions.compared(chunk.vectors(queries.shape[1]))
            order, starts, own = _runs(np.searchsorted(wanted, merges.of(chunk.identities)))
            sums[own] += np.add.reduceat(vectors[order], starts, axis=0, dtype=np.float64)
            products = queries @ vectors.T
            for place, columns in zip(own.tolist(), np.split(order, starts[1:]), strict=True):
                state = nearest[:, place], pictures[:, place]
                _note_nearest(*state, products[:, columns], chunk.numbers[columns])
    if not (pictures > 0).all():
        raise ChangedError
    return _Truth(Means(wanted, _directions(sums)), pictures)


def _note_nearest(
    nearest: Float32Array, pictures: IntArray, products: Float32Array, numbers: IntArray
) -> None:
    """Change in place what was nearest (q,) where one of n more pictures is; products (q, n)."""
    best = products.max(axis=1)
    first = np.where(products == best[:, None], numbers, np.iinfo(np.int64).max).min(axis=1)
    better = (best > nearest) | ((best == nearest) & (first < pictures))
    nearest[better], pictures[better] = best[better], first[better]


def _left(identities: IntArray, rejected: list[IntArray], k: int) -> list[IntArray]:
    """Return of each row of (q, m) the first k that are not rejected."""
    pairs = zip(identities, rejected, strict=True)
    return [mine[~np.isin(mine, gone)][:k] for mine, gone in pairs]


def _of_loose(loose: Loose, merges: Merges) -> Means:
    whose = merges.of(loose.identities[: loose.count])
    if not len(whose):
        return Means(NONE, loose.vectors[:0])
    order, starts, own = _runs(whose)
    sums = np.add.reduceat(loose.vectors[order], starts, axis=0, dtype=np.float64)
    return Means(own, _directions(sums))


def _means(chunks: Iterable[rows.Rows], decisions: Decisions, d: int) -> Iterator[Means]:
    """Yield the means of all identities, of rows by rising identity.

    The last identity of a chunk may go on in the next, and one of a merge anywhere: their sums wait
    for the end.
    """
    merges = decisions.merges
    in_merges = np.concatenate([merges.merged, merges.kept])
    waiting: dict[int, Sums] = {}
    for chunk in filter(len, chunks):
        _, starts, own = _runs(chunk.identities)
        sums = np.add.reduceat(
            decisions.compared(chunk.vectors(d)), starts, axis=0, dtype=np.float64
        )
        wait = np.isin(own, in_merges)
        wait[[0, -1]] = True
        for identity, mine in zip(merges.of(own[wait]).tolist(), sums[wait], strict=True):
            waiting[identity] = waiting.get(identity, 0.0) + mine
        yield Means(own[~wait], _directions(sums[~wait]))
    left = np.array(sorted(waiting), np.int64)
    yield Means(left, _directions(np.array([waiting[one] for one in left.tolist()]).reshape(-1, d)))


def _runs(whose: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the order that brings equal ones (n,) together, where each begins, and which it is."""
    order = np.argsort(whose, kind="stable")
    own, starts = np.unique(whose[order], return_index=True)
    return order, starts, own


def _directions(sums: Sums) -> Float32Array:
    """Scale rows to length 1; those of length 0 stay."""
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    scaled: Float32Array = (sums / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return scaled
