"""How often a gallery's codes miss the best hit where similarities are not plain cosines.

200,000 vectors of 50,000 identities, four each, as ``_vectors.Real``, once as if nothing were
common to all and once with a common part of length 0.3 before rows are scaled to length 1. For each
of the choices, the share of searches whose best hit through the codes is that of ``--exact``, which
compares every row. Also how much one similarity moves when the mean is made anew.

    python benchmarks/gallery_candidates.py [--queries 1000] [--sweep]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from _vectors import Floats, Real, unit

from saccade.gallery import Gallery, centring
from saccade.intervals import proportion_interval

ROWS, EACH, BLOCK = 200_000, 4, 32_768
CHOICES = [
    {"centred": "no", "templates": "best"},
    {"centred": "yes", "templates": "best"},
    {"centred": "no", "templates": "mean"},
    {"centred": "yes", "templates": "mean"},
]
SWEEP = [(1, 0, lean) for lean in (0.0, 0.3, 0.6, 1.0)] + [(2, 12, lean) for lean in (0.0, 0.6)]


def made(folder: Path, length: float, queries: int) -> tuple[Gallery, Floats]:
    """Return an indexed gallery, and queries: new pictures, 3 in 10 of strangers."""
    corpus, draw = Real(), np.random.default_rng(20)
    corpus.mean *= length / np.linalg.norm(corpus.mean)
    people = corpus.identities(draw, ROWS // EACH)
    whose = np.repeat(np.arange(len(people)), EACH)[draw.permutation(ROWS)]
    rows = corpus.pictures(draw, people[whose])
    gallery = Gallery.create(folder, fingerprint="vectors", dimension=corpus.d)
    for start in range(0, ROWS, BLOCK):
        names = [f"person {one}" for one in whose[start : start + BLOCK]]
        for _ in gallery.enrol_bulk([(rows[start : start + BLOCK], names, None)]):
            pass
    known = queries - 3 * queries // 10
    asked = np.concatenate(
        [people[draw.integers(0, len(people), known)], corpus.identities(draw, queries - known)]
    )
    print(f"mean of the rows: {np.linalg.norm(rows.mean(axis=0)):.3f} long", flush=True)
    return gallery, unit(corpus.pictures(draw, asked))


def best(gallery: Gallery, queries: Floats, k: int, *, exact: bool) -> tuple[list[str], float]:
    """Return the best hit of each query, searched k at a time, and milliseconds a query."""
    start = time.perf_counter()
    found = gallery.find_vectors(queries, k, exact=exact)
    spent = 1000 * (time.perf_counter() - start) / len(queries)
    return [one.hits[0].identity for one in found], spent


def compare(gallery: Gallery, queries: Floats, true: list[str], what: str, k: int = 1) -> None:
    found, spent = best(gallery, queries, k, exact=False)
    right = sum(one == other for one, other in zip(found, true, strict=True))
    print(f"{what}, k = {k}: recall@1 {proportion_interval(right, len(true))}, {spent:.2f} ms")


def moved(gallery: Gallery, queries: Floats) -> None:
    """Print how much the best similarities move when another tenth of rows is in the mean."""
    corpus, draw = Real(), np.random.default_rng(21)
    before = gallery.find_vectors(queries[:200], 1, exact=True)
    rows = corpus.pictures(draw, corpus.identities(draw, ROWS // 10))
    list(gallery.enrol_bulk([(rows, [f"new {one}" for one in range(len(rows))], None)]))
    after = gallery.find_vectors(queries[:200], 1, exact=True)
    pairs = zip(before, after, strict=True)
    same = [(a.hits[0], b.hits[0]) for a, b in pairs if a.hits[0].identity == b.hits[0].identity]
    gaps = np.abs([a.similarity - b.similarity for a, b in same])
    version = gallery.stats().mean_version
    print(f"version {version}: similarities of {len(gaps)} same hits moved by {gaps.mean():.5f} "
          f"in the mean, {gaps.max():.5f} at most")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--sweep", action="store_true", help="other ways to ask the codes")
    given = parser.parse_args()
    for length in (0.0, 0.3):
        with tempfile.TemporaryDirectory() as folder:
            gallery, queries = made(Path(folder) / "g", length, given.queries)
            with gallery:
                tuned = gallery.index()
                print(f"index: {tuned.kind}, recall {tuned.recall} as measured", flush=True)
                for chosen in CHOICES:
                    gallery.choose(**chosen)
                    gallery.find_vectors(queries[:2], 1)
                    true, spent = best(gallery, queries, 1, exact=True)
                    print(f"{chosen}: exact {spent:.2f} ms", flush=True)
                    for k in (1, 5):
                        compare(gallery, queries, true, "  codes", k)
                    if given.sweep and chosen == CHOICES[1]:
                        sweep(gallery, queries, true)
                gallery.choose(centred="yes", templates="best")
                moved(gallery, queries)


def sweep(gallery: Gallery, queries: Floats, true: list[str]) -> None:
    kept = centring.CODED_FACTOR, centring.CODED_MORE, centring.LIKELY
    for factor, more, lean in SWEEP:
        centring.CODED_FACTOR, centring.CODED_MORE, centring.LIKELY = factor, more, lean
        compare(gallery, queries, true, f"  codes, {factor} x + {more}, leaning {lean}")
    centring.CODED_FACTOR, centring.CODED_MORE, centring.LIKELY = kept


if __name__ == "__main__":
    main()
