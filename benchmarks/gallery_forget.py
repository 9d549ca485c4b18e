"""Forgetting in a large gallery: one identity, then ten thousand at once, while another finds.

Vectors like those of face embeddings (``_vectors.py``; ``--corpus``) go into a new gallery with an
index. Printed: seconds from the call to the receipt of one identity, median and p90 of 10; seconds
to the receipts of ``--many`` identities in one call; the bytes that the searches reached; p50 and
p99 of the searches that a second process makes meanwhile, one after another, beside those that it
makes alone. Every receipt is verified by its being there, ten by ``verify_receipt``. Leaves with
code 1 when one identity takes more than 1.5 s (p90), or 10,000 more than 60 s.

--rows, --dimension and --many set the size; --gallery says where the gallery is made, and kept:
when there is one, others are forgotten in it, which takes a minute; --small is 200,000 rows.
Refuses when the disk has no room.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _shared import arguments, keep
from _vectors import CORPORA, Corpus, queries
from gallery_ten_million import BYTES_A_ROW, filled, indexed, require_room

from saccade.gallery import Gallery, store
from saccade.gallery.database import Database

ROWS, MANY, SMALL_ROWS, ONES, VERIFIED = 10_000_000, 10_000, 200_000, 10, 10
ONE_LIMIT_S, MANY_LIMIT_S = 1.5, 60.0
ALONE_S = 5.0
# Finds without end, and prints when each began and how long it took.
FINDER = """
import sys, time, numpy as np
from saccade.gallery import Gallery
asked = np.load(sys.argv[2])
with Gallery.open(sys.argv[1]) as gallery:
    gallery.find_vectors(asked[:1])
    print("ready", flush=True)
    for turn in range(1 << 40):
        begun = time.monotonic()
        gallery.find_vectors(asked[turn % len(asked)][None])
        print(begun, time.monotonic() - begun, flush=True)
