"""What ``check`` finds of what was planted in a gallery of 1,000 identities, and how long it takes.

Vectors like those of face embeddings (``_vectors.Real``: with families of look-alikes, and pictures
that scatter unevenly), d = 128. Planted, in 5 galleries: 30 pictures under a wrong name, 20 people
under two names, 20 names for two people, 10 poor crops that lie in one place under different names.
Of each kind: recall and precision, over all galleries with 95 % Wilson intervals. Then the time for
100,000 pictures.

With --small one gallery and 20,000 pictures.
"""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from _shared import run
from _vectors import Floats, Labels, Real, unit

from saccade.intervals import wilson_interval
from saccade.review import Finding, Members, check_vectors

IDENTITIES, WRONG, SPLIT, DOUBLED, MAGNETS = 1000, 30, 20, 20, 10
GALLERIES, TIMED = 5, 100_000


class Planted(NamedTuple):
    """Vectors, whom each is said to show, and the findings that are right, by kind."""

    vectors: Floats
    said: Labels
    right: dict[str, set[tuple[int, ...]]]


def planted(seed: int) -> Planted:
    """Return a gallery with mistakes; pictures and identities are numbered from 0."""
    draw, corpus = np.random.default_rng(seed), Real()
    sizes = np.minimum(1 + draw.geometric(0.25, IDENTITIES), 20)
    shown = np.repeat(np.arange(IDENTITIES), sizes)
    vectors = corpus.pictures(draw, corpus.identities(draw, IDENTITIES)[shown])
    said = shown.copy()
    large = draw.permutation(np.flatnonzero(sizes >= 4)).tolist()
    doubled = [(large.pop(), large.pop()) for _ in range(DOUBLED)]
    for first, second in doubled:
        said[shown == second] = first
    split = [(large.pop(), IDENTITIES + number) for number in range(SPLIT)]
    for first, second in split:
        mine = np.flatnonzero(shown == first)
        said[mine[: len(mine) // 2]] = second
    wrong = set()
    for owner in draw.choice(large, WRONG, replace=False):
        row = draw.choice(np.flatnonzero(shown == owner))
        said[row] = draw.choice([other for other in large if other != owner])
        wrong.add((int(row), int(owner)))
    point = corpus.pictures(draw, 0.3 * corpus.identities(draw, 1))
    others = corpus.pictures(draw, corpus.identities(draw, MAGNETS))
    poor = unit(0.85 * point + 0.225 * others)
    magnets = {(len(vectors) + number,) for number in range(MAGNETS)}
    names = draw.choice(large, MAGNETS, replace=False)
    right = {
        "magnet": magnets,
        "wrong_name": wrong,
        "same": set(split),
        "two": {(first,) for first, _ in doubled},
    }
    return Planted(np.concatenate([vectors, poor]), np.concatenate([said, names]), right)


def look(found: Planted) -> Mapping[str, tuple[Finding, ...]]:
    """What ``check`` finds."""
    rows = np.arange(len(found.said))
    return check_vectors(Members(rows, found.said, found.vectors)).found


def told(checked: Mapping[str, tuple[Finding, ...]]) -> dict[str, set[tuple[int, ...]]]:
    """What it tells, in the form of ``Planted.right``."""
    return {
        "magnet": {one.pictures for one in checked["magnet"]},
        # The likelier identity must be the true one.
        "wrong_name": {(one.pictures[0], one.identities[1]) for one in checked["wrong_name"]},
        "same": {tuple(sorted(one.identities)) for one in checked["same"]},
        "two": {one.identities for one in checked["two"]},
    }


def main(small: bool) -> dict[str, Any]:
    """Count over the galleries; then time one check."""
    galleries = [planted(seed) for seed in range(1 if small else GALLERIES)]
    answers = [told(look(one)) for one in galleries]
    figures: dict[str, Any] = {"pictures": [len(one.said) for one in galleries]}
    for kind in galleries[0].right:
        there = sum(len(one.right[kind]) for one in galleries)
        said = sum(len(answer[kind]) for answer in answers)
        hits = sum(
            len(one.right[kind] & answer[kind])
            for one, answer in zip(galleries, answers, strict=True)
        )
        recall, precision = wilson_interval(hits, there), wilson_interval(hits, max(said, 1))
        figures[kind] = {"planted": there, "told": said, "right": hits}
        print(f"{kind}: {there} planted, {said} told; recall {recall}, precision {precision}")
    return figures | timed(TIMED // 5 if small else TIMED)


def timed(count: int) -> dict[str, Any]:
    """One check of a gallery without mistakes; the findings are false."""
    draw, corpus = np.random.default_rng(99), Real()
    shown = np.repeat(np.arange(count // 5), 5)
    vectors = corpus.pictures(draw, corpus.identities(draw, count // 5)[shown])
    begun, used = time.perf_counter(), time.process_time()
    checked = check_vectors(Members(np.arange(count), shown, vectors))
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    false = {kind: len(found) for kind, found in checked.found.items() if found}
    print(f"{count:,} pictures: {seconds:.1f} s, {processor:.1f} s of processors; told {false}")
    return {"timed": count, "seconds": seconds, "processor_seconds": processor, "false": false}


if __name__ == "__main__":
    run(main, __doc__)
