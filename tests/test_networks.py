"""The networks by name: as their papers, unchanged by default, with other parts, and in runs."""

import itertools
import json

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

import saccade
from saccade.api.train import Training
from saccade.errors import InputError, SettingError, UnknownNameError
from saccade.nn import (
    ACTIVATIONS,
    BACKBONES,
    INITIALISATIONS,
    LAYER_NORMALISATIONS,
    make_backbone,
)
from saccade.nn.initialisation import initialise, needs_pictures
from saccade.nn.normalisation import MAPS_ONLY
from saccade.tasks.model import Model
from tests.runs import weights_of

SIZE = (24, 24)
QUICK = {
    "data.validation": 0,
    "train.epochs": 2,
    "train.precision": "float32",  # auto measures, and may choose another each time
    "train.batches": "shuffled",
    "model.width": 4,
    "model.dimension": 8,
}


def noise(count=6, channels=1, size_hw=SIZE):
    return torch.randn(count, channels, *size_hw, generator=torch.Generator().manual_seed(0))


def built(name, size_hw=SIZE, channels=1, width=8, **parts):
    torch.manual_seed(0)
    return make_backbone(name, channels=channels, width=width, size_hw=size_hw, **parts)


class PlainBlock(nn.Module):
    """The residual block of small_resnet and gradient_resnet, in torch's own layers."""

    def __init__(self, channels_in, channels_out, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = nn.Sequential(
            *([nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, maps):
        return torch.relu(self.body(maps) + self.shortcut(maps))


def plain_small_resnet():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 1, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        PlainBlock(8, 8, 2),
        PlainBlock(8, 16, 2),
        PlainBlock(16, 32, 2),
        PlainBlock(32, 64, 1),
    )


def plain_gradient_resnet():
    return nn.Sequential(PlainBlock(8, 8, 1), PlainBlock(8, 16, 2), PlainBlock(16, 32, 2))


@pytest.mark.parametrize(
    ("name", "twin"),
    [("small_resnet", plain_small_resnet), ("gradient_resnet", plain_gradient_resnet)],
)
def test_by_default_the_first_networks_are_bit_for_bit_what_they_were(name, twin):
    ours = built(name)
    torch.manual_seed(0)
    layers = twin()
    expected = layers.state_dict()
    found = {key.removeprefix("layers."): value for key, value in ours.state_dict().items()}
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    pictures = noise()
    for training in (True, False):
        ours.train(training), layers.train(training)
        seen = ours.gradients(pictures) if name == "gradient_resnet" else pictures
        maps = layers(seen)
        maps = maps.flatten(1) if name == "gradient_resnet" else maps.mean((2, 3))
        assert torch.equal(ours(pictures), maps)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def shapes(network):
    return [
        tuple(layer.weight.shape) for layer in network.modules() if isinstance(layer, nn.Conv2d)
    ]


def test_lenet_has_the_units_of_its_paper():
    """C1 156; C3 2,416 when each map sees all; C5 48,120; F6 10,164 (section II.B)."""
    for size_hw in ((28, 28), (32, 32)):
        network = built("lenet", size_hw=size_hw, width=6)
        assert count(network) == 156 + 2_416 + 48_120 + 10_164
        assert network.features == 84


def test_resnet_has_the_weights_of_its_paper():
    """0.27 million for ResNet-20 (table 6), here without the 650 of the last layer."""
    assert count(built("resnet", (32, 32), channels=3, width=16)) == 269_722 - 650


def test_vgg_has_the_convolutions_of_its_paper():
    with torch.device("meta"):
        ours, theirs = built("vgg", (32, 32), channels=3, width=64), models.vgg13()
    assert shapes(ours) == shapes(theirs.features)[:8]


def test_alexnet_has_the_convolutions_of_its_paper():
    with torch.device("meta"):
        network = built("alexnet", (32, 32), channels=3, width=96)
    assert [shape[0] for shape in shapes(network)] == [96, 256, 384, 384, 256]
    kinds = [type(layer).__name__ for layer in network.layers]
    order = [kind for kind in kinds if kind != "Identity"]
    first = ["Conv2d", "ReLU", "LocalResponse", "MaxPool2d"]
    assert order[:8] == first * 2
    assert order[8:15] == ["Conv2d", "ReLU", "Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]


@pytest.mark.parametrize("name", ["alexnet", "lenet", "vgg"])
def test_fully_connected_layers_do_not_grow_with_the_pictures(name):
    small, large = (count(built(name, (side, side), width=4)) for side in (96, 224))
    assert large <= 3 * small and count(built(name, (224, 224), width=4)) == count(
        built(name, (256, 160), width=4)
    )


SWAPS = [
    *itertools.product(BACKBONES, ["activation"], ACTIVATIONS),
    *itertools.product(BACKBONES, ["normalisation"], ["none", *LAYER_NORMALISATIONS]),
    *itertools.product(BACKBONES, ["initialisation"], INITIALISATIONS),
]


@pytest.mark.parametrize(("name", "part", "chosen"), SWAPS)
def test_every_network_takes_every_part(name, part, chosen):
    pictures = noise()
    if (name, chosen) in itertools.product(["mlp"], MAPS_ONLY):
        with pytest.raises(InputError, match="needs maps, and these layers give vectors"):
            built(name, **{part: chosen})
        return
    if chosen == "bilinear":
        with pytest.raises(InputError, match="here are none"):
            built(name, **{part: chosen})
        return
    network = built(name, **{part: chosen})
    if chosen in INITIALISATIONS and needs_pictures(chosen):
        initialise(network, chosen, batch=pictures)
    features = network(pictures)
    assert features.shape == (6, network.features) and torch.isfinite(features).all()
    (features * torch.randn(features.shape)).sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key
    wanted = {"activation": ACTIVATIONS, "normalisation": LAYER_NORMALISATIONS}.get(part, {})
    if chosen in wanted:
        kind = type(wanted[chosen].make(channels=8))
        assert any(type(module) is kind for module in network.modules())
    others = {"activation": nn.ReLU, "normalisation": nn.BatchNorm2d}
    if part in others and chosen not in ("relu", "batch"):
        assert not any(isinstance(module, others[part]) for module in network.modules())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "part", "chosen"), SWAPS)
def test_every_network_takes_every_part_in_bfloat16(name, part, chosen):
    if part == "initialisation" or (name == "mlp" and chosen in MAPS_ONLY):
        return
    network = built(name, **{part: chosen}).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = network(noise().contiguous(memory_format=torch.channels_last))
    features.float().sum().backward()
    assert torch.isfinite(features).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@pytest.mark.parametrize("name", BACKBONES)
def test_an_initialisation_changes_the_weights_and_only_these(name):
    usual = built(name)
    for chosen in ("he", "xavier"):
        other = built(name, initialisation=chosen)
        assert list(other.state_dict()) == list(usual.state_dict())
        same = torch.equal(next(usual.parameters()), next(other.parameters()))
        own = {"lenet": "xavier", "small_resnet": "", "gradient_resnet": ""}.get(name, "he")
        assert same == (chosen == own)


@pytest.mark.parametrize("part", ["activation", "normalisation", "initialisation"])
@pytest.mark.parametrize("name", ["timm/resnet18", "torchvision/squeezenet1_1"])
def test_a_network_of_another_library_keeps_its_parts(name, part):
    chosen = {"activation": "gelu", "normalisation": "group", "initialisation": "lsuv"}[part]
    library = name.split("/")[0]
    with pytest.raises(InputError) as caught:
        built(name, (64, 64), **{part: chosen})
    said = str(caught.value)
    assert f"backbone {name} has the {part} that {library} gives it; leave out model.{part}" in said
    assert "small_resnet" in said and "\n" not in said


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"activation": "geluu"}, "did you mean 'gelu'"),
        ({"normalisation": "gruop"}, "did you mean 'group'"),
        ({"initialisation": "lsvu"}, "did you mean 'lsuv'"),
    ],
)
def test_a_typing_mistake_gets_the_nearest_name(parts, said):
    with pytest.raises(UnknownNameError, match=said):
        built("small_resnet", **parts)


