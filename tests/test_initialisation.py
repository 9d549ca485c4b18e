"""First weights: their distribution, what they do to real activations, and what is refused."""

import math

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import interpolate, unfold

from saccade.errors import InputError, UnknownNameError
from saccade.nn.initialisation import INITIALISATIONS, fans, initialise, needs_pictures
from saccade.nn.locally_connected import LocallyConnected

LAYERS = {
    "linear": (nn.Linear(7, 5), (7,)),
    "conv": (nn.Conv2d(3, 4, 3, padding=1), (3, 9, 9)),
    "wide conv": (nn.Conv2d(2, 6, (1, 5), padding=(0, 2)), (2, 9, 9)),
    "grouped": (nn.Conv2d(4, 6, 3, padding=1, groups=2), (4, 9, 9)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, padding=1), (4, 9, 9)),
    "transposed, grouped": (nn.ConvTranspose2d(4, 6, 3, padding=1, groups=2), (4, 9, 9)),
    "unshared": (LocallyConnected(3, 4, 3, size_hw=(9, 9), padding=1), (3, 9, 9)),
}


def small_network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.Tanh(),
        LocallyConnected(8, 4, 3, size_hw=(8, 8), stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 6, 2, 2),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(6 * 36, 10),
        nn.Dropout(0.5),
        nn.Linear(10, 3),
    )


def digits(count=200):
    pictures = torch.from_numpy(load_digits().images[:count])[:, None].float()
    return (pictures - pictures.mean()) / pictures.std()


@pytest.mark.parametrize(("layer", "shape"), LAYERS.values(), ids=LAYERS)
def test_fans_are_what_a_unit_in_the_middle_sees_and_reaches(layer, shape):
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.zero_()
    values = torch.ones(1, *shape, requires_grad=True)
    found = layer(values)
    middle = (0, 0, *(side // 2 for side in shape[1:]))
    found.sum().backward()
    assert fans(layer) == (found[middle].item(), values.grad[middle].item())


def test_a_transposed_convolution_sees_the_fewer_the_larger_its_stride():
    layer = nn.ConvTranspose2d(4, 6, 4, 2, padding=1)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.zero_()
    assert fans(layer)[0] == layer(torch.ones(1, 4, 9, 9))[0, 0, 8, 8].item() == 16


def wide():
    return nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Conv2d(20, 60, 5, groups=2))


def test_xavier_is_uniform_within_its_bound():
    torch.manual_seed(0)
    network = wide()
    initialise(network, "xavier")
    for layer, bound in ((network[0], math.sqrt(6 / 500)), (network[2], math.sqrt(6 / 1000))):
        assert layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
        assert not layer.bias.any()


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_he_is_normal_with_its_variance(slope):
    torch.manual_seed(0)
    network = wide()
    INITIALISATIONS["he"].make(network=network, slope=slope)
    for layer, fan_in in ((network[0], 300), (network[2], 250)):
        expected = math.sqrt(2 / (1 + slope**2) / fan_in)
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)
        kurtosis = (layer.weight / layer.weight.std()).pow(4).mean().item()
        assert kurtosis == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize(("name", "activation"), [("xavier", nn.Tanh), ("he", nn.ReLU)])
def test_variance_lives_through_many_layers(name, activation):
    torch.manual_seed(0)
    layers = [layer for _ in range(20) for layer in (nn.Linear(256, 256), activation())]
    network, values = nn.Sequential(*layers), torch.randn(64, 256)
    before = network(values).std()
    initialise(network, name)
    after = network(values).std()
    assert after > 0.1 and after > 3 * before


def outputs(network, pictures):
    """What each layer with weights gives, in order."""
    found = []
    handles = [
        layer.register_forward_hook(lambda _, seen, output: found.append(output.detach().clone()))
        for layer in network.modules()
        if hasattr(layer, "weight")
    ]
    with torch.no_grad():
        network.eval()(pictures)
    for handle in handles:
        handle.remove()
    return found


def test_lsuv_brings_every_output_to_variance_one():
    torch.manual_seed(0)
    network, pictures = small_network(), digits()
    network[1].eval()
    initialise(network, "lsuv", batch=pictures)
    assert network.training and not network[1].training
    variances = [output.var(correction=0).item() for output in outputs(network, pictures)]
    assert variances == pytest.approx([1] * 5, abs=1e-4)


def test_lsuv_keeps_rows_orthogonal_at_every_place():
    torch.manual_seed(0)
    network = small_network()
    initialise(network, "lsuv", batch=digits())
    weights = [network[0].weight.flatten(1), *network[2].weight[:3], network[7].weight]
    for rows in weights:
        products = rows @ rows.T
        length = products.diagonal().mean()
        torch.testing.assert_close(products, length * torch.eye(len(rows)), atol=1e-4, rtol=1e-4)


def test_lsuv_leaves_the_figures_of_batch_normalisation_alone():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    initialise(network, "lsuv", batch=digits())
    assert torch.equal(network[1].running_mean, torch.zeros(4))
    assert network[1].num_batches_tracked == 0


