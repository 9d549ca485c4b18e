"""Grad-CAM and integrated gradients: against hand computation, and what a sane map must do."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from saccade.errors import InputError
from saccade.judge.attribution import attribute, explainable, vector_of
from saccade.judge.explanation import against, spread
from saccade.nn import BACKBONES, make_backbone
from saccade.nn.last_map import last_map
from saccade.tasks.classify import ClassifyNetwork, classify_batch
from saccade.tasks.embed import EmbeddingNetwork, embed_batch
from saccade.tasks.model import Model
from saccade.tasks.networks import build_network
from saccade.tasks.regress import RegressNetwork, estimate_batch

SIDE, PATCH = 24, 7
ENDS = (slice(0, PATCH), slice(SIDE - PATCH, SIDE))
CORNER = [(rows, columns) for rows in ENDS for columns in ENDS]
SHAPE = {"width": 6, "channels": 1, "size_hw": (20, 16)}


@pytest.fixture(autouse=True)
def fixed():
    torch.manual_seed(0)


def a_picture(channels=1):
    pixels = np.random.default_rng(0).integers(0, 256, (1, channels, *SHAPE["size_hw"]))
    return torch.from_numpy(pixels.astype(np.uint8))


def a_classifier(backbone, classes=3, **more):
    return ClassifyNetwork(backbone=backbone, classes=classes, **SHAPE, **more).double().eval()


def grad_cam_by_hand(network, seen, output):
    """Selvaraju et al., eq. 1 and 2, of a network whose last maps are ``backbone.layers``'s."""
    maps = network.backbone.layers(seen).detach().requires_grad_()
    network.head(maps.mean((2, 3)))[0, output].backward()
    weights = [maps.grad[0, d].sum() / maps[0, 0].numel() for d in range(maps.shape[1])]
    return sum(weight * one for weight, one in zip(weights, maps[0].detach(), strict=True))


@pytest.mark.parametrize("backbone", ["small_resnet", "resnet"])
@pytest.mark.parametrize("mirror", [False, True])
def test_grad_cam_is_the_papers(backbone, mirror):
    network, picture = a_classifier(backbone), a_picture()
    seen = network.seen(picture.double() / 255)
    expected = grad_cam_by_hand(network, seen, 2)
    if mirror:
        turned = grad_cam_by_hand(network, seen.flip(3), 2).flip(1)
        expected = (expected + turned) / 2
    network = network.float()
    found = attribute(network, picture, output=2, mirror=mirror)
    assert found.grad_cam.shape == expected.shape and found.grad_cam.max() > 0
    assert found.grad_cam == pytest.approx(expected.clamp(min=0).numpy(), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_of_a_linear_map_each_part_is_weight_times_difference(channels):
    shape = SHAPE | {"channels": channels}
    network = ClassifyNetwork(backbone="pixels", classes=3, **shape).eval()
    picture = a_picture(channels)
    found = attribute(network, picture, output=1)
    values = picture[0].double().numpy() / 255
    weights = network.head.weight[1].detach().double().numpy().reshape(values.shape)
    expected = (weights * (values - values.mean())).sum(0)
    assert found.gradients == pytest.approx(expected, abs=1e-5)
    assert found.off < 1e-3 and found.steps == 32
    assert found.grad_cam is None and "pixels as they are" in found.no_grad_cam


@pytest.mark.parametrize("mirror", [False, True])
def test_integrated_gradients_are_the_integral(mirror):
    network, picture = a_classifier("lenet").float(), a_picture()
    found = attribute(network, picture, output=0, mirror=mirror)
    seen, network = network.seen(picture.double() / 255), network.double()
    points = seen * ((torch.arange(400).double() + 0.5) / 400)[:, None, None, None]
    points.requires_grad_()
    numbers = network.head(network.backbone(points))[:, 0]
    if mirror:
        numbers = (numbers + network.head(network.backbone(points.flip(3)))[:, 0]) / 2
    (slopes,) = torch.autograd.grad(numbers.sum(), points)
    expected = (slopes.mean(0) * seen[0]).sum(0).detach().numpy()
    assert found.gradients == pytest.approx(expected, abs=0.02 * np.abs(expected).max())
    assert found.gradients.sum() == pytest.approx(found.score - found.baseline, rel=0.011)
    missed = abs(found.gradients.sum() - (found.score - found.baseline))
    assert found.off == pytest.approx(missed / abs(found.score - found.baseline), abs=1e-4)
    assert found.baseline == pytest.approx(network.head(network.backbone(0 * seen))[0, 0].item())


def test_steps_are_doubled_where_the_parts_miss_the_sum():
    class Cliff(nn.Module):
        features = 1

        def forward(self, seen):
            return torch.sigmoid(400 * (seen.mean((1, 2, 3)) - 0.7))[:, None]

    network = ClassifyNetwork(backbone="pixels", classes=2, **SHAPE).eval()
    network.backbone, network.head = Cliff(), nn.Linear(1, 2)
    network.seen = lambda pictures: pictures
    found = attribute(network, torch.full((1, 1, 20, 16), 255, dtype=torch.uint8), output=1)
    assert found.steps > 32 and found.off < 0.01
    assert "fully connected" in found.no_grad_cam


@pytest.mark.parametrize("mirror", [False, True])
def test_what_is_explained_is_what_the_model_answers(mirror):
    picture, other = a_picture(), a_picture().flip(2)
    embedder = EmbeddingNetwork(backbone="small_resnet", dimension=5, **SHAPE).eval()
    towards = vector_of(embedder, other, mirror=mirror)
    found = attribute(embedder, picture, output=0, mirror=mirror, towards=towards)
    vectors = [embed_batch(embedder, one, mirror=mirror)[0] for one in (picture, other)]
    assert torch.allclose(vectors[1], towards[0], atol=1e-6)
    assert found.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)

    regressor = RegressNetwork(backbone="small_resnet", centre=[30.0], spread=[9.0], **SHAPE)
    value = estimate_batch(regressor, picture, mirror=mirror).item()
    for sign in (1, -1):
        found = attribute(regressor, picture, output=0, sign=sign, mirror=mirror)
        assert found.score == pytest.approx(value, rel=1e-5)
        change = sign * (found.score - found.baseline)
        assert found.gradients.sum() == pytest.approx(change, rel=0.02)

    classifier = ClassifyNetwork(backbone="small_resnet", classes=3, **SHAPE).eval()
    scores = [attribute(classifier, picture, output=n, mirror=mirror).score for n in range(3)]
    if not mirror:
        shares = classify_batch(classifier, picture, mirror=False)[0]
        assert torch.tensor(scores).softmax(0).numpy() == pytest.approx(shares.numpy(), abs=1e-6)


