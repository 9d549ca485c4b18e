"""What ``find_ten_million.py`` compares: each side as name → search, seconds to build, bytes."""

import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
from _vectors import BLOCK

from saccade.values import Float32Array, IntArray
from saccade.vectors.scan_codes import HalfArray
from saccade.vectors.scan_truth import CodedTruth
from saccade.vectors.tuning_queries import answered_exactly, draw, own_rows
from saccade.vectors.tuning_reading import Reading

SURVIVORS = (1, 3, 10, 30, 100)  # in ten thousandths of the rows
SURVIVORS_OF_CELLS = (2, 4, 8)
PROBED = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8)
KNOWN_ROWS, TARGET = 1_000, 0.99  # by which the margin is chosen
ROWS_A_CELL = 5_000
QUANTISED = ("PQ64x4fs", "IVF{lists},PQ64x4fsr")
REFINED = ("SQ8", "SQfp16")
PEER_EFFORTS = {"k_factor_rf": (30, 100, 300), "nprobe": (64, 128, 256, 512, 1024)}
PEER_TRAINING_ROWS = 200_000
BYTES_ROWS = 200_000  # up to so many rows, faiss's bytes are counted by writing the index
GRAPH_ROWS = 1_000_000  # at most, for HNSW and ScaNN: they hold float32 rows
LINKS, GRAPH_EFFORTS = (24, 32), (32, 64, 128, 256)
SCANN_LEAVES_SHARE, SCANN_REORDERED = (0.02, 0.05, 0.1), (100, 300)

Search = Callable[[Float32Array], int]
Sides = dict[str, dict[str, Any]]
Indexes = dict[str, tuple[CodedTruth, float]]  # and the seconds to build it


