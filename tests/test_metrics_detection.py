"""Average precision and recall of boxes: equal to pycocotools, to VOC's rules, and in draws."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from saccade.boxes import FoundBoxes, TrueBoxes, overlap
from saccade.metrics.box_matching import AREAS
from saccade.metrics.coco import FIGURES, match_coco
from saccade.metrics.detection import VOC_RECALLS
from saccade.metrics.voc import voc_rankings
from tests.box_cases import columns, iou, made

FEW, MANY = 40, 240


def judged(case):
    """pycocotools: its own object after a whole evaluation."""
    with contextlib.redirect_stdout(io.StringIO()):
        true = COCO()
        true.dataset = {
            "images": [{"id": number} for number in range(case.pictures)],
            "categories": [{"id": k, "name": str(k)} for k in range(case.categories)],
            "annotations": [dict(row) for row in case.true],
        }
        true.createIndex()
        found = COCO()
        if case.found:
            found = true.loadRes([dict(row) for row in case.found])
        else:
            found.dataset = {**true.dataset, "annotations": []}
            found.createIndex()
        judge = COCOeval(true, found, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge


def nan_for_none(values):
    return np.where(np.asarray(values) == -1, np.nan, values)


@pytest.mark.parametrize(
    "seeds", [range(FEW), pytest.param(range(FEW, MANY), marks=pytest.mark.slow)], ids=str
)
def test_every_figure_is_that_of_pycocotools(seeds):
    for seed in seeds:
        case = made(seed)
        judge = judged(case)
        matched = match_coco(*columns(case), categories=case.categories)
        whole, _ = matched.figures()
        np.testing.assert_allclose(whole[0], nan_for_none(judge.stats), rtol=0, atol=1e-12)
        for place, area in enumerate(AREAS):
            for k, one in enumerate(matched.areas[area]):
                precision = nan_for_none(judge.eval["precision"][:, :, k, place, 2].mean(axis=1))
                np.testing.assert_allclose(
                    one.average_precision()[0], precision, rtol=0, atol=1e-12, err_msg=str(seed)
                )
                for column, most in enumerate((1, 10, 100)):
                    recall = nan_for_none(judge.eval["recall"][:, k, place, column])
                    np.testing.assert_allclose(
                        one.recall(most=most)[0], recall, rtol=0, atol=1e-12, err_msg=str(seed)
                    )


def test_the_cases_hold_what_is_hard():
    cases = [made(seed) for seed in range(FEW)]
    boxes = [row for case in cases for row in case.true]
    assert sum(row["iscrowd"] for row in boxes) > 20
    assert sum(row["ignore"] and not row["iscrowd"] for row in boxes) > 20
    assert sum(0 in row["bbox"][2:] for row in boxes) > 20
    assert sum(not case.true for case in cases) > 1 and sum(not case.found for case in cases) > 1
    for case in cases:
        found = [(row["image_id"], row["category_id"]) for row in case.found]
        if found and max(map(found.count, set(found))) > 100:
            break
    else:
        pytest.fail("no picture has more than 100 found boxes of one category")


def test_a_category_without_a_true_box_is_undefined_and_none_found_is_zero():
    nothing = np.zeros(0, np.int64)
    true = TrueBoxes(np.array([0]), np.array([1]), np.ones((1, 4)), np.ones(1), np.zeros(1, bool))
    found = FoundBoxes(nothing, nothing, np.zeros((0, 4)), np.zeros(0))
    whole, each = match_coco(true, found, categories=3).figures()
    assert np.isnan(each[0, [0, 2]]).all() and (each[0, 1] == 0).all()
    named = dict(zip(FIGURES, whole[0], strict=True))
    assert named["AP"] == named["AR@100"] == named["AP small"] == 0
    assert np.isnan(named["AP large"])


@pytest.mark.parametrize("seed", range(12))
def test_a_weighted_draw_is_the_draw_itself(seed):
    case = made(seed, coarse=False)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(case.pictures, np.full(case.pictures, 1 / case.pictures))
    drawn = np.repeat(np.arange(case.pictures), times)
    copies = type(case)(case.pictures, case.categories, [], [])
    for place, picture in enumerate(drawn.tolist()):
        for rows, kept in ((case.true, copies.true), (case.found, copies.found)):
            kept += [{**row, "image_id": place} for row in rows if row["image_id"] == picture]
    matched = match_coco(*columns(case), categories=case.categories)
    weights = np.stack([times, np.ones(case.pictures)]).astype(float)
    whole, each = matched.figures(weights)
    expected = match_coco(*columns(copies), categories=case.categories).figures()
    np.testing.assert_allclose(whole[0], expected[0][0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(each[0], expected[1][0], rtol=0, atol=1e-12)
    alone = matched.figures()
    np.testing.assert_allclose(whole[1], alone[0][0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(each[1], alone[1][0], rtol=0, atol=1e-12)


def voc_slowly(case, category, recalls):
    """VOC's average precision of a category, box by box; iscrowd stands for difficult."""
    true = [row for row in case.true if row["category_id"] == category]
    found = [row for row in case.found if row["category_id"] == category]
    wanted = sum(not row["iscrowd"] for row in true)
    taken, right, curve, seen = set(), 0, [], 0
    for row in sorted(found, key=lambda row: (-row["score"], row["image_id"])):
        best, most = None, -1.0
        for other in true:
            if other["image_id"] == row["image_id"]:
                shared = iou(row["bbox"], other["bbox"])
                if shared > most:
                    best, most = other, shared
        if most >= 0.5 and best["iscrowd"]:
            continue
        seen += 1
        if most >= 0.5 and best["id"] not in taken:
            taken.add(best["id"])
            right += 1
        curve.append((right / wanted if wanted else 0.0, right / seen))
    if not wanted:
        return None
    if recalls is not None:
        at = [max((p for r, p in curve if r >= t), default=0.0) for t in recalls]
        return sum(at) / len(at)
    area, before = 0.0, 0.0
    for place, (recall, _) in enumerate(curve):
        area += (recall - before) * max(p for _, p in curve[place:])
        before = recall
    return area


@pytest.mark.parametrize("recalls", [VOC_RECALLS, None], ids=["eleven", "area"])
def test_voc_is_that_of_a_slow_loop(recalls):
    seen = 0
    for seed in range(40):
        case = made(seed, crowded=0.2)
        rows = voc_rankings(*columns(case), categories=case.categories)
        for k, one in enumerate(rows):
            found, expected = (
                one.average_precision(recalls=recalls)[0, 0],
                voc_slowly(case, k, recalls),
            )
            assert np.isnan(found) if expected is None else abs(found - expected) < 1e-12, seed
            seen += expected is not None and 0 < expected < 1
    assert seen > 30


def test_overlap_is_that_of_a_slow_loop_and_of_a_crowd_the_share_of_the_found():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 20, (500, 4)).astype(float), rng.integers(0, 20, (500, 4)).astype(float)
    expected = [iou(left, right) for left, right in zip(a, b, strict=True)]
    np.testing.assert_allclose(overlap(a, b, np.zeros(500, bool)), expected, rtol=0, atol=1e-15)
    crowd = overlap(np.array([[0.0, 0, 4, 4]]), np.array([[2.0, 0, 50, 50]]), np.ones(1, bool))
    assert crowd.tolist() == [0.5]
