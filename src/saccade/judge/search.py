"""Index kinds compared on one set of vectors: what they find, how fast, how large.

Queries are rows of the set itself, each left out of its own answer. A recall is the share of the
``top`` nearest rows by exact search that a kind finds; a row that is as similar as the last of them
counts too, so that ties are no mistakes. Aumüller, Bernhardsson and Faithfull, "ANN-Benchmarks",
2018, arXiv:1807.05614, for the recall and for measuring one query at a time on one thread.
The interval of recall at 1 is that of Clopper and Pearson; at ``top`` queries are resampled, for
the neighbours of one query are found or missed together.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from saccade.errors import InputError, SettingError
from saccade.intervals import binomial_interval
from saccade.judge.intervals import bootstrap_over_identities
from saccade.names import look_up
from saccade.values import Float32Array, IntArray, Interval
from saccade.vectors import INDEXES, Index
from saccade.vectors.shortlist import ShortlistIndex

QUERIES, TOP = 500, 10
TIMED_QUERIES, WARM_UP_QUERIES = 200, 10
EFFORT_FACTORS = (0.25, 0.5, 2.0, 4.0)
TIE = 1e-6  # cosines nearer than this are equal
# The scan has not the whole contract yet.

Progress = Callable[[Sequence[str]], Iterable[str]]
Hits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EffortPoint:
    """What one effort costs and finds; 1.0 is the kind's own choice."""

    factor: float
    p50_ms: float
    recall_1: float
    recall_top: float


@dataclass(frozen=True, slots=True)
class KindScores:
    """One kind at its own effort. ``add`` and ``remove`` are "own" or "rebuilt".

    ``p50_ms`` and ``p99_ms``: one query at a time; ``queries_per_second``: all in one call;
    ``efforts``: by rising effort, one alone where there is none to choose.
    """

    kind: str
    recall_1: Interval
    recall_top: Interval
    p50_ms: float
    p99_ms: float
    queries_per_second: float
    build_s: float
    memory_bytes: int
    add: str
    remove: str
    efforts: tuple[EffortPoint, ...]


@dataclass(frozen=True, slots=True)
class SearchScores:
    """Kinds compared on n ``rows``; ``missing`` says why others could not be, by kind."""

    rows: int
    dimension: int
    queries: int
    top: int
    kinds: tuple[KindScores, ...]
    missing: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Questions:
    """Queries (q, d), which rows they are, and the ``worst`` (q, 2) cosines that still count.

    The first column is for recall at 1, the second for recall at ``top``.
    """

    vectors: Float32Array
    queries: Float32Array
    own: IntArray
    top: int
    worst: Float32Array


def judge_kinds(
    vectors: Float32Array,
    kinds: Sequence[str],
    *,
    queries: int = QUERIES,
    top: int = TOP,
    seed: int = 0,
    progress: Progress = iter,
) -> SearchScores:
    """Compare index kinds on vectors (n, d), rows of Euclidean length 1, on one thread.

    ``queries`` and ``top`` are clipped to what n rows have. Raises InputError for fewer than two
    rows, UnknownNameError for a kind that there is not, SettingError for a number below 1.
    ``progress`` passes the kinds through.
    """
    for kind in kinds:
        look_up(INDEXES, kind, "index kind")
    if min(queries, top) < 1:
        raise SettingError(f"queries and top must be 1 or more, got {queries} and {top}")
    if len(vectors) < 2:
        raise InputError(f"a comparison needs 2 vectors or more, got {len(vectors)}")
    found, missing = [], {}
    with threadpool_limits(limits=1):
        questions = ask(vectors, queries=queries, top=top, seed=seed)
        for kind in progress(kinds):
            try:
                found.append(_judged(kind, questions))
            except SettingError as error:
                missing[kind] = str(error)
    n, d = vectors.shape
    return SearchScores(n, d, len(questions.own), questions.top, tuple(found), missing)


def ask(vectors: Float32Array, *, queries: int, top: int, seed: int) -> Questions:
    """Draw rows (n, d) as queries, and search them exactly."""
    n = len(vectors)
    top = min(top, n - 1)
    own = np.sort(np.random.default_rng(seed).permutation(n)[:queries])
    drawn = vectors[own]
    rows = _others(INDEXES["exact"](vectors), drawn, own, top)
    cosines = _cosines(vectors, drawn, rows)
    return Questions(vectors, drawn, own, top, cosines[:, [0, top - 1]] - np.float32(TIE))


def _judged(kind: str, questions: Questions) -> KindScores:
    start = time.perf_counter()
    index = INDEXES[kind](questions.vectors)
    build_s = time.perf_counter() - start
    start = time.perf_counter()
    _others(index, questions.queries, questions.own, questions.top)
    batch_s = time.perf_counter() - start
    times_ms, hits = _times_ms(index, questions), _hits(index, questions)
    own = _point(1.0, times_ms, hits)
    right = int(hits[:, 0].sum())
    return KindScores(
        kind=kind,
        recall_1=binomial_interval(right, len(hits)),
        recall_top=bootstrap_over_identities([*hits[:, 1:].astype(np.float64)]),
        p50_ms=own.p50_ms,
        p99_ms=float(np.percentile(times_ms, 99)),
        queries_per_second=len(hits) / batch_s,
        build_s=build_s,
        memory_bytes=index.memory,
        add="rebuilt" if "add" in index.rebuilds else "own",
        remove="rebuilt" if "remove" in index.rebuilds else "own",
        efforts=tuple(sorted([own, *_other_efforts(index, questions)], key=lambda p: p.factor)),
    )


def _other_efforts(index: Index, questions: Questions) -> Iterator[EffortPoint]:
    if isinstance(index, ShortlistIndex):
        own = index.effort
        for factor in EFFORT_FACTORS:
            index.effort = max(1, round(factor * own))
            yield _point(factor, _times_ms(index, questions), _hits(index, questions))
        index.effort = own


def _point(factor: float, times_ms: NDArray[np.float64], hits: Hits) -> EffortPoint:
    recall_1, recall_top = float(hits[:, 0].mean()), float(hits[:, 1:].mean())
    return EffortPoint(factor, float(np.median(times_ms)), recall_1, recall_top)


def _hits(index: Index, questions: Questions) -> Hits:
    """(q, 1 + top): whether the first answer is the nearest, then which answers are near enough."""
    asked = questions
    cosines = _cosines(
        asked.vectors, asked.queries, _others(index, asked.queries, asked.own, asked.top)
    )
    first = cosines[:, :1] >= asked.worst[:, :1]
    return np.hstack([first, cosines >= asked.worst[:, 1:]])


def _times_ms(index: Index, questions: Questions) -> NDArray[np.float64]:
    queries = questions.queries[:TIMED_QUERIES]
    for query in queries[:WARM_UP_QUERIES]:
        index.find(query[None], questions.top + 1)
    times = []
    for query in queries:
        start = time.perf_counter()
        index.find(query[None], questions.top + 1)
        times.append(time.perf_counter() - start)
    return 1e3 * np.array(times)


def _others(index: Index, queries: Float32Array, own: IntArray, top: int) -> IntArray:
    """Return the ``top`` best rows (q, top) of each query that are not its own row."""
    rows = index.find(queries, top + 1)[1]
    is_own = rows == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True  # not found among its equals: the last one goes
    others: IntArray = rows[~is_own].reshape(len(rows), top)
    return others


def _cosines(vectors: Float32Array, queries: Float32Array, rows: IntArray) -> Float32Array:
    found: Float32Array = np.einsum("qd,qkd->qk", queries, vectors[rows])
    return found
