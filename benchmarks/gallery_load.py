"""Many processes on one gallery: some search, one enrols, one forgets; every answer is checked.

Each search notes the gallery's generation before and after it. Every vector comes from a formula,
so brute force can tell who was the best match at each generation in between; an answer is right
when it was that at one of them. New people are enrolled beside the queries, and old ones forgotten
that answer them, so that answers change all the time.

An answer is *wrong* when nobody of that name was enrolled then, or the similarity is not the true
one; it is *missed* when somebody was nearer, which an index for a recall below 1 may do.

--thorough looks at so many rows again that none is missed; --again makes a new index meanwhile.
--small is 20,000 x 32 for 20 seconds, instead of 1,000,000 x 128 for two minutes.
"""

import argparse
import dataclasses
import multiprocessing
import pickle
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _shared import arguments, keep
from numpy.typing import NDArray

from saccade.errors import UnknownNameError
from saccade.gallery import Gallery, indexing, log, store
from saccade.gallery.database import Database
from saccade.vectors.tuned import Tuned, Wish

BLOCK_ROWS, PICTURES_A_NAME, QUERIES = 8_192, 4, 64
DECAY_ROWS = 12.0  # components after which the deviation is at a third
PAUSE_S = 0.01
CANDIDATES = 1_000  # nearest old identities kept for each query; more are never forgotten
CLOSE = 1e-5
NEVER = 1 << 62

Rows = NDArray[np.float32]


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--dimension", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--finders", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where the files are made; else temporary")
    parser.add_argument("--thorough", action="store_true", help="an index that misses nobody")
    parser.add_argument("--again", action="store_true", help="make the index again meanwhile")
    given = parser.parse_args()
    given.rows = given.rows or (20_000 if given.small else 1_000_000)
    given.dimension = given.dimension or (32 if given.small else 128)
    given.seconds = given.seconds or (20.0 if given.small else 120.0)
    return given


def drawn(rows: int, dimension: int, *seed: int) -> Rows:
    """Rows of a fading spectrum, by a seed."""
    fading = np.exp(-np.arange(dimension) / DECAY_ROWS)
    draw = np.random.default_rng([len(seed), *seed])
    return (draw.standard_normal((rows, dimension)) * fading).astype(np.float32)


def queries(dimension: int) -> Rows:
    """The queries that all processes ask."""
    return drawn(QUERIES, dimension, 7)


def newcomer(number: int, dimension: int) -> Rows:
    """The vector (1, d) of a new person: beside a query, the nearer the later."""
    noise = drawn(1, dimension, 8, number)
    return queries(dimension)[number % QUERIES][None] + noise * 30 / (30 + number)


def old_blocks(rows: int, dimension: int) -> Iterator[tuple[Rows, list[str], None]]:
    """The people enrolled at first, block by block."""
    for start in range(0, rows, BLOCK_ROWS):
        count = min(BLOCK_ROWS, rows - start)
        names = [f"old {(start + row) // PICTURES_A_NAME}" for row in range(count)]
        yield drawn(count, dimension, 9, start), names, None


def as_stored(rows: Rows) -> Rows:
    """Unit rows as the gallery keeps them, in half floats."""
    half = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    return half.astype(np.float32) / np.linalg.norm(half.astype(np.float32), axis=1, keepdims=True)


def nearest_old(rows: int, dimension: int) -> list[list[tuple[float, str]]]:
    """For each query the nearest old identities, best first, by brute force."""
    asked = queries(dimension)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    best = np.zeros((QUERIES, 0), np.float32)
    owners = np.zeros((QUERIES, 0), np.int64)
    for number, (block, _, _) in enumerate(old_blocks(rows, dimension)):
        scores = asked @ as_stored(block).T
        starts = np.arange(0, len(block), PICTURES_A_NAME)
        people = starts // PICTURES_A_NAME + number * (BLOCK_ROWS // PICTURES_A_NAME)
        best = np.hstack([best, np.maximum.reduceat(scores, starts, axis=1)])
        owners = np.hstack([owners, np.broadcast_to(people, (QUERIES, len(people)))])
        order = np.argsort(-best, axis=1)[:, :CANDIDATES]
        best, owners = (np.take_along_axis(each, order, axis=1) for each in (best, owners))
    return [
        [(float(score), f"old {owner}") for score, owner in zip(*row, strict=True)]
        for row in zip(best, owners, strict=True)
    ]


