"""Finding the nearest of ten million vectors on one core, beside faiss and exact search.

Vectors like those of face embeddings (``_vectors.py``; ``--corpus real``, ``kind`` or ``flat``) are
held as float16; recall@1 is agreement with exact search over all queries, 30 % of them strangers.
One query at a time, one thread. The settings take turns over blocks of queries, so that noise meets
all of them alike.

- scan: without cells and with them, at several efforts.
- exact: float32 products with all rows, NumPy, on a few queries.
- faiss, where it is installed (``requirements.txt``): ``PQ64x4fs`` and ``IVF4096,PQ64x4fsr``, each
  with Refine(SQ8) and Refine(SQfp16), at several efforts.

Printed too: how many bytes a second one core reads from memory. --rows, --dimension and --queries
set the size; --small is 200,000 rows and 300 queries. Refuses when memory is too small.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _shared import arguments, keep
from _vectors import BLOCK, CORPORA, Corpus, blocks, queries

from saccade.intervals import binomial_interval
from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_codes import HalfArray
from saccade.vectors.scan_truth import CodedTruth

ROWS, QUERIES, SMALL_ROWS, SMALL_QUERIES = 10_000_000, 2_000, 200_000, 300
SURVIVORS = (1, 3, 10, 30)  # in ten thousandths of the rows
PROBED = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
ROWS_A_CELL = 5_000
TURN = 50  # queries before the next setting has its turn
EXACT_QUERIES = 10
PEERS = ("PQ64x4fs", "IVF{lists},PQ64x4fsr")
REFINED = ("SQ8", "SQfp16")
PEER_EFFORTS = {"k_factor_rf": (10, 30, 100), "nprobe": (64, 256, 1024)}
PEER_TRAINING_ROWS = 200_000

Search = Callable[[Float32Array], int]


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="real")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--without-peers", action="store_true", help="leave faiss out")
    given = parser.parse_args()
    if given.small:
        given.rows, given.queries = SMALL_ROWS, SMALL_QUERIES
    return given


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Build every side, let them take turns, print a row each."""
    require_memory(given.rows * given.dimension * (2 + 1 + (0 if given.without_peers else 4)))
    corpus = CORPORA[given.corpus](given.dimension)
    truth = write(corpus, given.rows)
    asked, labels = queries(corpus, given.queries, given.rows)
    print(f"{given.corpus}, {given.rows:,} x {given.dimension}, {len(asked):,} queries", flush=True)
    print(f"one core reads {read_bandwidth() / 1e9:.1f} GB/s", flush=True)
    nearest, exact_ms = exact(truth, asked)
    sides = {**scan_sides(truth), **({} if given.without_peers else peer_sides(truth))}
    figures = measure(sides, asked, nearest)
    for name, found in figures.items():
        tell(name, found, exact_ms)
    print(f"exact float32: {exact_ms:.0f} ms a query", flush=True)
    return {"sides": figures, "exact_ms": exact_ms, "strangers": float((labels < 0).mean())}


def require_memory(size: int) -> None:
    """Leave with code 2 when the vectors and their codes do not fit the memory."""
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > 0.8 * there:
        print(
            f"needs {size / 2**30:.0f} GiB, has {there / 2**30:.0f}; take --rows", file=sys.stderr
        )
        raise SystemExit(2)


def write(corpus: Corpus, rows: int) -> HalfArray:
    """All vectors as float16, (rows, d)."""
    truth = np.empty((rows, corpus.d), np.float16)
    for start, (block, _) in zip(range(0, rows, BLOCK), blocks(corpus, rows), strict=True):
        truth[start : start + len(block)] = block
    return truth


def read_bandwidth() -> float:
    """Bytes a second that one core adds up, the best of five."""
    words = np.ones(1 << 27, np.int32)
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        words.view(np.int64).max()
        seconds.append(time.perf_counter() - begun)
    return words.nbytes / min(seconds)


def exact(truth: HalfArray, asked: Float32Array) -> tuple[IntArray, float]:
    """The nearest row of each query, and the milliseconds that one query takes in float32."""
    best = np.full(len(asked), -np.inf, np.float32)
    nearest = np.zeros(len(asked), np.int64)
    seconds = 0.0
    for start in range(0, len(truth), BLOCK):
        rows = truth[start : start + BLOCK].astype(np.float32)
        scores = asked @ rows.T
        top = scores.argmax(axis=1)
        found = scores[np.arange(len(asked)), top]
        better = found > best
        best[better], nearest[better] = found[better], top[better] + start
        begun = time.perf_counter()
        for query in asked[:EXACT_QUERIES]:
            (rows @ query).argmax()
        seconds += time.perf_counter() - begun
    return nearest, seconds / EXACT_QUERIES * 1e3


