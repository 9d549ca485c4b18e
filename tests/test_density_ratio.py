"""Density ratios against known ones, cuts against a slow search, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize
from sklearn.metrics import roc_auc_score

from saccade.errors import InputError
from saccade.models import density_ratio as module
from saccade.models.density_ratio import cut_weights, density_ratio, effective_size


def normal(count, *mean, seed=0, width=6):
    rows = np.random.default_rng(seed).normal(size=(count, width))
    rows[:, : len(mean)] += mean
    return rows


def test_the_ratio_of_two_gaussians():
    # Of N(1, 1) to N(0, 1) it is exp(x - 1/2): 1 is the squared distance of the means.
    source, target = normal(3000, seed=1), normal(2000, 1.0, seed=2)
    found = density_ratio(source, target, most=1000, others=source[:100])
    truth = source[:, 0] - 0.5
    assert np.corrcoef(np.log(found.weights), truth)[0, 1] > 0.98
    assert np.abs(np.log(found.weights) - truth).mean() < 0.15
    assert found.cut == 0
    wanted = effective_size(np.exp(truth))
    assert found.effective == pytest.approx(wanted, rel=0.2)
    # Means under the weights are those of the target.
    assert np.average(source[:, 0], weights=found.weights) == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(np.log(found.others), truth[:100], atol=0.6)
    # The best area that there is: the normal's distribution at 1 / √2.
    assert found.told_apart == pytest.approx(0.760, abs=0.02)


def test_without_a_shift_all_count_the_same():
    found = density_ratio(normal(600, seed=1), normal(500, seed=2), most=20)
    assert found.effective > 0.95 * 600
    assert found.told_apart == pytest.approx(0.5, abs=0.06)


def test_few_pictures_without_a_shift_are_not_told_apart():
    areas = [
        density_ratio(normal(20, seed=n), normal(16, seed=n + 99), most=20, seed=n).told_apart
        for n in range(12)
    ]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.12)


def test_pictures_of_both_sides_are_in_one_fold():
    draw = np.random.default_rng(0)
    source = draw.normal(size=(80, 3))
    target = np.concatenate([source[10:40], draw.normal(size=(25, 3)), source[10:13]])
    ours, theirs = module._folds(source, target, 5)
    assert (ours[10:40] == theirs[:30]).all() and (ours[10:13] == theirs[-3:]).all()
    for folds in (ours, theirs):
        assert np.bincount(folds, minlength=module.FOLDS).min() >= len(folds) // 5 - 4
    # The same pictures on both sides: nothing is told apart, nor its contrary.
    found = density_ratio(source, source[:60], most=20)
    assert found.told_apart == pytest.approx(0.5, abs=0.1)
    assert found.effective > 76


def test_no_row_is_weighted_by_a_classifier_that_saw_it(monkeypatch):
    source, target = normal(60, seed=1, width=2), normal(40, 3.0, seed=2, width=2)
    monkeypatch.setattr(module, "PENALTIES", (1.0,))
    whole = density_ratio(source, target, most=1e4)
    far = source.copy()
    far[7] = [50.0, -20.0]
    monkeypatch.setattr(module, "_directions", lambda *sides: sides)
    plain = density_ratio(source, target, most=1e4)
    moved = density_ratio(far, target, most=1e4)
    fold, _ = module._folds(source, target, 0)
    # The fold of the moved row is answered by classifiers that did not learn from it.
    own = np.flatnonzero((fold == fold[7]) & (np.arange(60) != 7))
    ratios = np.log(plain.weights[own]) - np.log(moved.weights[own])
    assert np.ptp(ratios) < 1e-6
    assert whole.told_apart > 0.9


def test_the_area_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    source, target = draw.integers(0, 9, 50).astype(float), draw.integers(2, 12, 70).astype(float)
    wanted = roc_auc_score(np.repeat([0, 1], (50, 70)), np.concatenate([source, target]))
    assert module._area(source, target) == pytest.approx(wanted, abs=1e-12)


def test_the_effective_size_by_hand():
    assert effective_size(np.ones(7)) == 7
    assert effective_size(np.array([3.0, 1.0, 0.0])) == pytest.approx(16 / 10)
    assert effective_size(np.array([0.0, 5.0, 0.0])) == 1


@settings(max_examples=60)
@given(
    logs=arrays(np.float64, st.integers(2, 40), elements=st.floats(-8, 8)),
    most=st.floats(1.0, 50.0),
)
def test_cut_weights_are_those_of_a_slow_search(logs, most):
    weights, cut, factor = cut_weights(logs, most=most)
    assert weights.mean() == pytest.approx(1, abs=1e-9)
    assert weights.max() <= most * (1 + 1e-9)
    assert cut == (weights >= most * (1 - 1e-9)).sum() or most < 1.0001 or cut == 0
    ratios = np.exp(logs)
    if most > 1.01 and most < len(logs):
        wanted = optimize.brentq(
            lambda factor: np.minimum(ratios * factor, most).mean() - 1, 1e-9, 1e9, xtol=1e-14
        )
        np.testing.assert_allclose(weights, np.minimum(ratios * wanted, most), rtol=1e-5)
    if cut == 0 and factor:
        np.testing.assert_allclose(weights, ratios / ratios.mean(), rtol=1e-9)


def test_one_as_the_largest_weight_makes_all_equal():
    weights, _, _ = cut_weights(np.array([3.0, -1.0, 0.0]), most=1.0)
    np.testing.assert_allclose(weights, 1.0)


def test_ratios_beyond_all_bounds_stay_finite():
    weights, cut, _ = cut_weights(np.array([1e4, 0.0, -1e4, 1.0]), most=2.0)
    assert np.isfinite(weights).all() and weights.mean() == pytest.approx(1)
    assert cut == 1 and weights[0] == 2


def test_the_seed_decides():
    source, target = normal(100, seed=1), normal(80, 0.5, seed=2)
    first, again = (density_ratio(source, target, most=20, seed=3) for _ in range(2))
    assert (first.weights == again.weights).all()
    other = density_ratio(source, target, most=20, seed=4)
    assert (first.weights != other.weights).any()


def test_many_rows_are_sampled(monkeypatch):
    monkeypatch.setattr(module, "MOST_FITTED", 200)
    found = density_ratio(normal(2000, seed=1), normal(900, 1.0, seed=2), most=1000)
    assert found.told_apart == pytest.approx(0.75, abs=0.03)
    assert found.weights.mean() == pytest.approx(1)


@pytest.mark.parametrize("sides", [(9, 50), (50, 3), (0, 20)])
def test_too_few_pictures_are_refused(sides):
    with pytest.raises(InputError, match="are 9; add some"):
        density_ratio(np.tile(normal(9), (3, 1)), normal(50, seed=1), most=20)
    with pytest.raises(InputError, match="10 different pictures or more of each side"):
        density_ratio(normal(sides[0]), normal(sides[1]), most=20)


def test_too_many_features_are_refused():
    with pytest.raises(InputError, match="4,096 features at most, and these are 5,000; set data"):
        density_ratio(normal(20, width=5000), normal(20, width=5000), most=20)


def test_features_that_are_not_finite_are_refused():
    broken = normal(30)
    broken[3, 2] = np.nan
    with pytest.raises(InputError, match="finite"):
        density_ratio(broken, normal(30), most=20)
