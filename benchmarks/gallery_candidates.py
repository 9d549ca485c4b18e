"""How often a gallery's codes miss the best hit where similarities are not plain cosines.

200,000 vectors of 50,000 identities, four each (``_vectors.Real``), once with nothing common to
all, then with a common part of length 0.3 and 2. For each choice of a gallery, the share of 1,000
searches, 3 in 10 of strangers, whose best hit through the codes is that of ``exact``, which has
compared every row; Wilson intervals of 95 %. Centred also with other ways to ask the codes: as many
candidates as a factor and a number more, and the similarity that is thought likely
(``Centre.leaning``). Then how much similarities move when the mean is made anew after growth by a
tenth. With --small 20,000.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _shared import run
from _vectors import Floats, Real, unit

from saccade.gallery import Gallery, centring
from saccade.intervals import wilson_interval

ROWS, EACH, QUERIES, BLOCK = 200_000, 4, 1000, 32_768
LENGTHS = (0.0, 0.3, 2.0)  # the rest of a vector is about 1 long
CHOICES = [(centred, templates) for templates in ("best", "mean") for centred in ("no", "yes")]
WAYS = [(1, 0, 0.0), (1, 0, 0.3), (2, 12, 0.0), (2, 12, 0.6), (2, 12, 1.0)]


def main(small: bool) -> dict[str, Any]:
    """Make both galleries and compare; prints a line for each."""
    rows = ROWS // 10 if small else ROWS
    return {f"common part {length}": one(length, rows) for length in LENGTHS}


def one(length: float, n: int) -> dict[str, Any]:
    """Compare all choices in one gallery."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, draw = Real(), np.random.default_rng(20)
        corpus.mean *= length / np.linalg.norm(corpus.mean)
        people = corpus.identities(draw, n // EACH)
        whose = np.repeat(np.arange(len(people)), EACH)[draw.permutation(n)]
        rows = corpus.pictures(draw, people[whose])
        known = people[draw.integers(0, len(people), 7 * QUERIES // 10)]
        strangers = corpus.identities(draw, QUERIES - len(known))
        queries = unit(corpus.pictures(draw, np.concatenate([known, strangers])))
        with Gallery.create(Path(folder) / "g", fingerprint="v", dimension=corpus.d) as gallery:
            enrol(gallery, rows, [f"person {number}" for number in whose])
            tuned = gallery.index()
            figures: dict[str, Any] = {"mean": float(np.linalg.norm(rows.mean(axis=0)))}
            print(f"mean {figures['mean']:.3f} long; index {tuned.kind}, recall {tuned.recall}")
            for centred, templates in CHOICES:
                gallery.choose(centred=centred, templates=templates)
                figures[f"centred={centred} templates={templates}"] = told(
                    gallery, queries, ways=(centred, templates) == ("yes", "best")
                )
            gallery.choose(templates="best")
            figures["moved"] = moved(gallery, corpus, queries[:200], n // 10)
        return figures


def enrol(gallery: Gallery, rows: Floats, names: list[str]) -> None:
    """Enrol rows block by block."""
    starts = range(0, len(rows), BLOCK)
    blocks = ((rows[at : at + BLOCK], names[at : at + BLOCK], None) for at in starts)
    for _ in gallery.enrol_bulk(blocks):
        pass


def told(gallery: Gallery, queries: Floats, *, ways: bool) -> dict[str, Any]:
    """Return recall@1 of the codes by k, and of other ways to ask them."""
    stats = gallery.stats()
    print(f"centred={stats.centred} templates={stats.templates}")
    true, spent = best(gallery, queries, 1, exact=True)
    print(f"  exact: {spent:.2f} ms a search")
    figures = {f"k={k}": recall(gallery, queries, true, f"k = {k}", k) for k in (1, 5)}
    kept = centring.CODED_FACTOR, centring.CODED_MORE, centring.LIKELY
    for way in WAYS if ways else []:
        centring.CODED_FACTOR, centring.CODED_MORE, centring.LIKELY = way
        words = f"candidates {way[0]} k + {way[1]}, likely {way[2]}"
        figures[words] = recall(gallery, queries, true, words, 1)
    centring.CODED_FACTOR, centring.CODED_MORE, centring.LIKELY = kept
    return figures


def recall(gallery: Gallery, queries: Floats, true: list[str], words: str, k: int) -> list[float]:
    """Return recall@1 with its interval, and print it."""
    found, spent = best(gallery, queries, k, exact=False)
    right = sum(one == other for one, other in zip(found, true, strict=True))
    share = wilson_interval(right, len(true))
    print(f"  {words}: {share.value:.3f} [{share.low:.3f}, {share.high:.3f}], {spent:.2f} ms",
          flush=True)  # fmt: skip
    return [share.value, share.low, share.high]


def best(gallery: Gallery, queries: Floats, k: int, *, exact: bool) -> tuple[list[str], float]:
    """Return the best hit of each query, and the milliseconds of one."""
    gallery.find_vectors(queries[:1], 1)
    start = time.perf_counter()
    found = gallery.find_vectors(queries, k, exact=exact)
    spent = 1000 * (time.perf_counter() - start) / len(queries)
    return [one.hits[0].identity for one in found], spent


def moved(gallery: Gallery, corpus: Real, queries: Floats, more: int) -> list[float]:
    """Return how much similarities to the same pictures move on average and at most."""
    draw = np.random.default_rng(21)
    before = gallery.find_vectors(queries, 1, exact=True)
    version = gallery.stats().mean_version
    rows = corpus.pictures(draw, corpus.identities(draw, more))
    enrol(gallery, rows, [f"new {number}" for number in range(more)])
    after = gallery.find_vectors(queries, 1, exact=True)
    pairs = [(a.hits[0], b.hits[0]) for a, b in zip(before, after, strict=True)]
    same = [(a.similarity, b.similarity) for a, b in pairs if a.picture_id == b.picture_id]
    gaps = np.abs(np.diff(same))
    print(f"mean {version} to {gallery.stats().mean_version}: {len(same)} of {len(pairs)} best "
          f"hits are the same; moved by {gaps.mean():.5f}, {gaps.max():.5f} at most")  # fmt: skip
    return [float(gaps.mean()), float(gaps.max())]


if __name__ == "__main__":
    run(main, __doc__)
