"""k nearest neighbours on Fashion-MNIST's pixels: seconds and accuracy, beside scikit-learn.

All 60,000 training pictures, all 10,000 test pictures, k = 5, by L1 and by L2. Peer: scikit-learn's
brute force in float32, on the same cores, in turns with ours; for L1 it answers 2,000 of the test
pictures, and its time is scaled. Ours is compared with whole numbers in NumPy on SPOT pictures.

With --small 6,000 and 1,000 pictures, to see that it runs.
"""

import os
import statistics
import time
from typing import Any

import numpy as np
from _shared import data_folder, run
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from saccade import scan
from saccade.data.readers import find_parts, read_data
from saccade.values import UInt8Array

K, TURNS, SPOT = 5, 3, 50
METRICS = {"l1": "manhattan", "l2": "euclidean"}
SCALED_QUERIES = {"l1": 2_000, "l2": 10_000}  # that the peer answers
Labels = NDArray[np.str_]


def main(small: bool) -> dict[str, Any]:
    """Let both answer in turns, and compare."""
    parts = find_parts(data_folder("fashion_mnist"))
    rows, labels = read(parts["train"], 6_000 if small else None)
    queries, right = read(parts["test"], 1_000 if small else None)
    threads = len(os.sched_getaffinity(0))
    print(f"{len(rows):,} x {len(queries):,}, kernel {scan.kernel()}, {threads} threads")
    return {name: compared(name, rows, labels, queries, right, threads) for name in METRICS}


def read(part: Any, most: int | None) -> tuple[UInt8Array, Labels]:
    """Pictures as rows of bytes, and their labels."""
    samples = read_data(part)[:most]
    pictures = np.stack([sample.array for sample in samples])
    return pictures.reshape(len(samples), -1), np.array([sample.label for sample in samples])


def compared(
    name: str, rows: UInt8Array, labels: Labels, queries: UInt8Array, right: Labels, threads: int
) -> dict[str, Any]:
    """Seconds of both, their ratio, and the accuracy of ours."""
    asked = queries[: SCALED_QUERIES[name]]
    scale = len(queries) / len(asked)
    peer = NearestNeighbors(n_neighbors=K, algorithm="brute", metric=METRICS[name], n_jobs=threads)
    peer.fit(rows.astype(np.float32))
    floats = asked.astype(np.float32)
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    of_cores: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(TURNS):
        begun = time.perf_counter(), time.process_time()
        sums, numbers = scan.neighbours(scan.kernel(), rows, queries, K, name, threads=threads)
        seconds["ours"].append(time.perf_counter() - begun[0])
        of_cores["ours"].append(time.process_time() - begun[1])
        begun = time.perf_counter(), time.process_time()
        peer.kneighbors(floats)
        seconds["peer"].append((time.perf_counter() - begun[0]) * scale)
        of_cores["peer"].append((time.process_time() - begun[1]) * scale)
    check(name, rows, queries, sums, numbers)
    ours, theirs = (statistics.median(seconds[who]) for who in ("ours", "peer"))
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["peer"], strict=True)]
    accuracy = float((voted(labels, numbers) == right).mean())
    scaled = f", scaled from {len(asked):,} queries" if scale > 1 else ""
    own, peers = (statistics.median(of_cores[who]) for who in ("ours", "peer"))
    print(
        f"{name}: ours {ours:.2f} s, scikit-learn {theirs:.2f} s{scaled}; ratio "
        f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}); processor time "
        f"{own:.2f} and {peers:.2f} s; accuracy {accuracy:.4f}",
        flush=True,
    )
    figures = {"ours_s": ours, "peer_s": theirs, "ratios": ratios, "accuracy": accuracy}
    return figures | {"processor_s": of_cores}


def voted(labels: Labels, numbers: NDArray[np.uint32]) -> Labels:
    """The commonest label of each row of neighbours, of equally common ones the first by name."""
    names, places = np.unique(labels, return_inverse=True)
    votes = (places[numbers][..., None] == np.arange(len(names))).sum(1)
    return names[votes.argmax(1)]


def check(
    name: str,
    rows: UInt8Array,
    queries: UInt8Array,
    sums: NDArray[np.uint32],
    numbers: NDArray[np.uint32],
) -> None:
    """Leave with an error where distances or numbers are not those of whole numbers."""
    for place in range(0, len(queries), max(1, len(queries) // SPOT)):
        apart = np.abs(rows.astype(np.int64) - queries[place])
        exact = (apart if name == "l1" else apart**2).sum(1)
        order = np.argsort(exact, kind="stable")[:K]
        if not (
            np.array_equal(order, numbers[place]) and np.array_equal(exact[order], sums[place])
        ):
            raise SystemExit(f"{name}: query {place} differs from whole numbers")


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
