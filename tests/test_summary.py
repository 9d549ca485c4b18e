"""``saccade summary``: what is told of the layers of a network."""

import json
import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import saccade
from saccade.api.summary import summary
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.nn import BACKBONES, make_backbone
from saccade.nn.layer_figures import layer_figures
from saccade.nn.locally_connected import LocallyConnected


def half_squares(outputs):
    return outputs.square().sum() / 2


@pytest.fixture(scope="module")
def classifier(class_folders, tmp_path_factory):
    """A run of one epoch."""
    settings = {"train.epochs": 1, "model.width": 4, "train.threads": 1}
    place = tmp_path_factory.mktemp("runs") / "run"
    return saccade.train(class_folders, task="classify", out=place, settings=settings)


@pytest.mark.parametrize("name", [*BACKBONES, "torchvision/squeezenet1_1"])
def test_operations_are_those_that_torch_counts(name):
    torch.manual_seed(0)
    network = make_backbone(name, channels=3, width=6, size_hw=(32, 32)).eval()
    batch = torch.rand(2, 3, 32, 32)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(batch)
    layers = layer_figures(network, batch, half_squares)
    assert 2 * sum(layer.operations for layer in layers) == counter.get_total_flops() > 0
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3, 2, 1, groups=2),
        nn.Conv2d(4, 6, (3, 1), dilation=2, bias=False),
        nn.ConvTranspose2d(4, 6, 3, 2),
        LocallyConnected(4, 6, 3, size_hw=(9, 9), stride=2),
        nn.Sequential(nn.Flatten(), nn.Linear(4 * 81, 5)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_operations_of_each_layer_are_those_that_torch_counts(layer):
    batch = torch.rand(1, 4, 9, 9)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(batch)
    found = layer_figures(layer, batch, half_squares)
    assert sum(each.operations for each in found) == counter.get_total_flops() > 0


def test_the_equal_layers_have_the_weights_that_they_would_have():
    conv = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
    (found,) = layer_figures(conv, torch.rand(1, 2, 8, 6), half_squares)
    local = LocallyConnected(1, 4, 3, size_hw=(8, 6), stride=2, padding=1)  # one group's channel
    dense = nn.Linear(2 * 8 * 6, math.prod(found.shape))
    assert found.shape == (4, 4, 3)
    assert found.locally_connected == sum(p.numel() for p in local.parameters())
    assert found.fully_connected == sum(p.numel() for p in dense.parameters())
    assert found.parameters == sum(p.numel() for p in conv.parameters()) == 40


def test_values_and_gradients_are_those_of_autograd_also_through_layers_that_work_in_place():
    torch.manual_seed(0)
    first, second = nn.Linear(5, 4), nn.Linear(4, 3)
    batch = torch.randn(7, 5)
    network = nn.Sequential(first, nn.ReLU(inplace=True), second)
    found = layer_figures(network, batch, half_squares)
    a = first(batch)
    b = torch.relu(a)
    c = second(b)
    slopes = torch.autograd.grad(half_squares(c), [a, b, c])
    for layer, values, slope in zip(found, (a, b, c), slopes, strict=True):
        assert layer.value == pytest.approx(values.square().mean().sqrt().item(), rel=1e-6)
        assert layer.gradient == pytest.approx(slope.square().mean().sqrt().item(), rel=1e-6)


def test_looking_changes_nothing():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    layer_figures(network, torch.rand(4, 1, 8, 8), half_squares)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert all(p.grad is None for p in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    with pytest.raises(InputError, match="no picture"):
        layer_figures(network, torch.rand(0, 1, 8, 8), half_squares)


def test_a_run_is_told_and_drawn(classifier, class_folders, capsys):
    capsys.readouterr()
    assert main(["summary", str(classifier.folder)]) == 0
    text = capsys.readouterr().out
    assert "receptive field" in text and "pictures of noise" in text
    page = (classifier.folder / "summary.html").read_text()
    for line in ("Layers of the network", "head", "<svg", "Sizes of values and gradients"):
        assert line in page
    out = classifier.folder / "other.html"
    words = ["summary", classifier.folder, class_folders, "--out", out, "--json"]
    assert main([str(word) for word in words]) == 0
    found = json.loads(capsys.readouterr().out)
    weights = sum(p.numel() for p in classifier.model.network.parameters())
    assert found["parameters"] == weights == sum(one["parameters"] for one in found["layers"])
    assert found["layers"][-1]["name"] == "head" and found["layers"][-1]["shape"] == [6]
    assert found["shown"] == "of 12 pictures" and out.exists()
    assert all(one["gradient"] > 0 for one in found["layers"])


def test_the_gradient_of_a_classifier_is_that_of_its_cross_entropy(classifier):
    found = summary(classifier.model)
    torch.manual_seed(0)
    batch = torch.rand(16, *found.picture, generator=torch.Generator().manual_seed(0))
    logits = classifier.model.network(batch).detach().requires_grad_()
    targets = torch.arange(16) % 6
    torch.nn.functional.cross_entropy(logits, targets, reduction="sum").backward()
    expected = float(logits.grad.square().mean().sqrt())
    assert found.layers[-1].gradient == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({"model.name": "knn"}, False),
        ({"model.name": "ridge", "model.features": "hog"}, False),
        ({"model.name": "linear", "model.features": "canny", "train.epochs": 1}, True),
    ],
)
def test_models_without_a_way_back_are_told_without_gradients(
    settings, known, class_folders, tmp_path
):
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    found = summary(run.folder, out=tmp_path / "page.html")
    assert found.layers[0].gradient is None
    assert (found.layers[-1].gradient is not None) == known
    assert all(math.isfinite(layer.value) for layer in found.layers)
    assert "nan" not in (tmp_path / "page.html").read_text().lower()


def test_wrong_use_of_summary_is_one_line(classifier, class_folders, capsys, tmp_path):
    (tmp_path / "people" / "zoe").mkdir(parents=True)
    picture = next(class_folders.rglob("*.png"))
    (tmp_path / "people" / "zoe" / "1.png").write_bytes(picture.read_bytes())
    (tmp_path / "people" / "red-disc").mkdir()
    (tmp_path / "people" / "red-disc" / "1.png").write_bytes(picture.read_bytes())
    rows = [
        (["pixels"], "plain pixels have no layers"),
        (["missing"], "does not exist"),
        ([classifier.folder, "nowhere"], "nowhere does not exist"),
        ([classifier.folder, tmp_path / "people"], "not learned the class 'zoe'"),
    ]
    for words, expected in rows:
        capsys.readouterr()
        assert main(["summary", *map(str, words), "--out", str(tmp_path / "s.html")]) == 2
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1
    assert not (tmp_path / "s.html").exists()
