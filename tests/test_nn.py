"""What every backbone must keep, and standardisation."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from saccade.nn import BACKBONES
from saccade.nn.standardise import standardise

SIZES = [(8, 8), (28, 28), (64, 56), (9, 13), (8, 64)]


def build(name, channels=1, size_hw=(28, 28), seed=0):
    torch.manual_seed(seed)
    return BACKBONES[name](channels=channels, width=8, size_hw=size_hw)


def noise(count, channels, size_hw, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, *size_hw, generator=generator)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size_hw", SIZES)
def test_features_have_the_length_stated(name, channels, size_hw):
    network = build(name, channels, size_hw)
    features = network(noise(3, channels, size_hw))
    assert features.shape == (3, network.features)
    assert features.dtype == torch.float32
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size_hw", SIZES)
def test_the_gradient_reaches_every_parameter(name, size_hw):
    network = build(name, 3, size_hw)
    pictures = noise(4, 3, size_hw)
    (network(pictures) * torch.randn(4, network.features)).sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert float(parameter.grad.abs().sum()) > 0, key


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size_hw", SIZES)
def test_one_picture_is_seen_as_in_a_batch(name, size_hw):
    network = build(name, 1, size_hw)
    pictures = noise(5, 1, size_hw)
    network(pictures)
    network.eval()
    alone = torch.cat([network(picture[None]) for picture in pictures])
    torch.testing.assert_close(alone, network(pictures), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
def test_saved_weights_give_the_same_features(name):
    first, second = build(name, seed=1), build(name, seed=2)
    pictures = noise(2, 1, (28, 28))
    first(pictures)
    second.load_state_dict(load(save(first.state_dict())))
    assert torch.equal(first.eval()(pictures), second.eval()(pictures))


@pytest.mark.parametrize("name", BACKBONES)
def test_every_pixel_counts(name):
    network = build(name, 1, (12, 12)).eval()
    pictures = noise(1, 1, (12, 12)).requires_grad_()
    network(pictures).sum().backward()
    assert (pictures.grad != 0).all()


def test_a_wider_small_resnet_has_more_features():
    narrow, wide = (BACKBONES["small_resnet"](channels=1, width=w, size_hw=(8, 8)) for w in (4, 8))
    assert (narrow.features, wide.features) == (32, 64)


@given(
    st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(8, 12), st.integers(8, 12)),
    st.floats(0.3, 1),
    st.floats(0, 0.3),
    st.integers(0, 1000),
)
def test_light_and_contrast_do_not_count(shape, contrast, brightness, seed):
    pictures = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    standard = standardise(pictures)
    assert standard.mean((1, 2, 3)).abs().max() < 1e-5
    assert (standard.std((1, 2, 3), correction=0) - 1).abs().max() < 1e-4
    changed = standardise(contrast * pictures + brightness)
    torch.testing.assert_close(changed, standard, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_picture_becomes_zeros(value):
    assert standardise(torch.full((2, 3, 8, 8), value)).abs().max() < 1e-4


def test_the_pictures_of_a_batch_do_not_influence_each_other():
    pictures = noise(4, 3, (8, 8))
    torch.testing.assert_close(standardise(pictures)[2:3], standardise(pictures[2:3]))
