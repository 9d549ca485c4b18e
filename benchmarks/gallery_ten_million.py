"""A durable gallery of ten million vectors: enrol in bulk, make the index, find, open again.

Vectors like those of face embeddings (``_vectors.py``; ``--corpus real``, ``kind`` or ``flat``) go
into a new gallery. Printed: rows enrolled a second; seconds to make the index, and the recall that
it promises; seconds from opening the gallery anew, in a process of its own, to the first answer;
p50 and p99 of a search for the five best identities, names included; agreement of the best hit with
exact search, 30 % of the queries strangers; the process's own memory; one durable enrolment that
the very next search finds.

--rows, --dimension and --queries set the size, --folder where the gallery is made; --small is
100,000 rows. Refuses when the disk has no room.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _shared import arguments, keep
from _vectors import CORPORA, Corpus, blocks, queries

from saccade.gallery import Gallery
from saccade.values import Float32Array

ROWS, QUERIES, SMALL_ROWS = 10_000_000, 2_000, 100_000
SINGLES = 200
BYTES_A_ROW = 200  # beside the vector: labels, numbers, indexes, the log while it is written
FIRST = """
import sys, time, numpy as np
begun = time.perf_counter()
from saccade.gallery import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    query = np.load(sys.argv[2])
    ready = time.perf_counter()
    gallery.find_vectors(query)
    print(time.perf_counter() - ready, time.perf_counter() - begun, "torch" in sys.modules)
"""


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="real")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--folder", type=Path, help="where the gallery is made; else temporary")
    given = parser.parse_args()
    if given.small:
        given.rows = SMALL_ROWS
    return given


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Make the gallery, ask it, and remove it."""
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        # The gallery, and the copy of its vectors and the codes while the index is made.
        require_room(folder, given.rows * (BYTES_A_ROW + 2 * given.dimension * 4))
        corpus = CORPORA[given.corpus](given.dimension)
        asked, _ = queries(corpus, given.queries, given.rows)
        place = folder / "gallery"
        figures = filled(place, corpus, given.rows) | indexed(place)
        figures |= opened(place, asked, folder / "query.npy")
        with Gallery.open(place) as gallery:
            figures |= found(gallery, asked) | enrolled(gallery, asked)
    finally:
        shutil.rmtree(folder)
    return {"rows": given.rows, "corpus": given.corpus, **figures}


def require_room(folder: Path, size: int) -> None:
    """Leave with code 2 when the disk is too small."""
    free = shutil.disk_usage(folder).free
    if size > free:
        print(f"needs {size / 2**30:.0f} GiB, {folder} has {free / 2**30:.0f}", file=sys.stderr)
        raise SystemExit(2)


def filled(place: Path, corpus: Corpus, rows: int) -> dict[str, Any]:
    """Enrol in bulk; the seconds that making the vectors takes are left out."""
    spent = 0.0

    def given() -> Iterator[tuple[Float32Array, list[str], None]]:
        nonlocal spent
        for vectors, whose in blocks(corpus, rows):
            names = [f"person {number}" for number in whose.tolist()]
            begun = time.perf_counter()
            yield vectors, names, None
            spent += time.perf_counter() - begun

    with Gallery.create(place, fingerprint="vectors", dimension=corpus.d) as gallery:
        for _ in gallery.enrol_bulk(given()):
            pass
    print(f"enrolled {rows:,} x {corpus.d}: {rows / spent:,.0f} a second", flush=True)
    return {"rows_a_s": rows / spent}


def indexed(place: Path) -> dict[str, Any]:
    """Make the index."""
    begun = time.perf_counter()
    with Gallery.open(place) as gallery:
        made = gallery.index()
    seconds = time.perf_counter() - begun
    print(f"index in {seconds:.0f} s: {made.kind}, {made.reason}", flush=True)
    print(
        f"  {made.components} x {made.bits} bit, {made.survivors:,} survivors, {made.probes} of "
        f"{made.cells} cells, codes {made.code_bytes / 2**30:.2f} GiB",
        flush=True,
    )
    return {"index_s": seconds, **made.to_dict()}


def opened(place: Path, asked: Float32Array, file: Path) -> dict[str, Any]:
    """Seconds to the first answer of a new process: of the search, and with all imports."""
    np.save(file, asked[:1])
    words = [sys.executable, "-c", FIRST, str(place), str(file)]
    answer = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    print(f"opened anew: first answer after {float(answer[0]):.3f} s, with imports {answer[1]} s")
    return {"first_find_s": float(answer[0]), "first_with_imports_s": float(answer[1])}


def found(gallery: Gallery, asked: Float32Array) -> dict[str, Any]:
    """Search one by one, and compare with exact search."""
    seconds, answers = [], []
    for query in asked:
        begun = time.perf_counter()
        answers += gallery.find_vectors(query[None])
        seconds.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    gallery.find_vectors(asked)
    together = (time.perf_counter() - begun) / len(asked)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    anonymous = anonymous_gib()
    exact = gallery.find_vectors(asked, exact=True)
    same = np.mean([a.hits[0] == b.hits[0] for a, b in zip(answers, exact, strict=True)])
    p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1e3
    print(
        f"find: p50 {p50:.2f} ms, p99 {p99:.2f} ms; {together * 1e3:.2f} ms each of a batch; best "
        f"hit that of exact search in {same:.4f} of {len(asked):,}; {anonymous:.2f} GiB own memory",
        flush=True,
    )
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "batch_ms": together * 1e3,
        "agreement": float(same),
        "anonymous_gib": anonymous,
        "largest_resident_gib": memory,
    }


def anonymous_gib() -> float:
    """Memory of this process that no file holds, in GiB; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20


def enrolled(gallery: Gallery, asked: Float32Array) -> dict[str, Any]:
    """Enrol one at a time, and find each at once."""
    seconds, after = [], []
    for number in range(SINGLES):
        fresh = -asked[number : number + 1]
        begun = time.perf_counter()
        gallery.enrol_vectors(fresh, [f"new {number}"])
        seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        if gallery.find_vectors(fresh)[0].hits[0].identity != f"new {number}":
            raise SystemExit(f"the search did not find new {number}")
        after.append(time.perf_counter() - begun)
    p50, next_p50 = np.median(seconds) * 1e3, np.median(after) * 1e3
    print(f"one durable enrolment: p50 {p50:.2f} ms; the search that follows {next_p50:.2f} ms")
    return {"enrol_p50_ms": p50, "next_find_p50_ms": next_p50}


if __name__ == "__main__":
    chosen = options()
    keep(main(chosen), chosen)
