"""Finding the nearest of ten million vectors on one core, beside faiss and exact search.

Vectors like those of face embeddings (``_vectors.py``; ``--corpus real``, ``kind`` or ``flat``) are
held as float16 in a mapped file; recall@1 is agreement with exact search over all queries, 30 % of
them strangers. One query at a time, one thread. The settings take turns over blocks of queries, so
that noise meets all of them alike.

- scan: without cells (not with --cells-only) and with them, at several efforts; cells are left out
  by the margin that the tuner chooses with 1,000 rows, 30 % of them as strangers.
- exact: float32 products with all rows, NumPy, on a few queries.
- faiss: ``PQ64x4fs`` and ``IVF4096,PQ64x4fsr``, each
  with Refine(SQ8) and Refine(SQfp16), at several efforts.
- with --peers hnsw scann, up to a million rows: HNSW of faiss with 24 and 32 links, and ScaNN.

Then batches (``_find_batches.py``): how many times the queries a second of one by one, in one
thread and in two, and how near the pass over the head comes to what one core reads from memory.
--rows, --dimension and --queries set the size; --small is 200,000 rows and 300 queries. Refuses
when memory, or the disk below --folder, is too small.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _find_batches import batches, read_bandwidth
from _find_sides import GRAPH_ROWS, PEERS, scan_indexes, scan_sides
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
    parser.add_argument("--cells-only", action="store_true", help="no scan without cells")
    parser.add_argument("--folder", type=Path, help="for the vectors; else a temporary one")
    parser.add_argument("--peers", nargs="*", choices=sorted(PEERS), default=["faiss"])
    given = parser.parse_args()
    if {"hnsw", "scann"} & set(given.peers) and given.rows > GRAPH_ROWS:
        parser.error(f"hnsw and scann are for at most {GRAPH_ROWS:,} rows; take --rows")
    if given.small:
        given.rows, given.queries = SMALL_ROWS, SMALL_QUERIES
    return given


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Build every side, let them take turns, print a row each."""
    corpus = CORPORA[given.corpus](given.dimension)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        require_room(given, Path(folder))
        truth, groups = write(corpus, given.rows, Path(folder) / "vectors")
        return compared(given, corpus, truth, groups)


def compared(
    given: argparse.Namespace, corpus: Corpus, truth: HalfArray, groups: IntArray
) -> dict[str, Any]:
    """What was found, with vectors that are written."""
    asked, labels = queries(corpus, given.queries, given.rows)
    print(f"{given.corpus}, {given.rows:,} x {given.dimension}, {len(asked):,} queries", flush=True)
    print(f"one core reads {read_bandwidth() / 1e9:.1f} GB/s", flush=True)
    nearest, exact_ms = exact(truth, asked)
    indexes = scan_indexes(truth, flat=not given.cells_only)
    print(f"anonymous memory: {anonymous_bytes() / 2**30:.2f} GiB", flush=True)
    peers = {name: side for peer in given.peers for name, side in PEERS[peer](truth).items()}
    sides = scan_sides(indexes, truth, groups) | peers
    figures = measure(sides, asked, nearest)
    for name, found in figures.items():
        tell(name, found, exact_ms)
    print(f"exact float32: {exact_ms:.0f} ms a query", flush=True)
    return {
        "sides": figures,
        "batches": batches(indexes, asked, truth, groups),
        "exact_ms": exact_ms,
        "strangers": float((labels < 0).mean()),
    }


def require_room(given: argparse.Namespace, folder: Path) -> None:
    """Leave with code 2 when the codes do not fit the memory, or the vectors the disk."""
    values = given.rows * given.dimension
    peers_hold = 4 * ("faiss" in given.peers) + 8 * len({"hnsw", "scann"} & set(given.peers))
    memory = 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    sides = 1 if given.cells_only else 2
    for what, size, there in (
        ("memory", values * (sides + peers_hold), memory),
        (f"disk at {folder}", values * 2, shutil.disk_usage(folder).free),
    ):
        if size > there:
            needed = f"needs {size / 2**30:.0f} GiB of {what}, has {there / 2**30:.0f}"
            print(f"{needed}; take --rows", file=sys.stderr)
            raise SystemExit(2)


def anonymous_bytes() -> int:
    """Bytes of this process that no file backs."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


def write(corpus: Corpus, rows: int, path: Path) -> tuple[HalfArray, IntArray]:
    """All vectors as float16 in a file, mapped, (rows, d), and the identity of each."""
    groups = np.empty(rows, np.int64)
    with path.open("wb") as stream:
        for start, (block, labels) in zip(range(0, rows, BLOCK), blocks(corpus, rows), strict=True):
            block.astype(np.float16).tofile(stream)
            groups[start : start + len(block)] = labels
    return np.memmap(path, np.float16, "r", shape=(rows, corpus.d)), groups


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
            "mean_ms": statistics.fmean(seconds[name]) * 1e3,
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
        f"p50 {found['p50_ms']:6.2f}   mean {found['mean_ms']:6.2f}   "
        f"p99 {found['p99_ms']:6.2f} ms   "
        f"{exact_ms / found['p50_ms']:6.1f} x exact",
        flush=True,
    )


if __name__ == "__main__":
    chosen = options()
    keep(main(chosen), chosen)
