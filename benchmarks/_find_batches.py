"""Batches of queries against one at a time, threads, and the head's pass against the memory."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from _find_sides import Indexes, reading_of

from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_codes import HalfArray
from saccade.vectors.scan_truth import CodedTruth

BATCH = 1_000
ALONE = 100  # queries one at a time in a turn
TURNS = 5
PROBED = 1 / 4
SURVIVORS_SHARE = 1e-3
WORDS = 1 << 26
READS = 5


def batches(
    indexes: Indexes, asked: Float32Array, truth: HalfArray, groups: IntArray
) -> dict[str, dict[str, float]]:
    """Measure each index in turns of: one at a time, a batch, two threads, reading memory.

    With cells, a quarter of them; then those alone that the margin leaves.
    """
    figures = {}
    for name, (index, _) in indexes.items():
        index.survivors = max(200, round(SURVIVORS_SHARE * len(index)))
        index.probes, margins = 0, [0.0]
        if index.cells is not None:
            index.probes = round(PROBED * len(index.cells.centres))
            margins.append(reading_of(index, truth, groups).margin(index.probes))
        for index.margin in margins:
            turns = [turn(index, asked[np.arange(BATCH) % len(asked)]) for _ in range(TURNS)]
            found = {key: statistics.median(one[key] for one in turns) for key in turns[0]}
            told = f"{name}, margin {index.margin:.1f}" if index.margin else name
            figures[told] = found
            tell(told, found)
    return figures


def turn(index: CodedTruth, asked: Float32Array) -> dict[str, float]:
    """Figures that stand beside each other within the same minute."""
    index.threads = 1
    alone = clocked(lambda: [index.search(query[None], 1) for query in asked[:ALONE]]) / ALONE
    together = clocked(lambda: index.search(asked, 1)) / len(asked)
    head = head_seconds(index, asked[:ALONE]) / ALONE
    one_reads, two_read = read_bandwidth(1), read_bandwidth(2)
    index.threads = 2
    threaded = clocked(lambda: index.search(asked, 1)) / len(asked)
    index.threads = 1
    read = index.codes.head.nbytes * (PROBED if index.cells else 1)
    shown = {} if index.margin else {"head_share_of_bandwidth": read / head / one_reads}
    return {
        "alone_ms": alone * 1e3,
        "batch_ms": together * 1e3,
        "batch_ratio": alone / together,
        "two_threads_ratio": together / threaded,
        "two_threads_read_ratio": two_read / one_reads,
    } | shown


def head_seconds(index: CodedTruth, asked: Float32Array) -> float:
    """Seconds of the searches in which next to nothing passes the head."""
    survivors, index.survivors = index.survivors, 1
    seconds = clocked(lambda: [index.search(query[None], 1) for query in asked])
    index.survivors = survivors
    return seconds


def clocked(work: Callable[[], Any]) -> float:
    """Seconds of a piece of work."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def read_bandwidth(threads: int = 1) -> float:
    """Bytes a second that so many threads compare, each its own 512 MiB; the best of five."""
    arrays = [np.ones(WORDS, np.int64) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        seconds = [clocked(lambda: list(pool.map(np.max, arrays))) for _ in range(READS)]
    return threads * arrays[0].nbytes / min(seconds)


def tell(name: str, found: dict[str, float]) -> None:
    """Print one index."""
    print(
        f"{name}: one at a time {found['alone_ms']:.2f} ms, in batches of {BATCH:,} "
        f"{found['batch_ms']:.2f} ms a query ({found['batch_ratio']:.2f} x); two threads "
        f"{found['two_threads_ratio']:.2f} x (reading memory "
        f"{found['two_threads_read_ratio']:.2f} x)",
        flush=True,
    )
    if "head_share_of_bandwidth" in found:
        share = found["head_share_of_bandwidth"]
        print(f"{name}: the head's pass takes in {share:.2f} of what one core reads", flush=True)
