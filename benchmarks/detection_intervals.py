"""How often the intervals of detection figures hold the truth, beside the percentile bootstrap.

A population of 40,000 made pictures: some harder than others in all their boxes, three categories,
one rare. Its figures are the truth. REPEATS times a sample of 100 or of 300 pictures is drawn from
it and judged; 95 % of the intervals should hold the truth, of those that are given: a kind of
mistake that is too rare gets none. The peer: percentiles of as many draws, always given.

With --small 20 samples, to see that it runs.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import Any

import numpy as np
from _shared import run

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.intervals import LEVEL
from saccade.judge.box_intervals import intervals_of, intervals_of_costs
from saccade.judge.detection_scores import FEW_MISTAKES
from saccade.metrics.box_errors import box_errors, costs
from saccade.metrics.box_matching import MOST, match
from saccade.metrics.coco import AP50, AP75
from saccade.metrics.detection import rankings
from saccade.values import Float64Array, IntArray

POPULATION, REPEATS, DRAWS, CATEGORIES = 40_000, 2000, 250, 3
PLAIN = ("AP", "AP50", "AP75", "AR@100", *(f"AP of class {k}" for k in range(CATEGORIES)))
COSTS = ("location", "class", "background", "both", "missed")
Boxes = tuple[TrueBoxes, FoundBoxes]


def main(small: bool) -> dict[str, Any]:
    """Count, for both sizes of a sample, how many intervals hold the truth."""
    answer: dict[str, Any] = {}
    seeds = range(20 if small else REPEATS)
    for pictures in (100, 300):
        with ProcessPoolExecutor() as pool:
            rows = list(pool.map(partial(held, pictures), seeds, chunksize=5))
        own, peer = zip(*rows, strict=True)
        columns = np.nanmean(own, axis=0), np.mean(peer, axis=0), np.mean(~np.isnan(own), axis=0)
        table = zip((*PLAIN, *COSTS), *columns, strict=True)
        answer[str(pictures)] = {name: [float(value) for value in row] for name, *row in table}
        print(f"{pictures} pictures, {len(own):,} samples, {DRAWS} draws each: share that holds")
        for name, (a, b, c) in answer[str(pictures)].items():
            print(f"  {name:16} {a:.3f}, percentiles {b:.3f}; given {c:.3f}", flush=True)
    return {"coverage": answer}


@cache
def whole() -> tuple[TrueBoxes, FoundBoxes, list[list[IntArray]], Float64Array]:
    """The population, the places of each picture's boxes, and its figures."""
    true, found = population(np.random.default_rng(0))
    truth = np.concatenate([one(None)[0] for one in figures_of(true, found)[:2]])
    return true, found, [by_picture(one.picture) for one in (true, found)], truth


def held(pictures: int, seed: int) -> tuple[Float64Array, Float64Array]:
    """Whether the intervals of a sample hold the truth, NaN for those not given; the peer's."""
    true, found, places, truth = whole()
    rng = np.random.default_rng([pictures, seed])
    drawn = sample(true, found, places, rng.integers(0, POPULATION, pictures))
    own, peer = judged(*drawn, pictures, seed)
    within = (own[0] <= truth) & (truth <= own[1])
    return np.where(np.isnan(own[0]), np.nan, within), (peer[0] <= truth) & (truth <= peer[1])


def judged(
    true: TrueBoxes, found: FoundBoxes, pictures: int, seed: int
) -> tuple[Float64Array, Float64Array]:
    """Return (2, k) bounds of ours, NaN where too few mistakes are made, and of the percentiles."""
    figures, cost, counts = figures_of(true, found)
    units, settings = np.arange(pictures), {"boxes": 1, "seed": seed, "level": LEVEL}
    rows = intervals_of(figures, units, resamples=DRAWS, **settings)
    rows += [
        one if counts[name] >= FEW_MISTAKES else None
        for name, one in zip(COSTS, intervals_of_costs(cost, units, **settings), strict=True)
    ]
    own = [[np.nan, np.nan] if row is None else [row.low, row.high] for row in rows]
    even = np.full(pictures, 1 / pictures)
    weights = np.random.default_rng(seed).multinomial(pictures, even, size=DRAWS).astype(float)
    drawn = np.concatenate([one(weights) for one in (figures, cost)], axis=1)
    return np.array(own).T, np.nanquantile(drawn, [0.025, 0.975], axis=0)


