"""Search: the vectors of a gallery in memory, and hits grouped by identity.

The k best *identities* stand certainly among the (k - 1) m + 1 best rows, where m is the largest
number of pictures of one identity. Fewer rows mostly do: the best rows come in order, so once k
identities are among them, no further row can change the answer. The search starts small and grows
up to that bound for those queries that need it.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.gallery import store
from saccade.gallery.database import DamageError, Database
from saccade.values import Float32Array, Found, Hit, IntArray
from saccade.vectors import INDEXES, Index

CHUNK_ROWS = 8192
START_FACTOR = 4
LENGTH_TOLERANCE = 0.01  # float16 rounding stays below 0.001; scrambled bytes do not

Match = tuple[int, float]  # picture number, similarity


@dataclass(frozen=True, slots=True)
class Memory:
    """A gallery's vectors at one generation, rows by picture number.

    ``pictures`` (n,) and ``identities`` (n,) are the numbers of each row; ``most`` is the largest
    number of pictures of one identity.
    """

    generation: int
    index: Index
    pictures: IntArray
    identities: IntArray
    most: int


def load(database: Database) -> Memory:
    """Copy the vectors out of the truth, in one snapshot."""
    with database.reading() as connection:
        meta = store.read_meta(connection)
        links = connection.execute(
            "SELECT number, identity, vector FROM pictures ORDER BY number"
        ).fetchall()
        try:
            table = np.array(links, dtype=np.int64).reshape(-1, 3)
        except (TypeError, ValueError, OverflowError) as error:
            raise DamageError("a picture cannot be read") from error
        pictures, identities, slots = np.ascontiguousarray(table.T)
        vectors = _read_vectors(connection, slots, meta.dimension)
    counts = np.unique(identities, return_counts=True)[1]
    return Memory(
        generation=meta.generation,
        index=INDEXES["exact"](vectors),
        pictures=pictures,
        identities=identities,
        most=int(counts.max(initial=0)),
    )


def best_matches(memory: Memory, queries: Float32Array, k: int) -> list[list[Match]]:
    """Return for each query (q, d) the best picture of each of the k best identities, best first.

    Similarities are cosines in [-1, 1]; equal ones go by the lower picture number.
    """
    answers: list[list[Match]] = [[] for _ in queries]
    n = len(memory.pictures)
    bound = min((k - 1) * memory.most + 1, n)
    open_queries = np.arange(len(queries) if n else 0)
    rows_wanted = min(bound, START_FACTOR * k)
    while len(open_queries):
        scores, rows = memory.index.find(queries[open_queries], rows_wanted)
        first = _first_of_each(memory.identities[rows])
        done = (first.sum(axis=1) >= k) | (rows_wanted >= bound)
        for place in np.flatnonzero(done):
            keep = np.flatnonzero(first[place])[:k]
            ids = memory.pictures[rows[place, keep]].tolist()
            cosines = np.clip(scores[place, keep], -1.0, 1.0).tolist()
            answers[open_queries[place]] = list(zip(ids, cosines, strict=True))
        open_queries = open_queries[~done]
        rows_wanted = min(bound, rows_wanted * START_FACTOR)
    return answers


def with_names(
    database: Database, matches: Sequence[Sequence[Match]], queries: Sequence[str]
) -> tuple[list[Found], bool]:
    """Put names to matches, and say whether all matched pictures are still enrolled.

    Another process may have forgotten an identity since the vectors were copied: it is left out.
    """
    wanted = sorted({number for match in matches for number, _ in match})
    with database.reading() as connection:
        threshold = store.read_meta(connection).threshold
        rows = connection.execute(
            "SELECT p.number, p.source_key, l.content, i.name_key, n.content FROM json_each(?) j "
            "JOIN pictures p ON p.number = j.value JOIN labels l ON l.slot = p.label "
            "JOIN identities i ON i.number = p.identity JOIN names n ON n.slot = i.name",
            (json.dumps(wanted),),
        ).fetchall()
    shown = {
        number: (store.read_name(name, name_key), store.read_label(label, source_key))
        for number, source_key, label, name_key, name in rows
    }
    found = []
    for query, match in zip(queries, matches, strict=True):
        hits = tuple(
            Hit(shown[number][0], similarity, shown[number][1], number)
            for number, similarity in match
            if number in shown
        )
        found.append(Found(query, hits, threshold))
    return found, len(shown) == len(wanted)


def decode_vectors(contents: Sequence[bytes], dimension: int) -> Float32Array:
    """Return float16 bytes as (n, dimension) float32 rows, scaled to length 1 again."""
    if any(len(content) != 2 * dimension for content in contents):
        raise DamageError("a vector has the wrong length")
    stored = np.frombuffer(b"".join(contents), dtype="<f2")
    rows: Float32Array = stored.astype(np.float32).reshape(len(contents), dimension)
    with np.errstate(invalid="ignore", over="ignore"):  # scrambled bytes may hold anything
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    if not (np.abs(lengths - 1.0) < LENGTH_TOLERANCE).all():
        raise DamageError("a vector cannot be read")
    rows /= lengths[:, None]
    return rows


def _read_vectors(connection: sqlite3.Connection, slots: IntArray, dimension: int) -> Float32Array:
    """Return the vectors of these slots, in their order; the shelf is read from end to end once."""
    vectors = np.empty((len(slots), dimension), dtype=np.float32)
    last = connection.execute("SELECT coalesce(max(slot), 0) FROM vectors").fetchone()[0]
    place = np.full(last + 1, -1, dtype=np.int64)
    if len(slots) and not 1 <= slots.min() <= slots.max() <= last:
        raise DamageError("a picture has no vector")
    place[slots] = np.arange(len(slots))
    seen = 0
    cursor = connection.execute("SELECT slot, content FROM vectors ORDER BY slot")
    while chunk := cursor.fetchmany(CHUNK_ROWS):
        chunk_places = place[[slot for slot, _ in chunk]]
        used = np.flatnonzero(chunk_places >= 0)
        rows = decode_vectors([chunk[row][1] for row in used], dimension)
        vectors[chunk_places[used]] = rows
        seen += len(used)
    if seen != len(slots):
        raise DamageError("a picture has no vector")
    return vectors


def _first_of_each(identities: IntArray) -> NDArray[np.bool_]:
    """Mark in each row of (q, r) the first place of every identity."""
    order = np.argsort(identities, axis=1, kind="stable")
    ranked = np.take_along_axis(identities, order, axis=1)
    first_ranked = np.ones(ranked.shape, dtype=np.bool_)
    first_ranked[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.empty(ranked.shape, dtype=np.bool_)
    np.put_along_axis(first, order, first_ranked, axis=1)
    return first
