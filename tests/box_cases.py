"""Pictures with true and found boxes at random, as rows of COCO and as our columns."""

from dataclasses import dataclass

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes


@dataclass
class Case:
    pictures: int
    categories: int
    true: list
    found: list


def made(seed, *, coarse=None, crowded=0.05):
    """A case; a coarse one has equal scores, equal overlaps and overlaps on a threshold."""
    rng = np.random.default_rng(seed)
    coarse = bool(rng.random() < 0.5) if coarse is None else coarse
    case = Case(int(rng.integers(1, 12)), int(rng.integers(1, 4)), [], [])
    for picture in range(case.pictures):
        for _ in range(rng.integers(0, 9) if rng.random() < 0.85 else 0):
            _true_box(case, picture, rng, coarse, crowded)
    if rng.random() < 0.1:
        for _ in range(150):
            _found_box(case, 0, 0, rng.uniform(0, 100, 4), rng, coarse)
    case.found = [case.found[place] for place in rng.permutation(len(case.found))]
    if seed % 8 == 3:
        case.true = []
    if seed % 8 == 7:
        case.found = []
    return case


def _true_box(case, picture, rng, coarse, crowded):
    category = int(rng.integers(0, case.categories))
    box = rng.uniform(0, 150, 4)
    box = np.round(box / 10) * 10 if coarse else box
    if rng.random() < 0.05:
        box[rng.integers(2, 4)] = 0
    case.true.append(
        {
            "id": len(case.true) + 1,
            "image_id": picture,
            "category_id": category,
            "bbox": box.tolist(),
            "area": float(box[2] * box[3] * rng.choice([1, 1, 0.6])),
            "iscrowd": int(rng.random() < crowded),
            "ignore": int(rng.random() < 0.1),  # COCO's evaluation puts iscrowd in its place.
        }
    )
    for _ in range(rng.integers(0, 4)):
        near = box + rng.normal(0, rng.choice([0, 3, 15]), 4)
        near = np.round(near / 10) * 10 if coarse else near
        near[2:] = abs(near[2:])
        other = int(rng.integers(0, case.categories)) if rng.random() < 0.2 else category
        _found_box(case, picture, other, near, rng, coarse)


def _found_box(case, picture, category, box, rng, coarse):
    score = rng.random()
    case.found.append(
        {
            "image_id": picture,
            "category_id": category,
            "bbox": np.asarray(box).tolist(),
            "score": float(np.round(score, 1) if coarse else score),
        }
    )


def columns(case):
    """The same boxes as TrueBoxes and FoundBoxes."""
    true, found = (
        {
            "picture": np.array([row["image_id"] for row in rows], np.int64),
            "category": np.array([row["category_id"] for row in rows], np.int64),
            "xywh": np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4),
        }
        for rows in (case.true, case.found)
    )
    area = np.array([row["area"] for row in case.true], np.float64)
    crowd = np.array([row["iscrowd"] for row in case.true], bool)
    score = np.array([row["score"] for row in case.found], np.float64)
    return TrueBoxes(**true, area=area, crowd=crowd), FoundBoxes(**found, score=score)


def iou(a, b):
    """Intersection over union of two boxes [x, y, width, height], slowly."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (a[2] * a[3] + b[2] * b[3] - wide * high)