def figures_of(true: TrueBoxes, found: FoundBoxes) -> tuple[Any, Any, dict[str, int]]:
    """The figures in PLAIN and those in COSTS, functions of weights; the number of mistakes."""
    matching = match(true, found, areas=("all",))
    ranked = rankings(matching, true, area="all", categories=CATEGORIES)
    errors = box_errors(true, found, categories=CATEGORIES)
    base, mended = errors.rankings(), dict(errors.mended())

    def plain(weights: Float64Array | None) -> Float64Array:
        precision = np.stack([one.average_precision(weights) for one in ranked], axis=1)
        recall = np.stack([one.recall(weights, most=MOST) for one in ranked], axis=1)
        mean = np.nanmean(precision, axis=1)
        whole = [mean.mean(axis=1), mean[:, AP50], mean[:, AP75], np.nanmean(recall, axis=(1, 2))]
        return np.stack([*whole, *precision.mean(axis=2).T], axis=1)

    def cost(weights: Float64Array | None) -> Float64Array:
        return costs(base, [mended[name] for name in COSTS], weights)

    return plain, cost, errors.counts()


def population(rng: np.random.Generator) -> Boxes:
    """Pictures of unequal difficulty; a hard one has worse, fewer and more wrong boxes."""
    hard = rng.normal(0, 1, POPULATION)
    picture = np.repeat(
        np.arange(POPULATION), rng.poisson(np.exp(rng.normal(0.6, 0.7, POPULATION)))
    )
    category = classes(len(picture), rng, 0.6)
    side = sides(len(picture), rng)
    xywh = np.concatenate([rng.uniform(0, 600, (len(picture), 2)), side], axis=1)
    true = TrueBoxes(picture, category, xywh, side.prod(axis=1), rng.random(len(picture)) < 0.01)
    hit = np.flatnonzero(rng.random(len(picture)) < 1 / (1 + np.exp(hard[picture] - 1.5)))
    noise = rng.gamma(2, 0.024, len(hit)) * np.exp(0.4 * hard[picture[hit]])
    near = xywh[hit] + rng.normal(0, 1, (len(hit), 4)) * np.tile(side[hit], 2) * noise[:, None]
    near[:, 2:] = near[:, 2:].clip(1)
    named = np.where(rng.random(len(hit)) < 0.93, category[hit], (category[hit] + 1) % CATEGORIES)
    many = rng.poisson(np.exp(rng.normal(-0.3, 0.8, POPULATION) + 0.4 * hard))
    wrong = np.repeat(np.arange(POPULATION), many)
    far = np.concatenate([rng.uniform(0, 600, (len(wrong), 2)), sides(len(wrong), rng)], axis=1)
    found = FoundBoxes(
        np.concatenate([picture[hit], wrong]),
        np.concatenate([named, classes(len(wrong), rng, 0.5)]),
        np.concatenate([near, far]),
        np.concatenate([rng.beta(5, 2, len(hit)), rng.beta(2, 4, len(wrong))]),
    )
    return true, found


def classes(many: int, rng: np.random.Generator, first: float) -> IntArray:
    """Categories 0, 1 and 2, in falling frequency."""
    later = np.where(rng.random(many) < 0.6, 1, 2)
    return np.where(rng.random(many) < first, 0, later)


def sides(many: int, rng: np.random.Generator) -> Float64Array:
    """Widths and heights in pixels."""
    return np.exp(rng.normal(4.0, 0.8, (many, 2))).clip(6, 400)


def by_picture(picture: IntArray) -> list[IntArray]:
    """The places of the boxes of each picture."""
    order = np.argsort(picture, kind="stable")
    return np.split(order, np.searchsorted(picture[order], np.arange(1, POPULATION)))


def sample(
    true: TrueBoxes, found: FoundBoxes, places: list[list[IntArray]], drawn: IntArray
) -> Boxes:
    """The boxes of the pictures drawn, numbered in that order."""
    kept, number = [], []
    for one in places:
        parts = [one[picture] for picture in drawn.tolist()]
        kept.append(np.concatenate(parts))
        number.append(np.repeat(np.arange(len(drawn)), [len(part) for part in parts]))
    return (
        TrueBoxes(
            number[0],
            true.category[kept[0]],
            true.xywh[kept[0]],
            true.area[kept[0]],
            true.crowd[kept[0]],
        ),
        FoundBoxes(number[1], found.category[kept[1]], found.xywh[kept[1]], found.score[kept[1]]),
    )


if __name__ == "__main__":
    run(main, __doc__ or "")
