"""Normalisations: of inputs beside scikit-learn, of layers beside their definition in NumPy."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn
from torch.nn.functional import unfold

from saccade.errors import InputError, UnknownNameError
from saccade.nn.normalisation import (
    INPUT_NORMALISATIONS,
    LAYER_NORMALISATIONS,
    MAPS_ONLY,
    NORMALISATIONS,
    make_normalisation,
)
from saccade.nn.whitening import PatchWhitening

CHANNELS = 32
EPS = 1e-5
WHITENINGS = ("pca_whitening", "zca_whitening")
inputs = pytest.mark.parametrize("name", INPUT_NORMALISATIONS)
layers = pytest.mark.parametrize("name", LAYER_NORMALISATIONS)


def maps(count=5, side=4, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(count, CHANNELS, side, side, generator=draw) + 3).to(dtype)


def made(name, dtype=torch.float64):
    """With a scale and a shift that differ by channel, where there are any."""
    module = LAYER_NORMALISATIONS[name].make(channels=CHANNELS).to(dtype)
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.copy_(torch.linspace(0.5, 1.5, CHANNELS) + number)
    return module


def over(x, axes):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)


def local_response(x):
    found = np.empty_like(x)
    for i in range(CHANNELS):
        around = x[:, max(0, i - 2) : i + 3]
        found[:, i] = x[:, i] / (2 + 1e-4 * (around**2).sum(1)) ** 0.75
    return found


def by_groups(x):
    halves = [over(x[:, :16], (1, 2, 3)), over(x[:, 16:], (1, 2, 3))]
    return np.concatenate(halves, 1)


DEFINITIONS = {
    "local_response": local_response,
    "batch": lambda x: over(x, (0, 2, 3)),
    "layer": lambda x: over(x, (1, 2, 3)),
    "group": by_groups,
    "instance": lambda x: over(x, (2, 3)),
}


@layers
def test_a_layer_is_its_definition(name):
    values = maps()
    expected = DEFINITIONS[name](values.numpy())
    if name != "local_response":
        scale = np.linspace(0.5, 1.5, CHANNELS)[:, None, None]
        expected = scale * expected + scale + 1
    np.testing.assert_allclose(made(name)(values).detach(), expected, rtol=1e-6, atol=1e-6)


@layers
def test_vectors_are_taken_or_refused(name):
    vectors = maps()[:, :, 0, 0]
    if name in MAPS_ONLY:
        with pytest.raises(InputError, match=f"normalisation {name} needs maps"):
            make_normalisation(name, CHANNELS, vectors=True)
        return
    module = make_normalisation(name, CHANNELS, vectors=True).double()
    expected = DEFINITIONS[name](vectors.numpy()[:, :, None, None])[:, :, 0, 0]
    np.testing.assert_allclose(module(vectors).detach(), expected, rtol=1e-6, atol=1e-6)


@layers
def test_gradients_are_those_of_finite_differences(name):
    module, values = made(name), maps(count=2, side=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: module(x), (values, *module.parameters()))


@pytest.mark.parametrize(
    "dtype", [torch.float32, pytest.param(torch.bfloat16, marks=pytest.mark.slow)]
)
@layers
def test_large_values_stay_finite(name, dtype):
    values = torch.zeros(4, CHANNELS, 2, 2, dtype=dtype)
    values[::2], values[1::2, ::2] = 1e4, -1e4
    values.requires_grad_()
    found = made(name, dtype)(values)
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(values.grad).all()


@layers
def test_order_and_an_empty_batch_are_kept(name):
    module, values = made(name), maps()
    torch.testing.assert_close(module(values.flip(0)), module(values).flip(0))
    assert module.eval()(values[:0]).shape == values[:0].shape


@layers
def test_outside_training_each_picture_is_seen_alone(name):
    module, values = made(name), maps()
    module(values)
    module.eval()
    torch.testing.assert_close(module(values)[1:2], module(values[1:2]))


@pytest.mark.parametrize("shape", [(1, CHANNELS), (1, CHANNELS, 1, 1), (0, CHANNELS, 2, 2)])
def test_batch_refuses_to_learn_from_one_value_a_channel(shape):
    module = LAYER_NORMALISATIONS["batch"].make(channels=CHANNELS)
    with pytest.raises(InputError, match="of one alone the variance is 0; take larger") as caught:
        module(torch.zeros(shape))
    assert "\n" not in str(caught.value)
    assert torch.equal(module.running_mean, torch.zeros(CHANNELS))
    assert module.eval()(torch.zeros(shape)).shape == shape
    assert module.train()(torch.zeros(1, CHANNELS, 1, 2)).shape == (1, CHANNELS, 1, 2)


@pytest.mark.parametrize(("name", "shape"), [("batch", (4, 3)), ("instance", (4, 3, 1, 1))])
def test_a_shape_that_cannot_be_normalised_is_refused(name, shape):
    module = LAYER_NORMALISATIONS[name].make(channels=3)
    with pytest.raises(InputError, match=r"Got \(4, 3"):
        module(torch.zeros(*shape, 1) if name == "batch" else torch.zeros(shape))


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(5, 1), (16, 1), (24, 1), (31, 1), (32, 2), (48, 3), (34, 2), (512, 32)],
)
def test_groups_hold_at_least_sixteen_channels(channels, groups):
    assert make_normalisation("group", channels).num_groups == groups


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("minmax", "minmax is for inputs, not between layers; take none, local_response, batch"),
        ("patch_whitening", "patch_whitening is for a network's first layer"),
        ("bacth", "there is no normalisation 'bacth'; did you mean 'batch'?"),
    ],
)
def test_what_is_not_for_between_layers_is_refused(name, said):
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        make_normalisation(name, 8)
    assert isinstance(make_normalisation("none", 8), nn.Identity)


def digits():
    """(1797, 1, 8, 8) float64, 0 to 16; three of the pixels never change."""
    return torch.from_numpy(load_digits().images)[:, None]


def test_inputs_are_normalised_as_scikit_learn_does():
    pictures = digits()
    rows = pictures.flatten(1).numpy()
    for name, scaler in (("minmax", MinMaxScaler()), ("standardise", StandardScaler())):
        found = INPUT_NORMALISATIONS[name].make().fit(pictures[:900])(pictures[900:])
        assert found.shape == (897, 1, 8, 8)
        expected = scaler.fit(rows[:900]).transform(rows[900:])
        np.testing.assert_allclose(found.flatten(1), expected, atol=1e-9)
    found = INPUT_NORMALISATIONS["pca_whitening"].make().fit(pictures)(pictures).numpy()
    rank = found.shape[1]
    assert rank == np.linalg.matrix_rank(rows - rows.mean(0)) == 61
    expected = PCA(rank, whiten=True, svd_solver="full").fit(rows).transform(rows)
    expected *= np.sqrt(len(rows) / (len(rows) - 1))
    np.testing.assert_allclose(abs(found), abs(expected), atol=1e-6)


@pytest.mark.parametrize("name", WHITENINGS)
def test_whitened_pictures_have_the_identity_as_covariance(name):
    draw = torch.Generator().manual_seed(0)
    mixed = torch.randn(500, 12, generator=draw) @ torch.randn(12, 12, generator=draw) + 7
    found = INPUT_NORMALISATIONS[name].make().fit(mixed)(mixed)
    assert found.dtype == torch.float32 and found.mean(0).abs().max() < 1e-4
    covariance = found.T @ found / len(found)
    torch.testing.assert_close(covariance, torch.eye(12), atol=1e-3, rtol=0)


def test_whitened_digits_have_it_in_the_directions_in_which_they_differ():
    pictures = digits()
    found = INPUT_NORMALISATIONS["pca_whitening"].make().fit(pictures)(pictures)
    torch.testing.assert_close(
        found.T @ found / len(found), torch.eye(61, dtype=torch.float64), atol=1e-3, rtol=0
    )
    near = INPUT_NORMALISATIONS["zca_whitening"].make().fit(pictures)(pictures).flatten(1)
    values = torch.linalg.eigvalsh(near.T @ near / len(near))
    expected = torch.cat([torch.zeros(3), torch.ones(61)]).double()
    torch.testing.assert_close(values, expected, atol=1e-3, rtol=0)


def test_of_all_whitenings_zca_changes_the_pictures_least():
    rows = digits().flatten(1)[:, 25:31]
    rows = (rows - rows.mean(0)) / rows.std(0)
    distances = [
        float((INPUT_NORMALISATIONS[name].make().fit(rows)(rows) - rows).square().mean())
        for name in WHITENINGS
    ]
    assert distances[1] < 0.5 < distances[0]


@pytest.mark.parametrize("name", WHITENINGS)
def test_eps_spares_what_varies_little(name):
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(400, 2, generator=draw) * torch.tensor([1.0, 1e-3])
    found = INPUT_NORMALISATIONS[name].make(eps=1e-2).fit(rows)(rows)
    variance = found.var(0).sort().values
    assert 0.9 < float(variance[1]) < 1.1 and float(variance[0]) < 1e-3


@inputs
def test_inputs_without_pictures_or_difference_are_refused_or_zero(name):
    row = INPUT_NORMALISATIONS[name]
    with pytest.raises(InputError, match="has seen no pictures yet"):
        row.make()(torch.zeros(2, 1, 2, 2))
    with pytest.raises(InputError, match="cannot be fitted to no picture"):
        row.make().fit(torch.zeros(0, 1, 2, 2))
    alike = torch.full((3, 1, 2, 2), 0.1)
    if name in WHITENINGS:
        with pytest.raises(InputError, match="all that were given are alike"):
            row.make().fit(alike)
        with pytest.raises(InputError, match="NaN or infinite"):
            row.make().fit(alike / 0)
        return
    assert row.make().fit(alike)(alike).abs().max() < 1e-6
    fitted = row.make().fit(torch.rand(9, 1, 2, 2))
    pictures = torch.rand(4, 1, 2, 2)
    assert fitted(pictures[:0]).shape == (0, 1, 2, 2)
    torch.testing.assert_close(fitted(pictures.flip(0)), fitted(pictures).flip(0))


def coloured(count=60, side=16):
    """(count, 3, side, side) float: smooth random pictures, as neighbours in photographs agree."""
    draw = torch.Generator().manual_seed(0)
    rough = torch.randn(count, 3, side + 4, side + 4, generator=draw)
    return nn.functional.avg_pool2d(rough, 5, 1) * 3 + 0.4


@pytest.mark.parametrize("size", [1, 3])
def test_whitened_patches_have_the_identity_as_covariance(size):
    pictures = coloured()
    layer = NORMALISATIONS["patch_whitening"].make(channels=3, size=size, eps=0.0).fit(pictures)
    found = layer(pictures)
    count = 3 * size**2
    assert found.shape == (60, 2 * count, 16, 16)
    assert torch.equal(found[:, :count], -found[:, count:])
    inside = found[:, :count, size // 2 : 16 - size // 2, size // 2 : 16 - size // 2]
    rows = inside.transpose(0, 1).flatten(1)
    torch.testing.assert_close(rows.mean(1), torch.zeros(count), atol=1e-3, rtol=0)
    covariance = rows @ rows.T / rows.shape[1]
    torch.testing.assert_close(covariance, torch.eye(count), atol=1e-3, rtol=0)


def test_patch_filters_are_eigenvectors_over_the_root_of_value_and_eps():
    pictures, eps = coloured(), 0.01
    layer = PatchWhitening(3, eps=eps).fit(pictures)
    patches = unfold(pictures, 3).transpose(1, 2).flatten(0, 1).double().numpy()
    values, vectors = np.linalg.eigh(np.cov(patches.T, bias=True))
    expected = (vectors / np.sqrt(values + eps)).T[::-1]
    found = layer.weight[:27].flatten(1).double().numpy()
    np.testing.assert_allclose(abs(found), abs(expected), atol=1e-4)


def test_patch_whitening_is_fixed_saved_and_refused_before_it_is_fitted():
    pictures = coloured(count=4)
    fitted = PatchWhitening(3).fit(pictures)
    assert list(fitted.parameters()) == []
    again = PatchWhitening(3)
    with pytest.raises(InputError, match="patch_whitening has no filters yet"):
        again(pictures)
    again.load_state_dict(fitted.state_dict())
    assert torch.equal(again(pictures), fitted(pictures))
    assert again(pictures[:0]).shape == (0, 54, 16, 16)
    with pytest.raises(InputError, match="patches of 3x3, and gets maps of 2x8; take larger"):
        PatchWhitening(3).fit(pictures[:, :, :2, :8])
    with pytest.raises(InputError, match="all that were given are alike"):
        PatchWhitening(3).fit(torch.full((4, 3, 8, 8), 0.3))


def test_grey_pictures_in_three_channels_leave_filters_empty():
    grey = coloured()[:, :1].repeat(1, 3, 1, 1)
    layer = PatchWhitening(3).fit(grey)
    used = layer.weight[:27].flatten(1).any(1)
    assert used.tolist() == [True] * 9 + [False] * 18


def test_a_typing_mistake_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'instance'"):
        make_normalisation("instanse", 4)