def thorough(truth: NDArray[np.float16], wish: Wish, build: indexing._Making, **how: Any) -> Tuned:
    """The tuner's layout, every row looked at again."""
    tuned = TUNE(truth, wish, build, **how)
    if tuned.kind == "exact":
        return tuned
    return dataclasses.replace(tuned, probes=0, survivors=len(truth), finalists=512)


TUNE = indexing.tune


def generation_of(database: Database) -> int:
    """The gallery's generation now."""
    with database.reading() as connection:
        return store.read_meta(connection).generation


def find(folder: Path, until: float, number: int, told: Path) -> None:
    """Search until then; notes (query, generations, seconds, name, similarity) of each answer."""
    answers: list[Any] = []
    draw = np.random.default_rng(number)
    with Gallery.open(folder) as gallery:
        asked, database = queries(gallery.dimension), Database(folder)
        while time.time() < until:
            query = int(draw.integers(QUERIES))
            before, start = generation_of(database), time.perf_counter()
            hit = gallery.find_vectors(asked[query][None], 1)[0].hits[0]
            seconds, after = time.perf_counter() - start, generation_of(database)
            answers.append((query, before, after, seconds, hit.identity, hit.similarity))
        database.close()
    told.write_bytes(pickle.dumps(answers))


def enrol(folder: Path, until: float, told: Path) -> None:
    """Enrol new people until then; notes (name, picture number) of each."""
    done, number = [], 0
    with Gallery.open(folder) as gallery:
        while time.time() < until:
            name = f"new {number}"
            (outcome,) = gallery.enrol_vectors(newcomer(number, gallery.dimension), [name])
            assert outcome.picture_id is not None, outcome
            done.append((name, outcome.picture_id))
            number += 1
            time.sleep(PAUSE_S)
    told.write_bytes(pickle.dumps(done))


def forget(folder: Path, until: float, old: list[str], told: Path) -> None:
    """Forget new people in their order and old ones; notes (name, number, status) of each."""
    done: list[tuple[str, int, str]] = []
    number = 0
    with Gallery.open(folder) as gallery:
        while time.time() < until:
            time.sleep(3 * PAUSE_S)
            name = old[-1] if old and len(done) % 3 == 2 else f"new {number}"
            try:
                outcome = gallery.forget(name)
            except UnknownNameError:  # not there yet
                continue
            done.append((name, outcome.number, outcome.status))
            if name.startswith("new"):
                number += 1
            else:
                old.pop()
    told.write_bytes(pickle.dumps(done))


class Truth:
    """Who was nearest to each query at each generation, from what was done and the log."""

    def __init__(
        self,
        folder: Path,
        nearest: list[list[tuple[float, str]]],
        enrolled: list[tuple[str, int]],
        forgotten: list[tuple[str, int, str]],
    ) -> None:
        self.nearest = nearest
        with Gallery.open(folder) as gallery, gallery._database.reading() as connection:
            entries = log.since(connection, 0)
            dimension = gallery.dimension
        self.left = dict.fromkeys([name for name, _ in enrolled], NEVER)
        went = {e.identity: e.number for e in entries if e.action == "forget"}
        self.left |= {name: went[number] for name, number, _ in forgotten}
        came = {e.first_picture: e.number for e in entries if e.action == "enrol"}
        names = [name for name, _ in enrolled]
        self.names = np.array(names)
        self.came = np.array([came[picture] for _, picture in enrolled])
        self.went = np.array([self.left[name] for name in names])
        rows = [newcomer(number, dimension) for number in range(len(names))]
        asked = queries(dimension)
        asked /= np.linalg.norm(asked, axis=1, keepdims=True)
        self.scores = as_stored(np.vstack(rows)) @ asked.T if rows else np.zeros((0, QUERIES))
        self.known: dict[tuple[int, int], tuple[float, str]] = {}

    def best(self, query: int, generation: int) -> tuple[float, str]:
        """The similarity and the name of the nearest at a generation."""
        if (query, generation) not in self.known:
            alive = (self.came <= generation) & (generation < self.went)
            found = next(
                (score, name)
                for score, name in self.nearest[query]
                if generation < self.left.get(name, NEVER)
            )
            if alive.any():
                scores = np.where(alive, self.scores[:, query], -2)
                at = int(scores.argmax())
                found = max(found, (float(scores[at]), str(self.names[at])))
            self.known[query, generation] = found
        return self.known[query, generation]

    def judged(self, query: int, first: int, last: int, name: str, similarity: float) -> str:
        """Whether an answer is "right", "missed" or "wrong"."""
        generations = range(first, last + 1)
        if any(
            name == best[1] and abs(similarity - best[0]) < CLOSE
            for best in (self.best(query, generation) for generation in generations)
        ):
            return "right"
        true = {owner: score for score, owner in self.nearest[query]}
        true |= dict(zip(self.names.tolist(), self.scores[:, query].tolist(), strict=True))
        came = dict(zip(self.names.tolist(), self.came.tolist(), strict=True)).get(name, 0)
        there = any(came <= generation < self.left.get(name, NEVER) for generation in generations)
        known = name in true and abs(true[name] - similarity) < CLOSE
        return "missed" if there and known else "wrong"


