"""Forgetting in a large gallery: one identity, then ten thousand at once, while another finds.

Vectors like those of face embeddings (``_vectors.py``; ``--corpus``) go into a new gallery with an
index. Printed: seconds from the call to the receipt of one identity, the median of 5; seconds to
the receipts of ``--many`` identities in one call; p50 and p99 of the searches that a second process
makes meanwhile, one after another, beside those that it makes alone. Every receipt is verified by
its being there, ten by ``verify_receipt``.

--rows, --dimension and --many set the size, --gallery takes a gallery that is there and forgets in
it, --folder is where one is made else; --small is 200,000 rows. Refuses when the disk has no room.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _shared import arguments, keep
from _vectors import CORPORA, queries
from gallery_ten_million import BYTES_A_ROW, filled, indexed, require_room

from saccade.gallery import Gallery

ROWS, MANY, SMALL_ROWS, ONES, VERIFIED = 10_000_000, 10_000, 200_000, 5, 10
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
    parser.add_argument("--gallery", type=Path, help="a gallery that is there; it will be changed")
    parser.add_argument("--folder", type=Path, help="where the gallery is made; else temporary")
    given = parser.parse_args()
    if given.small:
        given.rows = SMALL_ROWS
    return given


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Make the gallery where none is given, forget in it beside a finder, and remove it."""
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        corpus = CORPORA[given.corpus](given.dimension)
        place = given.gallery
        if place is None:
            require_room(folder, given.rows * (BYTES_A_ROW + 2 * given.dimension * 4))
            place = folder / "gallery"
            filled(place, corpus, given.rows)
            indexed(place)
        np.save(folder / "asked.npy", queries(corpus, 500, given.rows)[0])
        return beside_a_finder(place, folder, given.many)
    finally:
        shutil.rmtree(folder)


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
    """Forget one identity five times, then many at once; returns figures, and when each was."""
    with Gallery.open(place) as gallery:
        rows = gallery.stats().pictures
        everybody = [info.name for info in gallery.identities()]
        draw = np.random.default_rng(0)
        chosen = [everybody[at] for at in draw.choice(len(everybody), ONES + many, replace=False)]
        spans, seconds = {}, []
        first = time.monotonic()
        for name in chosen[:ONES]:
            begun = time.monotonic()
            receipts_of(gallery, [name])
            seconds.append(time.monotonic() - begun)
        spans["beside one"] = (first, time.monotonic())
        begun = time.monotonic()
        gone = receipts_of(gallery, chosen[ONES:])
        spans["beside many"] = (begun, time.monotonic())
        for one in gone[:VERIFIED]:
            if problems := gallery.verify_receipt(one.receipt):
                raise SystemExit(f"a receipt is not true: {problems}")
    one, together = float(np.median(seconds)), spans["beside many"][1] - begun
    pictures, peak = sum(one.pictures for one in gone), resource.getrusage(resource.RUSAGE_SELF)
    print(f"{rows:,} pictures of {len(everybody):,} identities")
    print(f"one identity: {one:.2f} s to the receipt, median of {ONES} ({sorted(seconds)})")
    print(f"{many:,} identities, {pictures:,} pictures: {together:.1f} s to all receipts")
    return {
        "rows": rows,
        "one_s": one,
        "ones_s": seconds,
        "many": many,
        "many_pictures": pictures,
        "many_s": together,
        "largest_resident_gib": peak.ru_maxrss / 2**20,
    }, spans


def receipts_of(gallery: Gallery, names: list[str]) -> list[Any]:
    """Forget them, and leave when one has no receipt."""
    gone = gallery.forget_many(names)
    for one in gone:
        if one.receipt is None or not one.receipt.exists():
            raise SystemExit(f"identity {one.number} has no receipt: {one.reason}")
    return gone


if __name__ == "__main__":
    chosen = options()
    keep(main(chosen), chosen)