def test_a_network_built_by_hand_does_not_pretend_to_have_seen_pictures():
    with pytest.raises(InputError, match=r"initialise\(network, 'lsuv', batch=pictures\)"):
        BACKBONES["lenet"](channels=1, width=6, size_hw=SIZE, initialisation="lsuv")


@pytest.mark.parametrize("name", ["alexnet", "lenet", "mlp", "resnet", "vgg"])
def test_a_few_steps_learn_the_generated_shapes(name, shapes):
    pictures = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2).float() / 128 - 1
    targets = torch.from_numpy(shapes[1])
    network = built(name, (24, 24), channels=3)
    head = nn.Linear(network.features, 6)
    optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=2e-3)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(head(network(pictures)), targets)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert np.mean(losses[-3:]) < 0.8 * losses[0]


def trained(data, out, **changes):
    return saccade.train(data, out=out, settings={**QUICK, **changes})


def test_a_run_has_the_parts_that_its_recipe_names(class_folders, shapes, tmp_path):
    parts = {"model.activation": "prelu", "model.normalisation": "group"}
    run = trained(class_folders, tmp_path / "run", **parts, **{"model.initialisation": "lsuv"})
    card = json.loads((run.folder / "model.json").read_text())
    assert (card["activation"], card["normalisation"]) == ("prelu", "group")
    assert "initialisation" not in card
    again = Model.load(run.folder)
    np.testing.assert_array_equal(again(shapes[0]), run.model(shapes[0]))
    assert any(isinstance(module, nn.PReLU) for module in again.network.modules())
    other = Model({**again.card, "activation": "relu"}, again.network)
    assert other.fingerprint != again.fingerprint