def made(given: argparse.Namespace, folder: Path) -> Tuned:
    """Make the gallery and its index."""
    with Gallery.create(folder, fingerprint="vectors", dimension=given.dimension) as gallery:
        for counts in gallery.enrol_bulk(old_blocks(given.rows, given.dimension)):
            assert not counts.skipped, counts.reasons
        return gallery.index(Wish(recall=0.9 if given.small else 0.99))


def run(given: argparse.Namespace, root: Path) -> dict[str, Any]:
    """Make everything, let the processes work, and judge their answers."""
    folder = root / "gallery"
    if given.thorough:
        indexing.tune = thorough
    tuned = made(given, folder)
    print(f"{given.rows:,} x {given.dimension}, {tuned.kind}: {tuned.reason}")
    nearest = nearest_old(given.rows, given.dimension)
    old = list(dict.fromkeys(name for row in nearest for _, name in row[:3]))
    until = time.time() + given.seconds
    context = multiprocessing.get_context("fork")  # modules are loaded once
    told = [root / f"told {number}" for number in range(given.finders + 2)]
    workers = [
        context.Process(target=find, args=(folder, until, number, told[number]))
        for number in range(given.finders)
    ]
    workers.append(context.Process(target=enrol, args=(folder, until, told[-2])))
    workers.append(context.Process(target=forget, args=(folder, until, old, told[-1])))
    for worker in workers:
        worker.start()
    if given.again:
        time.sleep(given.seconds / 3)
        with Gallery.open(folder) as gallery:
            gallery.index()
    for worker in workers:
        worker.join()
    failed = sum(worker.exitcode != 0 for worker in workers)
    if failed:
        return {"failed_processes": failed}
    answers, enrolled, forgotten = (
        [answer for path in told[:-2] for answer in pickle.loads(path.read_bytes())],
        pickle.loads(told[-2].read_bytes()),
        pickle.loads(told[-1].read_bytes()),
    )
    return figures(given, tuned, Truth(folder, nearest, enrolled, forgotten), answers, forgotten)


def figures(
    given: argparse.Namespace,
    tuned: Tuned,
    truth: Truth,
    answers: list[Any],
    forgotten: list[tuple[str, int, str]],
) -> dict[str, Any]:
    """Judge the answers and say it."""
    counts: dict[str, int] = defaultdict(int)
    for query, first, last, _, name, similarity in answers:
        verdict = truth.judged(query, first, last, name, similarity)
        counts[verdict] += 1
        if verdict == "wrong" and counts[verdict] <= 5:
            best = truth.best(query, last)
            print(f"wrong: {name} {similarity:.6f} at {first} to {last}; the best is {best}")
    p50, p99 = np.percentile([seconds * 1e3 for _, _, _, seconds, _, _ in answers], [50, 99])
    changed = len({(query, name) for query, _, _, _, name, _ in answers}) - QUERIES
    found = {
        "failed_processes": 0,
        "kind": tuned.kind,
        "rows": given.rows,
        "finders": given.finders,
        "finds": len(answers),
        "right": counts["right"],
        "missed": counts["missed"],
        "wrong": counts["wrong"],
        "answers_changed": changed,
        "enrolled": len(truth.names),
        "forgotten": len(forgotten),
        "pending": sum(status == "pending" for _, _, status in forgotten),
        "find_ms_p50": float(p50),
        "find_ms_p99": float(p99),
    }
    for name, value in found.items():
        print(f"{name:>18}  {value:,.2f}" if isinstance(value, float) else f"{name:>18}  {value}")
    return found


def main() -> None:
    """Run it in a folder that goes away at the end."""
    given = options()
    with tempfile.TemporaryDirectory(dir=given.folder) as root:
        keep(run(given, Path(root)), given)


if __name__ == "__main__":
    main()
