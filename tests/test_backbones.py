"""Backbones of timm and torchvision: built by name, and what each of them must keep."""

import subprocess
import sys

import pytest
import timm
import torch
from safetensors.torch import load, save
from torchvision import models

from saccade.errors import InputError, UnknownNameError
from saccade.nn import BACKBONES, FAMILIES, make_backbone
from saccade.nn.standardise import normalise, standardise

# One of each kind of network, with a size that is not the one it was made for.
KINDS = {
    "timm/resnet18": (64, 48),
    "timm/mobilenetv3_small_050": (64, 64),
    "timm/efficientnet_lite0": (32, 48),
    "timm/convnext_atto": (64, 64),
    "timm/regnetx_002": (48, 64),
    "timm/vit_tiny_patch16_224": (64, 48),
    "timm/test_vit3": (32, 48),
    "timm/test_nfnet": (64, 64),
    "timm/mixer_s32_224": (64, 96),
    "torchvision/squeezenet1_1": (64, 48),
    "torchvision/mobilenet_v2": (64, 64),
}
ALL = {**dict.fromkeys(BACKBONES, (28, 20)), **KINDS}


def build(name, channels=3, seed=0):
    torch.manual_seed(seed)
    return make_backbone(name, channels=channels, width=8, size_hw=ALL[name])


def noise(count, channels, size_hw):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, *size_hw, generator=generator)


@pytest.mark.parametrize("name", ALL)
def test_every_backbone_keeps_the_contract(name):
    network, pictures = build(name), noise(4, 3, ALL[name])
    with torch.no_grad():  # Some begin with branches at zero, which let no gradient through yet.
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape))
    features = network(pictures)
    assert features.shape == (4, network.features) and features.dtype == torch.float32
    (features * torch.randn(features.shape)).sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().sum() > 0, key
    with torch.no_grad():
        together = network.eval()(pictures)
        alone = torch.cat([network(picture[None]) for picture in pictures])
        torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)
        again = build(name, seed=1)
        again.load_state_dict(load(save(network.state_dict())))
        assert torch.equal(again.eval()(pictures), together)


@pytest.mark.parametrize("name", ["timm/test_vit", "timm/test_resnet", "torchvision/squeezenet1_1"])
def test_a_grey_picture_is_seen_as_three_equal_channels(name):
    network = make_backbone(name, channels=1, width=8, size_hw=(48, 48)).eval()
    grey = noise(2, 1, (48, 48))
    torch.testing.assert_close(network(grey), network(grey.repeat(1, 3, 1, 1)))


def test_the_same_seed_gives_the_same_weights():
    first, second = (build("timm/resnet18", seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "test_convnext"])
def test_a_timm_backbone_answers_as_timm_does(name):
    pictures = noise(2, 3, (224, 224))
    ours = make_backbone(f"timm/{name}", channels=3, width=8, size_hw=(224, 224)).eval()
    theirs = timm.create_model(name, num_classes=10).eval()
    theirs.load_state_dict(ours.body.state_dict(), strict=False)
    with torch.no_grad():
        expected = theirs.forward_head(theirs.forward_features(pictures), pre_logits=True)
        torch.testing.assert_close(ours(pictures), expected, atol=1e-5, rtol=1e-5)


def test_a_torchvision_backbone_is_the_mean_of_its_maps():
    pictures = noise(2, 3, (64, 64))
    ours = build("torchvision/squeezenet1_1").eval()
    theirs = models.squeezenet1_1().eval()
    theirs.load_state_dict(ours.body.state_dict(), strict=False)
    with torch.no_grad():
        torch.testing.assert_close(ours(pictures), theirs.features(pictures).mean((2, 3)))


@pytest.mark.slow
def test_our_own_backbones_do_not_wait_for_timm():
    source = (
        "import sys, saccade.api.train, saccade.nn\n"
        "saccade.nn.make_backbone('small_resnet', channels=3, width=8, size_hw=(8, 8))\n"
        "sys.exit('timm' in sys.modules or 'huggingface_hub' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_every_name_of_a_library_is_known(family):
    names = FAMILIES[family].names()
    assert len(names) == len(set(names)) > 10


def test_every_torchvision_backbone_can_be_built():
    for name in ("alexnet", "efficientnet_b0", "mobilenet_v3_small", "squeezenet1_0"):
        assert name in FAMILIES["torchvision"].names()
        network = make_backbone(f"torchvision/{name}", channels=3, width=8, size_hw=(64, 64))
        assert network(noise(2, 3, (64, 64))).shape == (2, network.features)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm/resnt18", "there is no backbone 'timm/resnt18'; did you mean 'timm/resnet18'?"),
        ("timm/resnet18.a1_in2k", "did you mean 'timm/resnet18.a1_in1k'?"),
        ("timm/", "there is no backbone 'timm/'"),
        ("timm/hf-hub:someone/network", "there is no backbone"),
        ("timm/local-dir:/tmp", "there is no backbone"),
        ("torchvision/squeezenet1_2", "did you mean 'torchvision/squeezenet1_"),
        ("torchvision/swin_t", "there is no backbone 'torchvision/swin_t'"),
        ("tim/resnet18", "there is no library of backbones 'tim'; did you mean 'timm'?"),
        ("resnet18", "did you mean 'timm/resnet18'?"),
        ("squeezenet1_1", "did you mean 'torchvision/squeezenet1_1'?"),
        ("small_resnt", "did you mean 'small_resnet'?"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(name, said):
    with pytest.raises(UnknownNameError) as caught:
        make_backbone(name, channels=3, width=8, size_hw=(32, 32))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "size_hw"),
    [
        ("torchvision/alexnet", (16, 16)),
        ("timm/vit_tiny_patch16_224", (8, 8)),
        ("timm/efficientformer_l1", (64, 64)),
    ],
)
def test_a_size_that_cannot_be_taken_is_one_line(name, size_hw):
    with pytest.raises(InputError, match=f"{name} cannot take pictures of") as caught:
        make_backbone(name, channels=3, width=8, size_hw=size_hw)
    assert "\n" not in str(caught.value) and "--data.size" in str(caught.value)


def test_fixed_figures_are_taken_from_each_channel():
    pictures = torch.rand(2, 3, 4, 4)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    found = normalise(pictures, mean=mean, std=std)
    for channel in range(3):
        expected = (pictures[:, channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(found[:, channel], expected)
    grey = pictures[:, :1]
    expected = normalise(grey.repeat(1, 3, 1, 1), mean=mean, std=std)
    assert torch.equal(normalise(grey, mean=mean, std=std), expected)
    assert torch.equal(normalise(pictures, mean=None, std=None), standardise(pictures))