def scan_sides(truth: HalfArray) -> dict[str, dict[str, Any]]:
    """The scan without cells and with them: name → search, seconds to build, bytes of codes."""
    sides: dict[str, dict[str, Any]] = {}
    for cells in (0, max(16, len(truth) // ROWS_A_CELL)):
        begun = time.perf_counter()
        index = CodedTruth.of_truth(truth, cells=cells)
        seconds = time.perf_counter() - begun
        fitted = index.fitted
        head = f"{len(fitted.head_step)} x {fitted.bits} bit"
        print(f"scan {head}, {index.probes} cells: built in {seconds:.1f} s", flush=True)
        probed = (1,) if not cells else PROBED
        for share, probe in itertools.product(SURVIVORS, probed):
            survivors = max(200, len(truth) * share // 10_000)
            probes = round(index.probes * probe)
            name = f"scan, {survivors:,} survivors" + (f", {probes} cells" if cells else "")
            sides[name] = {
                "search": scan_search(index, survivors, probes),
                "build_s": seconds,
                "bytes": index.code_bytes,
            }
    return sides


def scan_search(index: CodedTruth, survivors: int, probes: int) -> Search:
    """A search with this effort; other settings may use the same index in between."""

    def search(query: Float32Array) -> int:
        index.survivors, index.probes = survivors, probes
        return int(index.search(query, 1)[1][0, 0])

    return search


def peer_sides(truth: HalfArray) -> dict[str, dict[str, Any]]:
    """The settings of faiss, as ``scan_sides``; none when it is not installed."""
    try:
        import faiss
    except ImportError:
        print("faiss is not installed: pip install -r benchmarks/requirements.txt", flush=True)
        return {}
    faiss.omp_set_num_threads(1)
    sides: dict[str, dict[str, Any]] = {}
    for kind, refined in itertools.product(PEERS, REFINED):
        lists = min(4096, max(16, len(truth) // 1_000))
        recipe = f"{kind.format(lists=lists)},Refine({refined})"
        begun = time.perf_counter()
        index = faiss.index_factory(truth.shape[1], recipe, faiss.METRIC_INNER_PRODUCT)
        index.train(truth[:: max(1, len(truth) // PEER_TRAINING_ROWS)].astype(np.float32))
        for start in range(0, len(truth), BLOCK):
            index.add(truth[start : start + BLOCK].astype(np.float32))
        seconds = time.perf_counter() - begun
        print(f"faiss {recipe}: built in {seconds:.1f} s", flush=True)
        probes = [n for n in PEER_EFFORTS["nprobe"] if n <= lists] if "IVF" in kind else [0]
        for factor, probe in itertools.product(PEER_EFFORTS["k_factor_rf"], probes):
            name = f"faiss {recipe}, k_factor {factor}" + (f", nprobe {probe}" if probe else "")
            sides[name] = {
                "search": peer_search(faiss, index, factor, probe),
                "build_s": seconds,
                "bytes": len(faiss.serialize_index(index)) if len(truth) <= SMALL_ROWS else None,
            }
    return sides


def peer_search(faiss: Any, index: Any, factor: int, probe: int) -> Search:
    """A search of faiss with this effort."""
    parameters = faiss.ParameterSpace()

    def search(query: Float32Array) -> int:
        parameters.set_index_parameter(index, "k_factor_rf", factor)
        if probe:
            parameters.set_index_parameter(index, "nprobe", probe)
        return int(index.search(query, 1)[1][0, 0])

    return search


def measure(
    sides: dict[str, dict[str, Any]], asked: Float32Array, nearest: IntArray
) -> dict[str, dict[str, Any]]:
    """Ask every side every query, in turns; recall with its interval, p50 and p99 in ms."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    right = dict.fromkeys(sides, 0)
    for start in range(0, len(asked), TURN):
        for name, side in sides.items():
            search = side["search"]
            search(asked[start : start + 1])
            for number in range(start, min(start + TURN, len(asked))):
                query = asked[number : number + 1]
                begun = time.perf_counter()
                row = search(query)
                seconds[name].append(time.perf_counter() - begun)
                right[name] += row == nearest[number]
    return {
        name: {
            "recall": right[name] / len(asked),
            "recall_low": binomial_interval(int(right[name]), len(asked)).low,
            "p50_ms": statistics.median(seconds[name]) * 1e3,
            "p99_ms": float(np.quantile(seconds[name], 0.99)) * 1e3,
            "build_s": side["build_s"],
            "bytes": side["bytes"],
        }
        for name, side in sides.items()
    }


def tell(name: str, found: dict[str, Any], exact_ms: float) -> None:
    """Print one setting."""
    print(
        f"{name:<58} recall {found['recall']:.4f} (≥ {found['recall_low']:.4f})   "
        f"p50 {found['p50_ms']:7.2f}   p99 {found['p99_ms']:7.2f} ms   "
        f"{exact_ms / found['p50_ms']:6.1f} x exact",
        flush=True,
    )


if __name__ == "__main__":
    chosen = options()
    keep(main(chosen), chosen)