def test_first_weights_that_look_at_pictures_do_not_depend_on_chance(class_folders, tmp_path):
    settings = {"model.initialisation": "whitening", "optim.ema": 0.5}
    runs = [trained(class_folders, tmp_path / name, **settings) for name in ("a", "b")]
    assert weights_of(runs[0].folder) == weights_of(runs[1].folder)
    plain = trained(class_folders, tmp_path / "c", **{"optim.ema": 0.5})
    assert weights_of(plain.folder) != weights_of(runs[0].folder)


def test_a_run_that_looked_at_pictures_is_resumed_exactly(class_folders, tmp_path):
    settings = {"model.initialisation": "lsuv", "model.activation": "swish_beta"}
    whole = trained(class_folders, tmp_path / "whole", **settings)
    stopped = Training(class_folders, out=tmp_path / "part", settings={**QUICK, **settings})
    for record in stopped.records():
        if record.epoch_ends:
            break
    resumed = saccade.train(resume=tmp_path / "part")
    assert weights_of(resumed.folder) == weights_of(whole.folder)


def test_weights_of_a_run_are_taken_with_its_parts_only(class_folders, tmp_path):
    first = trained(class_folders, tmp_path / "first", **{"model.activation": "gelu"})
    start = {"model.weights": str(first.folder)}
    with pytest.raises(InputError, match="has the activation 'gelu', not ''; name the same with"):
        trained(class_folders, tmp_path / "other", **start)
    again = trained(class_folders, tmp_path / "same", **start, **{"model.activation": "gelu"})
    assert again.model.card["activation"] == "gelu"
    with pytest.raises(SettingError, match="brings first weights, so model"):
        trained(
            class_folders,
            tmp_path / "drawn",
            **start,
            **{"model.activation": "gelu", "model.initialisation": "he"},
        )
    assert sorted(item.name for item in tmp_path.iterdir()) == ["first", "same"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model.activation": "rleu"}, "no activation 'rleu'; did you mean 'relu'"),
        ({"model.normalisation": "minmax"}, "minmax is for inputs"),
        ({"model.initialisation": "bilinear"}, "here are none"),
        (
            {"model.backbone": "timm/test_resnet", "model.initialisation": "lsuv"},
            "has the initialisation that timm gives it",
        ),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_before_anything_is_written(
    class_folders, tmp_path, settings, said
):
    with pytest.raises(InputError, match=said):
        trained(class_folders, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_a_run_without_them_has_the_card_that_it_had(class_folders, tmp_path):
    run = trained(class_folders, tmp_path / "run")
    file = run.folder / "model.json"
    card = json.loads(file.read_text())
    assert not {"activation", "normalisation", "initialisation"} & set(card)
    assert Model(card | {"activation": "gelu"}, None).fingerprint != run.model.fingerprint
    for key, value in itertools.product(("activation", "normalisation"), (3, "nothing")):
        file.write_text(json.dumps(card | {key: value}))
        with pytest.raises(
            InputError, match="not a complete model card" if value == 3 else "there is no"
        ):
            Model.load(run.folder)
