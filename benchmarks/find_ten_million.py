"""Finding the nearest of ten million vectors on one core, beside faiss and exact search.

Vectors like those of face embeddings (``_vectors.py``; ``--corpus real``, ``kind`` or ``flat``) are
held as float16; recall@1 is agreement with exact search over all queries, 30 % of them strangers.
One query at a time, one thread. The settings take turns over blocks of queries, so that noise meets
all of them alike.

- scan: without cells and with them, at several efforts.
- exact: float32 products with all rows, NumPy, on a few queries.
- faiss, where it is installed (``requirements.txt``): ``PQ64x4fs`` and ``IVF4096,PQ64x4fsr``, each
  with Refine(SQ8) and Refine(SQfp16), at several efforts.
- with --graphs, up to a million rows: HNSW of faiss with 24 and 32 links, and ScaNN.

Then batches (``_find_batches.py``): how many times the queries a second of one by one, in one
thread and in two, and how near the pass over the head comes to what one core reads from memory.
--rows, --dimension and --queries set the size; --small is 200,000 rows and 300 queries. Refuses
when memory is too small.
"""

import argparse
import os
import statistics
import sys
import time
from typing import Any

import numpy as np
from _find_batches import batches, read_bandwidth
from _find_sides import GRAPH_ROWS, peer_sides, scan_indexes, scan_sides
from _shared import arguments, keep
from _vectors import BLOCK, CORPORA, Corpus, blocks, queries

from saccade.intervals import binomial_interval
from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_codes import HalfArray

ROWS, QUERIES, SMALL_ROWS, SMALL_QUERIES = 10_000_000, 2_000, 200_000, 300
TURN = 50  # queries before the next setting has its turn
EXACT_QUERIES = 10


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="real")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--without-peers", action="store_true", help="leave faiss and ScaNN out")
    parser.add_argument("--graphs", action="store_true", help="HNSW and ScaNN too: long to build")
    given = parser.parse_args()
    if given.graphs and given.rows > GRAPH_ROWS:
        parser.error(f"--graphs is for at most {GRAPH_ROWS:,} rows; take --rows")
    if given.small:
        given.rows, given.queries = SMALL_ROWS, SMALL_QUERIES
    return given


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Build every side, let them take turns, print a row each."""
    peers_hold = 0 if given.without_peers else 4 + 16 * given.graphs
    require_memory(given.rows * given.dimension * (2 + 1 + peers_hold))
    corpus = CORPORA[given.corpus](given.dimension)
    truth = write(corpus, given.rows)
    asked, labels = queries(corpus, given.queries, given.rows)
    print(f"{given.corpus}, {given.rows:,} x {given.dimension}, {len(asked):,} queries", flush=True)
    print(f"one core reads {read_bandwidth() / 1e9:.1f} GB/s", flush=True)
    nearest, exact_ms = exact(truth, asked)
    indexes = scan_indexes(truth)
    peers = {} if given.without_peers else peer_sides(truth, graphs=given.graphs)
    sides = scan_sides(indexes) | peers
    figures = measure(sides, asked, nearest)
    for name, found in figures.items():
        tell(name, found, exact_ms)
    print(f"exact float32: {exact_ms:.0f} ms a query", flush=True)
    return {
        "sides": figures,
        "batches": batches({name: index for name, (index, _) in indexes.items()}, asked),
        "exact_ms": exact_ms,
        "strangers": float((labels < 0).mean()),
    }


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