def test_what_lowers_a_number_is_what_raises_its_negative():
    network = RegressNetwork(backbone="pixels", centre=[1.0], spread=[2.0], **SHAPE).eval()
    up, down = (attribute(network, a_picture(), output=0, sign=sign) for sign in (1, -1))
    assert up.gradients == pytest.approx(-down.gradients, abs=1e-6)
    assert against(up) == pytest.approx(1 - against(down))


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_a_last_map_or_says_why_not(name):
    backbone = make_backbone(name, channels=1, width=6, size_hw=(40, 40)).eval()
    seen = torch.randn(1, 1, 40, 40)
    if name == "mlp":
        with pytest.raises(InputError, match="fully connected"):
            last_map(backbone, seen)
        return
    layer, shapes = last_map(backbone, seen), []
    handle = layer.register_forward_hook(lambda _layer, _seen, output: shapes.append(output.shape))
    backbone(seen)
    handle.remove()
    assert len(shapes) == 1 and len(shapes[0]) == 4
    assert min(shapes[0][2:]) >= 3 and "Pool" not in type(layer).__name__


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("timm/test_resnet", ""),
        ("timm/test_convnext", ""),
        ("torchvision/squeezenet1_1", ""),
        ("timm/test_vit", "tokens"),
    ],
)
def test_networks_of_others_too(name, expected):
    backbone = make_backbone(name, channels=3, width=0, size_hw=(160, 160)).eval()
    seen = torch.randn(1, 3, 160, 160)
    if expected:
        with pytest.raises(InputError, match=expected):
            last_map(backbone, seen)
        return
    found = []
    layer = last_map(backbone, seen)
    handle = layer.register_forward_hook(lambda _layer, _seen, output: found.append(output))
    features = backbone(seen)
    handle.remove()
    assert found[0].shape[0] == 1 and min(found[0].shape[2:]) > 1
    if name == "torchvision/squeezenet1_1":
        assert torch.allclose(found[0].mean((2, 3)), features, atol=1e-6)


