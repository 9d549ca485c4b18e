"""Figures of masks: equal to slow loops and to scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, jaccard_score

from saccade.errors import InputError
from saccade.metrics.contours import boundary_f, boundary_overlap, edge
from saccade.metrics.segmentation import class_iou, margins, pixel_confusion
from saccade.metrics.shares import mean_of_known

IGNORE = 255


def masks(seed, *, classes=4, size=(13, 17), ignored=0.1):
    """A true and an answered mask of blocks, alike in most places."""
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, classes, (4, 5)), np.ones((4, 4), int))[: size[0], : size[1]]
    other = rng.integers(0, classes, truth.shape)
    answer = np.where(rng.random(truth.shape) < 0.2, other, truth)
    truth = np.where(rng.random(truth.shape) < ignored, IGNORE, truth)
    return truth, answer


@pytest.mark.parametrize("seed", range(6))
def test_figures_are_those_of_scikit_learn(seed):
    truth, answer = masks(seed)
    kept = truth != IGNORE
    a, b = truth[kept], answer[kept]
    found = margins(pixel_confusion(truth, answer, classes=4, ignore=IGNORE))
    assert found.accuracy() == pytest.approx(accuracy_score(a, b), abs=1e-12)
    assert found.balanced_accuracy() == pytest.approx(balanced_accuracy_score(a, b), abs=1e-12)
    np.testing.assert_allclose(found.f1(), f1_score(a, b, average=None), atol=1e-12)
    np.testing.assert_allclose(class_iou(found), jaccard_score(a, b, average=None), atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_the_confusion_is_that_of_a_slow_loop(seed):
    truth, answer = masks(seed)
    answer[0, :5] = IGNORE  # no class was answered
    expected = np.zeros((6, 7), int)
    for row, column in zip(truth.ravel(), answer.ravel(), strict=True):
        if row != IGNORE:
            expected[row, 6 if column == IGNORE else column] += 1
    found = pixel_confusion(truth, answer, classes=6, ignore=IGNORE)
    assert found.tolist() == expected.tolist()
    known = margins(found)
    shares = class_iou(known)
    for k in range(6):
        either = expected[k].sum() + expected[:, k].sum() - expected[k, k]
        if either:
            assert shares[k] == pytest.approx(expected[k, k] / either, abs=1e-15)
        else:
            assert np.isnan(shares[k])
    seen = [share for share in shares if not np.isnan(share)]
    assert mean_of_known(shares) == pytest.approx(np.mean(seen)) and len(seen) < 6
    assert np.isnan(mean_of_known(np.full(3, np.nan)))


def test_what_is_no_class_is_refused():
    one = np.zeros((2, 2), int)
    for truth, answer in ((one, np.zeros((2, 3), int)), (one + 4, one), (one, one - 1)):
        with pytest.raises(InputError):
            pixel_confusion(truth, answer, classes=4)
    with pytest.raises(InputError, match="answer must hold"):
        pixel_confusion(one, one + 4, classes=4)


def slow_edge(mask, known):
    points = []
    for y, x in np.argwhere(mask & known):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1]
            if inside and known[v, u] and not mask[v, u]:
                points.append((y, x))
                break
    return points


def slow_near(point, points, reach):
    return any(np.hypot(point[0] - y, point[1] - x) <= reach for y, x in points)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [0.0075, 0.07, 0.15])
def test_edges_are_those_of_slow_loops(seed, tolerance):
    truth, answer = masks(seed, ignored=0.05)
    known, seen = truth != IGNORE, 0
    reach = tolerance * np.hypot(*truth.shape)
    for k in range(5):
        pair = truth == k, answer == k
        true, found = (slow_edge(mask, known) for mask in pair)
        assert np.argwhere(edge(pair[0], known)).tolist() == [list(point) for point in true]
        fit = boundary_f(*pair, known, tolerance=tolerance)
        if not true and not found:
            assert np.isnan(fit)
            continue
        precision = np.mean([slow_near(p, true, reach) for p in found]) if found else 0.0
        recall = np.mean([slow_near(p, found, reach) for p in true]) if true else 0.0
        both = precision + recall
        assert fit == pytest.approx(2 * precision * recall / both if both else 0.0, abs=1e-12)
        strips = [
            {(y, x) for y, x in np.argwhere(mask & known) if slow_near((y, x), points, reach)}
            for mask, points in zip(pair, (true, found), strict=True)
        ]
        expected = len(strips[0] & strips[1]), len(strips[0] | strips[1])
        assert boundary_overlap(*pair, known, strip=tolerance) == expected
        seen += 0 < fit < 1
    assert seen >= 2


def test_a_mask_moved_by_less_than_the_tolerance_has_its_edges_in_place():
    truth = np.zeros((300, 400), bool)
    truth[100:200, 100:200] = True
    known = np.ones(truth.shape, bool)
    assert boundary_f(truth, np.roll(truth, 3, axis=1), known) == 1.0  # 0.0075 of 500 is 3.75
    assert boundary_f(truth, np.roll(truth, 9, axis=1), known) < 0.6
    assert boundary_f(truth, np.zeros_like(truth), known) == 0.0