def scan_indexes(truth: HalfArray, *, flat: bool) -> Indexes:
    """The scan without cells and with them, and the seconds to build each."""
    found = {}
    some = max(16, len(truth) // ROWS_A_CELL)
    for cells in (0, some) if flat else (some,):
        begun = time.perf_counter()
        index = CodedTruth.of_truth(truth, cells=cells)
        seconds = time.perf_counter() - begun
        head = f"{len(index.fitted.head_step)} x {index.fitted.bits} bit"
        print(f"scan {head}, {index.probes} cells: built in {seconds:.1f} s", flush=True)
        found["cells" if cells else "no cells"] = index, seconds
    return found


def scan_sides(indexes: Indexes, truth: HalfArray, groups: IntArray) -> Sides:
    """The scan at several efforts; with cells, with those left out that the tuner leaves out."""
    sides: Sides = {}
    for index, seconds in indexes.values():
        cells, (shares, probed) = index.probes, (SURVIVORS, (1,))
        reading = None
        if index.cells is not None:
            (shares, probed), reading = (
                (SURVIVORS_OF_CELLS, PROBED),
                reading_of(index, truth, groups),
            )
        for share, probe in itertools.product(shares, probed):
            survivors, probes = max(200, round(len(index) * share / 10_000)), round(cells * probe)
            for margin in (0.0, reading.margin(probes)) if reading else (0.0,):
                name = f"scan, {survivors:,} survivors" + (f", {probes} cells" if cells else "")
                name += f", margin {margin:.1f}" if margin else ""
                sides[name] = {
                    "search": scan_search(index, survivors, probes, margin),
                    "build_s": seconds,
                    "bytes": index.code_bytes,
                }
    return sides


def reading_of(index: CodedTruth, truth: HalfArray, groups: IntArray) -> Reading:
    """What rows of the gallery, 30 % of them as strangers, read of the cells."""
    rows = draw(truth, KNOWN_ROWS, seed=1)
    asked = answered_exactly(truth, rows, own_rows(rows, groups)[0])
    return Reading.of_rows(index.cells, index.fitted, asked.vectors, truth[asked.best], TARGET)


def scan_search(index: CodedTruth, survivors: int, probes: int, margin: float) -> Search:
    """A search with this effort; other settings may use the same index in between."""

    def search(query: Float32Array) -> int:
        index.survivors, index.probes, index.margin = survivors, probes, margin
        return int(index.search(query, 1)[1][0, 0])

    return search


def in_float32(truth: HalfArray) -> Iterator[Float32Array]:
    """The rows, a block at a time."""
    for start in range(0, len(truth), BLOCK):
        yield truth[start : start + BLOCK].astype("float32")


def quantised_sides(truth: HalfArray) -> Sides:
    """faiss: 4-bit product quantisers in registers, with and without lists."""
    sides: Sides = {}
    faiss.omp_set_num_threads(1)
    for kind, refined in itertools.product(QUANTISED, REFINED):
        lists = min(4096, max(16, len(truth) // 1_000))
        recipe = f"{kind.format(lists=lists)},Refine({refined})"
        begun = time.perf_counter()
        index = faiss.index_factory(truth.shape[1], recipe, faiss.METRIC_INNER_PRODUCT)
        index.train(truth[:: max(1, len(truth) // PEER_TRAINING_ROWS)].astype("float32"))
        for rows in in_float32(truth):
            index.add(rows)
        seconds = time.perf_counter() - begun
        print(f"faiss {recipe}: built in {seconds:.1f} s", flush=True)
        size = len(faiss.serialize_index(index)) if len(truth) <= BYTES_ROWS else None
        probes = [n for n in PEER_EFFORTS["nprobe"] if n <= lists] if "IVF" in kind else [0]
        for factor, probe in itertools.product(PEER_EFFORTS["k_factor_rf"], probes):
            effort = {"k_factor_rf": factor} | ({"nprobe": probe} if probe else {})
            name = f"faiss {recipe}, k_factor {factor}" + (f", nprobe {probe}" if probe else "")
            search = faiss_search(index, effort)
            sides[name] = {"search": search, "build_s": seconds, "bytes": size}
    return sides


def graph_sides(truth: HalfArray) -> Sides:
    """faiss: a hierarchical graph (HNSW), with 24 and 32 links; bytes with its float32 rows."""
    sides: Sides = {}
    faiss.omp_set_num_threads(1)
    n, d = truth.shape
    for links in LINKS:
        begun = time.perf_counter()
        index = faiss.IndexHNSWFlat(d, links, faiss.METRIC_INNER_PRODUCT)
        for rows in in_float32(truth):
            index.add(rows)
        seconds = time.perf_counter() - begun
        print(f"faiss HNSW{links}: built in {seconds:.1f} s", flush=True)
        size = 4 * n * d + 4 * index.hnsw.neighbors.size()
        for effort in GRAPH_EFFORTS:
            sides[f"faiss HNSW{links}, efSearch {effort}"] = {
                "search": faiss_search(index, {"efSearch": effort}),
                "build_s": seconds,
                "bytes": size,
            }
    return sides


def faiss_search(index: Any, effort: dict[str, int]) -> Search:
    """A search of faiss with this effort."""
    parameters = faiss.ParameterSpace()

    def search(query: Float32Array) -> int:
        for name, value in effort.items():
            parameters.set_index_parameter(index, name, value)
        return int(index.search(query, 1)[1][0, 0])

    return search


def scann_sides(truth: HalfArray) -> Sides:
    """ScaNN with its recommended settings; leaves with code 2 where it is not installed."""
    try:
        from scann import scann_ops_pybind
    except ImportError:
        print("install ScaNN: pip install -r benchmarks/requirements.txt", file=sys.stderr)
        raise SystemExit(2) from None
    leaves = max(16, round(len(truth) ** 0.5))
    begun = time.perf_counter()
    builder = scann_ops_pybind.builder(truth.astype("float32"), 1, "dot_product")
    builder = builder.set_n_training_threads(1).tree(
        num_leaves=leaves,
        num_leaves_to_search=leaves // 10,
        training_sample_size=min(len(truth), PEER_TRAINING_ROWS),
    )
    scored = builder.score_ah(2, anisotropic_quantization_threshold=0.2)
    searcher = scored.reorder(max(SCANN_REORDERED)).build()
    seconds = time.perf_counter() - begun
    print(f"ScaNN, {leaves} leaves: built in {seconds:.1f} s", flush=True)
    size = scann_bytes(searcher)
    return {
        f"ScaNN, {max(1, round(leaves * share))} leaves, {reordered} reordered": {
            "search": scann_search(searcher, max(1, round(leaves * share)), reordered),
            "build_s": seconds,
            "bytes": size,
        }
        for share, reordered in itertools.product(SCANN_LEAVES_SHARE, SCANN_REORDERED)
    }


def scann_search(searcher: Any, leaves: int, reordered: int) -> Search:
    """A search of ScaNN with this effort."""

    def search(query: Float32Array) -> int:
        return int(searcher.search(query[0], 1, reordered, leaves)[0][0])

    return search


def scann_bytes(searcher: Any) -> int:
    """Bytes of all that ScaNN writes, its float32 rows among them."""
    with tempfile.TemporaryDirectory() as folder:
        searcher.serialize(folder)
        return sum(file.stat().st_size for file in Path(folder).iterdir())


PEERS = {"faiss": quantised_sides, "hnsw": graph_sides, "scann": scann_sides}