def test_a_layer_met_twice_is_scaled_once():
    shared = nn.Linear(64, 64)
    network = nn.Sequential(nn.Flatten(), shared, nn.Tanh(), shared)
    initialise(network, "lsuv", batch=digits())
    assert outputs(network, digits())[0].var().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("count", [5, 9, 14, 30])
def test_whitening_gives_uncorrelated_patches(count):
    torch.manual_seed(0)
    pictures = digits()
    network = nn.Sequential(nn.Conv2d(1, count, 3), nn.ReLU(), nn.Conv2d(count, 4, 3))
    initialise(network, "whitening", batch=pictures)
    leading = network[0](pictures).detach()[:, : min(count, 9)].transpose(0, 1).flatten(1)
    covariance = leading @ leading.T / leading.shape[1]
    torch.testing.assert_close(covariance, torch.eye(len(leading)), atol=0.05, rtol=0)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-3
    if count > 9:
        others = network[0].weight[9:18]
        assert torch.equal(others, -network[0].weight[: len(others)])
    assert network[0].weight.flatten(1).any(1).all()
    assert network[2].weight.std().item() == pytest.approx(math.sqrt(2 / 9 / count), rel=0.3)


def test_whitening_of_a_linear_first_layer():
    pictures = digits()
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())
    initialise(network, "whitening", batch=pictures)
    found = network[1](pictures.flatten(1)).detach()
    torch.testing.assert_close(found.T @ found / len(found), torch.eye(16), atol=0.01, rtol=0)


def test_whitening_sees_what_the_first_layer_sees():
    """Patches of a convolution with dilation are not those of neighbours."""
    pictures = digits()
    layer = nn.Conv2d(1, 4, 2, dilation=3)
    initialise(nn.Sequential(layer), "whitening", batch=pictures)
    rows = unfold(pictures, 2, dilation=3).transpose(1, 2).flatten(0, 1).double()
    values = torch.linalg.eigvalsh((rows - rows.mean(0)).T @ (rows - rows.mean(0)) / len(rows))
    lengths = layer.weight.detach().flatten(1).norm(dim=1).double()
    torch.testing.assert_close(lengths, (values.flip(0) + 5e-4).rsqrt(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("groups", [1, 3])
def test_bilinear_is_bilinear_interpolation_away_from_the_border(factor, groups):
    size = 2 * factor - factor % 2
    layer = nn.ConvTranspose2d(3, 3, size, factor, padding=factor // 2, groups=groups)
    initialise(layer, "bilinear")
    pictures = torch.rand(2, 3, 6, 7)
    expected = interpolate(pictures, scale_factor=factor, mode="bilinear", align_corners=False)
    found = layer(pictures)
    assert found.shape == expected.shape
    inner = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(found[inner], expected[inner], atol=1e-5, rtol=1e-5)


def test_bilinear_with_more_or_fewer_channels_out_begins_with_those_there_are():
    pictures = torch.rand(1, 2, 6, 6)
    expected = interpolate(pictures, scale_factor=2, mode="bilinear")[..., 2:-2, 2:-2]
    for count in (1, 2, 5):
        layer = nn.ConvTranspose2d(2, count, 4, 2, padding=1)
        initialise(layer, "bilinear")
        rows = torch.arange(count) % 2
        torch.testing.assert_close(layer(pictures)[..., 2:-2, 2:-2], expected[:, rows])


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_every_row_sets_the_weights_and_nothing_random_stays(name):
    results = []
    for before in (1, 2):
        torch.manual_seed(before)
        network = small_network()
        torch.manual_seed(0)
        initialise(network, name, batch=digits(50) if needs_pictures(name) else None)
        results.append(network.state_dict())
    same = [key for key in results[0] if torch.equal(results[0][key], results[1][key])]
    assert same == (["4.weight", "4.bias"] if name == "bilinear" else list(results[0]))


@pytest.mark.parametrize("name", ["lsuv", "whitening"])
def test_an_initialisation_that_looks_at_pictures_needs_some_that_differ(name):
    assert needs_pictures(name) and not needs_pictures("he") and not needs_pictures("")
    with pytest.raises(InputError, match=f"initialisation {name} looks at pictures: build"):
        initialise(small_network(), name)
    network = small_network()
    with pytest.raises(InputError, match="needs pictures that differ"):
        initialise(network, name, batch=torch.zeros(4, 1, 8, 8))
    assert network.training and not any(layer._forward_hooks for layer in network)


@pytest.mark.parametrize(
    ("name", "network", "said"),
    [
        ("bilinear", nn.Linear(3, 3), "for transposed convolutions; here are none"),
        ("whitening", nn.Conv2d(2, 2, 3, groups=2), "a first layer that is linear or conv"),
        ("whitening", nn.ConvTranspose2d(2, 2, 3), "a first layer that is linear or conv"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(name, network, said):
    batch = torch.rand(5, 2, 8, 8) if needs_pictures(name) else None
    with pytest.raises(InputError, match=said):
        initialise(network, name, batch=batch)


def test_a_typing_mistake_gets_the_nearest_name_and_no_name_changes_nothing():
    network = small_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    initialise(network, "")
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    with pytest.raises(UnknownNameError, match="did you mean 'xavier'"):
        initialise(network, "xaviar")
