"""Enrolling many vectors into the durable gallery, beside plain SQLite.

Vectors of 128 numbers, about four a name, go from a generator into a new gallery; the time that the
generator takes is left out. Then single vectors are enrolled, each durable before the next begins.

The peer writes the same float16 bytes by ``executemany`` into one table (id, blob), with the same
pragmas and the same rows a transaction: no identities, no look-ups, no index, no log. The two take
turns, block by block, so that noise meets both alike; processor time stands beside the wall's, for
a machine that is not quiet.

--rows sets the size, --folder where the files are made; --small is 50,000 rows.
"""

import argparse
import shutil
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _shared import arguments, keep
from numpy.typing import NDArray

from saccade.gallery import Gallery, inputs
from saccade.gallery.bulk import BLOCK_ROWS
from saccade.gallery.schema import BULK_SETTINGS, SETTINGS

ROWS, SMALL_ROWS, DIMENSION, PICTURES_A_NAME, SINGLES = 1_000_000, 50_000, 128, 4, 300


@dataclass
class Clock:
    """Seconds on the wall and of the processor, summed over turns."""

    wall: float = 0.0
    processor: float = 0.0

    def __call__(self, work: Callable[[], Any]) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        answer = work()
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        return answer


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--folder", type=Path, help="where the files are made; else temporary")
    given = parser.parse_args()
    if given.small:
        given.rows = SMALL_ROWS
    return given


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Fill both, block by block; then enrol one by one."""
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        with Gallery.create(folder / "gallery", fingerprint="x", dimension=DIMENSION) as gallery:
            peer = plain(folder / "plain.db")
            figures = fill(gallery, peer, given.rows)
            figures |= one_by_one(gallery, peer, given.rows)
            peer.close()
        figures["peak_python_mib"] = peak_memory(folder / "flat")
    finally:
        shutil.rmtree(folder)
    return {"rows": given.rows, **figures}


def blocks(rows: int) -> Iterator[tuple[NDArray[np.float32], list[str]]]:
    """Random vectors, and the name of each."""
    draw = np.random.default_rng(0)
    for start in range(0, rows, BLOCK_ROWS):
        count = min(BLOCK_ROWS, rows - start)
        names = [f"person {row // PICTURES_A_NAME}" for row in range(start, start + count)]
        yield draw.standard_normal((count, DIMENSION), dtype=np.float32), names


def plain(path: Path) -> sqlite3.Connection:
    """One table with the gallery's pragmas."""
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in (*SETTINGS, "PRAGMA journal_mode = WAL"):
        connection.execute(setting).fetchall()
    for name, value in BULK_SETTINGS.items():
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
    connection.execute("CREATE TABLE vectors (id INTEGER PRIMARY KEY, content BLOB)")
    return connection


def fill(gallery: Gallery, peer: sqlite3.Connection, rows: int) -> dict[str, Any]:
    """Rows a second of both."""
    ours, theirs, making = Clock(), Clock(), Clock()
    made: list[NDArray[np.float32]] = []

    def given() -> Iterator[tuple[NDArray[np.float32], list[str], None]]:
        source = blocks(rows)
        while block := making(lambda: next(source, None)):
            made.append(block[0])
            yield *block, None

    enrolling, first = gallery.enrol_bulk(given()), 0
    while ours(lambda: next(enrolling, None)):
        contents = inputs.stored_vectors(made.pop(0))
        theirs(lambda c=contents, f=first: insert(peer, f, c))  # type: ignore[misc]
        first += len(contents)
    ours.wall -= making.wall
    ours.processor -= making.processor
    found = {
        "rows_a_s": rows / ours.wall,
        "rows_a_processor_s": rows / ours.processor,
        "peer_rows_a_s": rows / theirs.wall,
        "peer_rows_a_processor_s": rows / theirs.processor,
        "ratio": ours.wall / theirs.wall,
    }
    print(
        f"{rows:,} x {DIMENSION}: gallery {found['rows_a_s']:,.0f} rows a second "
        f"({found['rows_a_processor_s']:,.0f} by processor time); plain SQLite "
        f"{found['peer_rows_a_s']:,.0f} ({found['peer_rows_a_processor_s']:,.0f}); "
        f"{found['ratio']:.1f} x its time",
        flush=True,
    )
    return found


def insert(peer: sqlite3.Connection, first: int, contents: list[bytes]) -> None:
    """The peer's transaction."""
    peer.execute("BEGIN IMMEDIATE")
    peer.executemany("INSERT INTO vectors VALUES (?, ?)", enumerate(contents, first))
    peer.execute("COMMIT")


def one_by_one(gallery: Gallery, peer: sqlite3.Connection, rows: int) -> dict[str, Any]:
    """Milliseconds of one durable enrolment, and of the peer's, in turns."""
    draw = np.random.default_rng(1)
    ours, theirs = [], []
    for number in range(SINGLES):
        vector = draw.standard_normal((1, DIMENSION), dtype=np.float32)
        [content] = inputs.stored_vectors(vector)
        begun = time.perf_counter()
        gallery.enrol_vectors(vector, [f"single {number}"])
        between = time.perf_counter()
        insert(peer, rows + number, [content])
        ours.append((between - begun) * 1e3)
        theirs.append((time.perf_counter() - between) * 1e3)
    found = {}
    for name, times in (("one", ours), ("peer_one", theirs)):
        found |= {
            f"{name}_p50_ms": np.quantile(times, 0.5),
            f"{name}_p99_ms": np.quantile(times, 0.99),
        }
    print(
        f"one durable enrolment: p50 {found['one_p50_ms']:.2f} ms, p99 {found['one_p99_ms']:.2f}; "
        f"plain SQLite: p50 {found['peer_one_p50_ms']:.2f}, p99 {found['peer_one_p99_ms']:.2f}"
    )
    return {key: float(value) for key, value in found.items()}


def peak_memory(folder: Path) -> float:
    """MiB that Python reserves at most over four blocks; SQLite's page cache comes on top."""
    with Gallery.create(folder, fingerprint="x", dimension=DIMENSION) as gallery:
        tracemalloc.start()
        for _ in gallery.enrol_bulk((*block, None) for block in blocks(4 * BLOCK_ROWS)):
            pass
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    cache = -BULK_SETTINGS["cache_size"] / 1024
    print(f"memory: {peak:.0f} MiB at most, of any number of rows; page cache {cache:.0f} MiB")
    return peak


if __name__ == "__main__":
    chosen = options()
    keep(main(chosen), chosen)