def test_maps_with_channels_last_are_refused():
    backbone = nn.Sequential(nn.Conv2d(1, 2, 3))
    backbone.body = nn.Module()
    backbone.body.output_fmt = "NHWC"
    with pytest.raises(InputError, match="channels last"):
        last_map(backbone, torch.randn(1, 1, 8, 8))


def test_other_weights_give_another_map():
    """Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: it must depend on them."""
    from scipy.stats import spearmanr

    torch.manual_seed(1)
    network, picture = a_classifier("small_resnet").float(), a_picture()
    found = attribute(network, picture, output=0)
    again = attribute(network, picture, output=0)
    assert np.array_equal(found.gradients, again.gradients)
    likeness = []
    for seed in range(5):
        torch.manual_seed(seed + 10)
        other = attribute(a_classifier("small_resnet").float(), picture, output=0)
        likeness.append(spearmanr(found.gradients.ravel(), other.gradients.ravel()).statistic)
    assert np.abs(likeness).mean() < 0.3


@pytest.fixture(scope="module")
def corners():
    """A network that knows bright corners from none; a corner each of pictures, that has one."""
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    pictures = draw.normal(90, 25, (96, 1, SIDE, SIDE))
    places = draw.integers(0, 4, 96)
    for picture, place in zip(pictures[::2], places[::2], strict=True):
        picture[(0, *CORNER[place])] += 110
    pixels = torch.from_numpy(pictures.clip(0, 255).astype(np.uint8))
    shape = SHAPE | {"size_hw": (SIDE, SIDE)}
    network = ClassifyNetwork(backbone="small_resnet", classes=2, **shape)
    convolutions = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)]
    pooled = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network.backbone, network.head = nn.Sequential(*convolutions, *pooled), nn.Linear(8, 2)
    wanted = torch.arange(96) % 2
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(120):
        loss = nn.functional.cross_entropy(network(pixels[32:].float() / 255), wanted[32:])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert classify_batch(network, pixels[:32], mirror=False).argmax(1).equal(wanted[:32])
    return network.eval(), pixels[:32:2], places[:32:2]


def share_in_corners(network, pixels, places):
    """The mean shares of both maps, of what is above 0, that lie in the bright corner."""
    shares = []
    for picture, place in zip(pixels, places, strict=True):
        found = attribute(network, picture[None], output=0)
        for values in (found.grad_cam, found.gradients):
            above = values.clip(min=0)
            shares.append(above[CORNER[place]].sum() / max(above.sum(), 1e-9))
    return np.mean(shares[::2]), np.mean(shares[1::2])


def test_most_of_the_maps_lies_on_the_evidence_that_was_planted(corners):
    network, pixels, places = corners
    assert min(share_in_corners(network, pixels, places)) > 0.5


def test_of_random_weights_little_lies_there(corners):
    network, pixels, places = corners
    torch.manual_seed(1)
    other = copy.deepcopy(network)
    for layer in other.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.reset_parameters()
    assert max(share_in_corners(other, pixels, places)) < 0.4


def test_where_a_map_lies_is_told_in_words():
    values = np.zeros((9, 12), np.float32)
    assert str(spread(values)).startswith("nowhere")
    values[7, 10] = 3
    values[0, 0] = 2
    values[4, 5] = -9  # speaks against, and does not count
    found = spread(values)
    assert (found.strongest, found.half_in) == ("bottom right", pytest.approx(1 / 108))
    assert spread(np.eye(2, dtype=np.float32)[::-1] * [[1], [2]]).strongest == "bottom left"
    assert spread(np.ones((1, 1), np.float32)).strongest == "centre"
    assert spread(np.ones((4, 5), np.float32)).half_in == 0.5


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"kind": "pixels", "dimension": 320}, "plain pixels"),
        ({"model": "knn", "k": 1, "distance": "l1"}, "--neighbours"),
        ({"backbone": "hog"}, "made by hand, hog"),
    ],
)
def test_a_model_without_slopes_says_what_to_do(entries, expected):
    card = {"kind": "classifier", "classes": ["a", "b"], "backbone": "pixels", "width": 1}
    card |= {"channels": 1, "size_hw": [20, 16]} | entries
    network = None if card["kind"] == "pixels" else build_network(card)
    with pytest.raises(InputError, match=expected):
        explainable(Model(card, network))
