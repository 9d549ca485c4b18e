"""Least squares and ridge against scikit-learn, the pseudo-inverse, and descent."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from saccade.errors import InputError, SettingError
from saccade.models import least_squares as solver
from saccade.models.least_squares import least_squares, ridge


def drawn(n=300, d=20, t=3, seed=0):
    """Features whose columns differ in size and are correlated, and targets with noise."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(n, d)) @ draw.normal(size=(d, d)) + 10 * draw.normal(size=d)
    targets = features @ draw.normal(size=(d, t)) + 5 + draw.normal(size=(n, t))
    return features, targets


@pytest.mark.parametrize("penalty", [0.0, 0.01, 1.0, 1e4])
@pytest.mark.parametrize("t", [1, 3])
def test_equals_scikit_learn(penalty, t):
    features, targets = drawn(t=t)
    ours = ridge(features, targets, penalty=penalty)
    peer = Ridge(alpha=penalty, solver="svd") if penalty else LinearRegression()
    peer.fit(features, targets)
    assert np.allclose(ours.weights, np.atleast_2d(peer.coef_).T, rtol=1e-9, atol=1e-9)
    assert np.allclose(ours.bias, peer.intercept_, rtol=1e-9, atol=1e-8)
    predicted = peer.predict(features).reshape(len(features), t)
    assert np.allclose(ours(features), predicted, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("penalty", [0.0, 3.0])
def test_descent_comes_to_the_same(penalty):
    """Nesterov's descent in float64 on the centred problem, whose gradient is written out."""
    draw = np.random.default_rng(1)
    features, targets = draw.normal(size=(200, 5)), draw.normal(size=(200, 2))
    x, y = features - features.mean(0), targets - targets.mean(0)
    rate = 1 / (np.linalg.norm(x, 2) ** 2 + penalty)
    weights = ahead = np.zeros((5, 2))
    for step in range(2000):
        moved = ahead - rate * (x.T @ (x @ ahead - y) + penalty * ahead)
        ahead, weights = moved + step / (step + 3) * (moved - weights), moved
    found = ridge(features, targets, penalty=penalty)
    assert np.abs(found.weights - weights).max() < 1e-6
    bias = targets.mean(0) - features.mean(0) @ weights
    assert np.abs(found.bias - bias).max() < 1e-6


@pytest.mark.parametrize(("n", "d"), [(10, 20), (1, 3), (20, 20)])
def test_of_many_maps_the_one_with_least_weights_is_taken(n, d):
    features, targets = drawn(n=n, d=d)
    x, y = features - features.mean(0), targets - targets.mean(0)
    expected = np.linalg.pinv(x) @ y
    assert np.allclose(least_squares(features, targets).weights, expected, atol=1e-7)


def test_a_column_that_never_changes_or_stands_twice_does_no_harm():
    features, targets = drawn(d=4)
    twice = np.hstack([features, features[:, :1], np.full((len(features), 1), 7.0)])
    found = least_squares(twice, targets)
    alone = least_squares(features, targets)
    assert np.allclose(found(twice), alone(features), atol=1e-8)
    assert np.allclose(found.weights[0], found.weights[4])
    assert np.allclose(found.weights[5], 0)


def test_an_ill_conditioned_problem_keeps_the_digits_that_normal_equations_lose():
    x = np.linspace(0, 1, 400)
    features = x[:, None] ** np.arange(1, 11)
    right = np.arange(1.0, 11.0)
    targets = features @ right
    centred = features - features.mean(0)
    normal = np.linalg.solve(centred.T @ centred, centred.T @ (targets - targets.mean()))
    ours = np.abs(least_squares(features, targets).weights[:, 0] - right).max()
    assert ours < 1e-5
    assert np.abs(normal - right).max() > 100 * ours


def test_the_size_of_the_blocks_changes_nothing(monkeypatch):
    features, targets = drawn(n=101, d=7)
    whole = ridge(features, targets, penalty=0.5)
    monkeypatch.setattr(solver, "BLOCK_BYTES", 1)
    parts = ridge(features, targets, penalty=0.5)
    assert np.allclose(parts.weights, whole.weights, rtol=1e-11, atol=1e-12)
    assert np.allclose(parts.bias, whole.bias, rtol=1e-11)


def test_bytes_are_taken_as_numbers():
    draw = np.random.default_rng(2)
    pixels = draw.integers(0, 256, (50, 6)).astype(np.uint8)
    targets = draw.normal(size=50).astype(np.float32)
    found = ridge(pixels, targets, penalty=1.0)
    peer = ridge(pixels.astype(np.float64), targets.astype(np.float64), penalty=1.0)
    assert np.array_equal(found.weights, peer.weights)
    assert found.weights.shape == (6, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["features", "targets"])
def test_a_value_that_is_not_finite_is_named_by_its_row(where, bad):
    arrays = dict(zip(("features", "targets"), drawn(n=30, d=4), strict=True))
    arrays[where][17, 0] = bad
    with pytest.raises(InputError, match=f"row 17 of the {where} holds NaN or infinity; leave"):
        ridge(**arrays, penalty=1.0)


@pytest.mark.parametrize(
    ("features", "targets", "said"),
    [
        ((3, 2), (4,), "as many rows"),
        ((3,), (3,), "as many rows"),
        ((3, 2), (3, 1, 1), "as many rows"),
        ((0, 2), (0,), "nothing to fit"),
        ((3, 0), (3,), "nothing to fit"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(features, targets, said):
    with pytest.raises(InputError, match=said):
        least_squares(np.zeros(features), np.zeros(targets))


@pytest.mark.parametrize("penalty", [-1.0, np.nan, np.inf])
def test_a_penalty_that_is_none_is_refused(penalty):
    with pytest.raises(SettingError, match="must be a number from 0"):
        ridge(*drawn(), penalty=penalty)