"""


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="real")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--many", type=int, default=MANY)
    parser.add_argument("--gallery", type=Path, help="made there, kept, and used again; it changes")
    given = parser.parse_args()
    if given.small:
        given.rows = SMALL_ROWS
    return given


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Make the gallery where there is none, and forget in it beside a finder."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        corpus = CORPORA[given.corpus](given.dimension)
        place = given.gallery or Path(temporary) / "gallery"
        made = made_in(place, corpus, given.rows)
        np.save(Path(temporary) / "asked.npy", queries(corpus, 500, given.rows)[0])
        figures = made | beside_a_finder(place, Path(temporary), given.many)
    print(f"all of it: {time.monotonic() - begun:.0f} s")
    return figures


def made_in(place: Path, corpus: Corpus, rows: int) -> dict[str, Any]:
    """Make what is missing of a gallery with an index."""
    figures = {}
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        require_room(place.parent, rows * (BYTES_A_ROW + 2 * corpus.d * 4))
        figures = filled(place, corpus, rows)
    with Gallery.open(place) as gallery:
        missing = gallery.stats().index == "exact"
    return figures | (indexed(place) if missing else {})


def beside_a_finder(place: Path, folder: Path, many: int) -> dict[str, Any]:
    """Start the finder, forget, and read what it measured."""
    words = [sys.executable, "-c", FINDER, str(place), str(folder / "asked.npy")]
    told = folder / "told"
    with told.open("w") as stream:
        finder = subprocess.Popen(words, stdout=stream)
    try:
        while not told.stat().st_size:
            if finder.poll() is not None:
                raise SystemExit("the finder ended")
            time.sleep(0.05)
        alone = (time.monotonic(), time.monotonic() + ALONE_S)
        time.sleep(ALONE_S)
        figures, spans = forgotten(place, many)
        if finder.poll() is not None:
            raise SystemExit("the finder ended")
    finally:
        finder.kill()
        finder.wait()
    rows = [line.split() for line in told.read_text().split("\n")[1:-1]]
    made = np.array([[float(field) for field in row] for row in rows if len(row) == 2])
    for what, (begun, ended) in {"alone": alone, **spans}.items():
        figures |= told_of(what, made[(made[:, 0] + made[:, 1] > begun) & (made[:, 0] < ended), 1])
    return figures


def told_of(what: str, seconds: Any) -> dict[str, Any]:
    """Print and return the quantiles of the searches (n,) that fell into a span."""
    if not len(seconds):
        raise SystemExit(f"no search {what}")
    p50, p99, longest = np.quantile(seconds, [0.5, 0.99, 1.0]) * 1e3
    print(
        f"finds {what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, longest {longest:.0f} ms, "
        f"{len(seconds):,} of them",
        flush=True,
    )
    return {f"{what}_p50_ms": p50, f"{what}_p99_ms": p99, f"{what}_finds": len(seconds)}


def forgotten(place: Path, many: int) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Forget one identity ten times, then many at once; returns figures, and when each was."""
    chosen = drawn(place, ONES + many)
    with Gallery.open(place) as gallery:
        rows = gallery.stats().pictures
        spans, seconds = {}, []
        first = time.monotonic()
        for name in chosen[:ONES]:
            begun = time.monotonic()
            single = receipts_of(gallery, [name])
            seconds.append(time.monotonic() - begun)
        spans["beside one"] = (first, time.monotonic())
        begun = time.monotonic()
        gone = receipts_of(gallery, chosen[ONES:])
        spans["beside many"] = (begun, time.monotonic())
        for one in gone[:VERIFIED]:
            if problems := gallery.verify_receipt(one.receipt):
                raise SystemExit(f"a receipt is not true: {problems}")
    p50, p90 = np.quantile(seconds, [0.5, 0.9])
    together, pictures = spans["beside many"][1] - begun, sum(one.pictures for one in gone)
    print(
        f"one identity: median {p50:.2f} s, p90 {p90:.2f} s to the receipt, {ONES} of them", end=""
    )
    print(f" ({min(seconds):.2f} to {max(seconds):.2f}); searched {reached(single[0].receipt)}")
    print(f"{many:,} identities, {pictures:,} pictures: {together:.1f} s to all receipts; ", end="")
    print(f"searched {reached(gone[0].receipt)}; {rows:,} pictures in all", flush=True)
    return {
        "rows": rows,
        "one_p50_s": p50,
        "one_p90_s": p90,
        "ones_s": seconds,
        "many": many,
        "many_pictures": pictures,
        "many_s": together,
        "largest_resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }, spans


def drawn(place: Path, count: int) -> list[str]:
    """Draw names of identities that are there, without reading all of them."""
    database = Database(place)
    try:
        with database.reading() as connection:
            last = store.last_number(connection, "identities")
            numbers = np.random.default_rng().permutation(last)[: 4 * count] + 1
            found = store.identity_names(connection, numbers.tolist())
    finally:
        database.close()
    if len(found) < count:
        raise SystemExit(f"{place} has too few identities for --many {count}")
    return list(found.values())[:count]


def reached(receipt: Path) -> str:
    """What the search looked through, as the receipt says."""
    search = json.loads(receipt.read_text())["search"]
    return f"{search['bytes'] / 1e9:.2f} of {search['of_bytes'] / 1e9:.2f} GB"


def receipts_of(gallery: Gallery, names: list[str]) -> list[Any]:
    """Forget them, and leave when one has no receipt."""
    gone = gallery.forget_many(names)
    for one in gone:
        if one.receipt is None or not one.receipt.exists():
            raise SystemExit(f"identity {one.number} has no receipt: {one.reason}")
    return gone


def within_limits(figures: dict[str, Any]) -> bool:
    """Say whether one and many were forgotten in the time that is promised for both."""
    one, many = figures["one_p90_s"] <= ONE_LIMIT_S, figures["many_s"] <= MANY_LIMIT_S
    print(f"one within {ONE_LIMIT_S} s: {'yes' if one else 'NO'}; ", end="")
    print(f"many within {MANY_LIMIT_S:.0f} s: {'yes' if many else 'NO'}")
    return one and many


if __name__ == "__main__":
    chosen = options()
    told = main(chosen)
    keep(told, chosen)
    raise SystemExit(0 if within_limits(told) else 1)
