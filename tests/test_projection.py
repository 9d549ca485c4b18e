"""The whitened last map, against its definition and scikit-learn's PCA."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from saccade.tasks.projection import within_class_whitening


def draw(classes, each, length, seed=0):
    """Return features (n, length) in clouds that are long in some directions, and their targets."""
    generator = torch.Generator().manual_seed(seed)
    stretch = torch.linspace(0.2, 3.0, length)
    centres = 4 * torch.randn(classes, length, generator=generator)
    targets = torch.arange(classes).repeat_interleave(each)
    noise = stretch * torch.randn(classes * each, length, generator=generator)
    return centres[targets] + noise + 5, targets


def mapped(features, targets, **settings):
    weight, bias = within_class_whitening(features, targets, **settings)
    return (features @ weight.T + bias).double()


def within(rows, targets):
    """Return the within-class covariance with a plain loop."""
    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for target in targets.unique():
        own = rows[targets == target]
        for row in own - own.mean(0):
            total += torch.outer(row, row)
    return total / len(rows)


@pytest.mark.parametrize("dimension", [2, 5, 8])
def test_without_shrinkage_classes_vary_equally_in_every_direction(dimension):
    features, targets = draw(12, 9, 8)
    rows = mapped(features, targets, dimension=dimension, shrinkage=0.0)
    expected = torch.eye(dimension, dtype=torch.float64)
    torch.testing.assert_close(within(rows, targets), expected, atol=1e-3, rtol=0)


def test_full_shrinkage_is_pca():
    features, targets = draw(12, 9, 8)
    rows = mapped(features, targets, dimension=3, shrinkage=1.0).numpy()
    wanted = PCA(3).fit_transform(features.double().numpy())
    factors = (rows * wanted).sum(0) / (wanted**2).sum(0)
    np.testing.assert_allclose(rows, wanted * factors, atol=1e-3)
    np.testing.assert_allclose(np.abs(factors), np.abs(factors[0]), rtol=1e-3)


@given(
    st.integers(2, 6), st.integers(1, 5), st.integers(2, 12), st.integers(1, 20), st.floats(0, 1)
)
def test_the_map_is_finite_and_centred(classes, each, length, dimension, shrinkage):
    features, targets = draw(classes, each, length)
    settings = {"dimension": dimension, "shrinkage": shrinkage}
    weight, bias = within_class_whitening(features, targets, **settings)
    assert weight.shape == (dimension, length)
    assert bias.shape == (dimension,)
    assert torch.isfinite(weight).all()
    assert torch.isfinite(bias).all()
    rows = mapped(features, targets, **settings)
    assert float(rows.mean(0).abs().max()) < 1e-3 * max(1.0, float(rows.abs().max()))
    assert float(rows.abs().max()) > 1e-3


def test_one_picture_a_class_falls_back_to_pca():
    features, targets = draw(20, 1, 6)
    rows = mapped(features, targets, dimension=2, shrinkage=0.3).numpy()
    wanted = PCA(2).fit_transform(features.double().numpy())
    np.testing.assert_allclose(np.abs(rows), np.abs(wanted), atol=1e-3)


def test_features_that_never_change_get_no_direction():
    features, targets = draw(6, 5, 4)
    features = torch.cat([features, torch.full((30, 2), 7.0)], 1)
    weight, bias = within_class_whitening(features, targets, dimension=6, shrinkage=0.3)
    assert torch.isfinite(weight).all()
    assert torch.isfinite(bias).all()
    assert float(weight[:, 4:].abs().max()) < 1e-4
    assert int((weight.abs().amax(1) > 1e-6).sum()) == 4


def test_classes_missing_from_the_targets_do_no_harm():
    features, targets = draw(5, 6, 4)
    settings = {"dimension": 3, "shrinkage": 0.3}
    dense = within_class_whitening(features, targets, **settings)
    sparse = within_class_whitening(features, targets * 7 + 3, **settings)
    torch.testing.assert_close(dense, sparse)


def test_random_projection_finds_the_same_directions(monkeypatch):
    features, targets = draw(30, 10, 40)
    settings = {"dimension": 6, "shrinkage": 0.3}
    exact = mapped(features, targets, **settings)
    monkeypatch.setattr("saccade.tasks.projection.EXACT_SIDE", 10)
    near = mapped(features, targets, **settings)
    torch.testing.assert_close(near @ near.T, exact @ exact.T, rtol=1e-3, atol=1e-3)
