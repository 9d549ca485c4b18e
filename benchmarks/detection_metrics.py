"""COCO's figures over 5,000 pictures and 80 categories: seconds, beside faster-coco-eval.

Pictures with 7 true boxes on average and 100 found ones each, as a detector of COCO leaves them.
Both sides start from their own tables in memory and give the twelve figures; they take turns. The
figures must agree to 1e-9.

With --small 300 pictures, to see that it runs.
"""

import contextlib
import io
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _shared import run
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.metrics.coco import FIGURES, match_coco
from saccade.values import Float64Array

CATEGORIES, FOUND, TURNS = 80, 100, 5
Floats = NDArray[np.float64]


def main(small: bool) -> dict[str, Any]:
    """Let both judge in turns, and compare."""
    pictures = 300 if small else 5_000
    true, found = made(pictures, np.random.default_rng(0))
    peer_true, peer_found = tables(pictures, true, found)
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    sides: dict[str, Callable[[], Floats]] = {
        "ours": lambda: match_coco(true, found, categories=CATEGORIES).figures()[0][0],
        "peer": lambda: by_peer(peer_true, peer_found),
    }
    for turn in range(TURNS):
        answers = {}
        for name in sorted(sides, reverse=bool(turn % 2)):
            begun = time.perf_counter()
            answers[name] = sides[name]()
            seconds[name].append(time.perf_counter() - begun)
        furthest = float(abs(answers["ours"] - answers["peer"]).max())
        assert furthest < 1e-9, furthest
    ours, theirs = (statistics.median(seconds[name]) for name in ("ours", "peer"))
    ratios = [a / b for a, b in zip(seconds["ours"], seconds["peer"], strict=True)]
    print(
        f"{pictures:,} pictures, {len(true.area):,} true and {len(found.score):,} found: ours "
        f"{ours:.2f} s, faster-coco-eval {theirs:.2f} s; ours / peer "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); furthest "
        f"figure {furthest:.1e}; AP {answers['ours'][0]:.4f}"
    )
    figures = dict(zip(FIGURES, answers["ours"].tolist(), strict=True))
    return {"ours_s": ours, "peer_s": theirs, "ratios": ratios, "figures": figures}


def made(pictures: int, rng: np.random.Generator) -> tuple[TrueBoxes, FoundBoxes]:
    """Random true boxes; half of them found once or twice, the other boxes found anywhere."""
    count = rng.poisson(7, pictures)
    picture = np.repeat(np.arange(pictures), count)
    many = len(picture)
    side = np.exp(rng.normal(4.0, 0.9, (many, 2))).clip(4, 500)
    corner = rng.uniform(0, 1, (many, 2)) * (640 - side).clip(1)
    category = rng.zipf(1.3, many) % CATEGORIES
    crowd = rng.random(many) < 0.01
    xywh = np.concatenate([corner, side], axis=1)
    true = TrueBoxes(picture, category, xywh, side.prod(axis=1) * 0.7, crowd)
    near = np.repeat(rng.permutation(many)[: many // 2], 2)
    shift = rng.normal(0, 0.12, (len(near), 4)) * np.tile(side[near], 2)
    close = np.concatenate([xywh[near, :2], side[near]], axis=1) + shift
    close[:, 2:] = close[:, 2:].clip(1)
    rest = pictures * FOUND - len(near)
    far_side = np.exp(rng.normal(4.0, 0.9, (rest, 2))).clip(4, 500)
    far = np.concatenate([rng.uniform(0, 500, (rest, 2)), far_side], axis=1)
    found = FoundBoxes(
        np.concatenate([picture[near], rng.integers(0, pictures, rest)]),
        np.concatenate([category[near], rng.zipf(1.3, rest) % CATEGORIES]),
        np.concatenate([close, far]),
        np.concatenate([rng.beta(3, 2, len(near)), rng.beta(1, 5, rest)]),
    )
    return true, found


def tables(pictures: int, true: TrueBoxes, found: FoundBoxes) -> tuple[Any, Any]:
    """The same boxes as the peer wants them."""
    whole = {
        "images": [{"id": number} for number in range(pictures)],
        "categories": [{"id": number, "name": str(number)} for number in range(CATEGORIES)],
        "annotations": [
            {"id": n + 1, "iscrowd": int(true.crowd[n]), "area": float(true.area[n])} | row
            for n, row in enumerate(rows(true.picture, true.category, true.xywh))
        ],
    }
    answers = [
        {"score": float(found.score[n])} | row
        for n, row in enumerate(rows(found.picture, found.category, found.xywh))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCO(whole)
        return judge, judge.loadRes(answers)


def rows(picture: Any, category: Any, xywh: Float64Array) -> list[dict[str, Any]]:
    """Return what both kinds of rows have."""
    return [
        {"image_id": int(p), "category_id": int(k), "bbox": box}
        for p, k, box in zip(picture, category, xywh.tolist(), strict=True)
    ]


def by_peer(true: Any, found: Any) -> Floats:
    """The twelve figures of faster-coco-eval."""
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval_faster(true, found, "bbox", print_function=lambda *_: None)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return np.array(judge.stats[:12], np.float64)


if __name__ == "__main__":
    run(main, __doc__ or "")
