"""Losses of values, boxes, masks and pictures: their settings, corners and refusals."""

import numpy as np
import pytest
import torch

from saccade.errors import InputError
from saccade.losses import CORNER_LOSSES, LOSSES, MASK_LOSSES, PICTURE_LOSSES, VALUE_LOSSES
from saccade.losses.repulsion import smooth_ln
from tests.reference import losses as reference
from tests.reference import picture_losses


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


# Values


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("absolute_squared", {"weight": 3.0}),
        ("smooth_l1", {"beta": 0.3}),
        ("huber", {"delta": 0.3}),
        ("shrinkage", {"speed": 3.0, "centre": 0.7}),
    ],
)
def test_settings_of_a_value_loss(name, settings):
    off = draw(20)
    wanted = np.mean([getattr(reference, name)(float(x), **settings) for x in off])
    value = VALUE_LOSSES[name].make(**settings)(off, torch.zeros(20).double())
    assert float(value) == pytest.approx(wanted, rel=1e-12)


def test_shrinkage_counts_by_the_exponential_of_its_target():
    values, targets = draw(20), draw(20, seed=1).sigmoid()
    pairs = zip(values.tolist(), targets.tolist(), strict=True)
    wanted = [reference.shrinkage(v - t) * np.exp(t) for v, t in pairs]
    loss = VALUE_LOSSES["shrinkage"].make(importance=True)
    assert float(loss(values, targets)) == pytest.approx(np.mean(wanted), rel=1e-12)


@pytest.mark.parametrize("name", [*VALUE_LOSSES, "content", "giou"])
def test_values_of_another_shape_are_not_repeated(name):
    with pytest.raises(InputError, match=rf"{name} takes .* Got \(4, 1\) and \(4,\); reshape"):
        LOSSES[name].make()(draw(4, 1), draw(4))


# Boxes


@pytest.mark.parametrize(
    ("box", "target", "cost"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 0.0),
        ((0, 0, 1, 1), (1, 0, 2, 1), 1.0),
        ((0, 0, 1, 1), (2, 0, 3, 1), 4 / 3),
        ((0, 0, 2, 2), (1, 0, 3, 2), 2 / 3),
        ((0, 0, 4, 4), (1, 1, 2, 2), 15 / 16),
    ],
)
def test_giou_by_hand(box, target, cost):
    rows = torch.tensor([box], dtype=torch.float64), torch.tensor([target], dtype=torch.float64)
    assert float(CORNER_LOSSES["giou"].make()(*rows)) == pytest.approx(cost, abs=1e-6)
    assert reference.giou(box, target) == pytest.approx(cost, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("sigma_objects", "sigma_boxes"), [(0.99, 0.0), (0.2, 0.5)])
def test_repulsion_equals_the_double_loop(seed, sigma_objects, sigma_boxes):
    corners, sides = 10 * draw(8, 2, seed=seed), 4 + 4 * draw(8, 2, seed=seed + 9).sigmoid()
    boxes = torch.cat([corners, corners + sides], 1)
    own = torch.arange(6) % 2
    sigmas = {"sigma_objects": sigma_objects, "sigma_boxes": sigma_boxes}
    value = CORNER_LOSSES["repulsion"].make(**sigmas)(boxes[:6], boxes[6:], own)
    wanted = reference.repulsion(boxes[:6].tolist(), boxes[6:].tolist(), own.tolist(), **sigmas)
    assert float(value) == pytest.approx(wanted, rel=1e-9)


def test_a_box_over_anothers_object_costs_a_finite_amount():
    objects = torch.tensor([[0.0, 0, 4, 4], [5, 5, 6, 6]])
    box = torch.tensor([[0.0, 0, 9, 9]], requires_grad=True)
    value = CORNER_LOSSES["repulsion"].make()(box, objects, torch.tensor([0]))
    assert float(value.detach()) == pytest.approx(0.5 * (1 - np.log(0.01)), rel=1e-5)
    value.backward()
    assert torch.isfinite(box.grad).all()


def test_a_repulsion_that_may_be_infinite_is_refused():
    with pytest.raises(InputError, match="Got 1 and 0"):
        CORNER_LOSSES["repulsion"].make(sigma_objects=1.0)


def test_without_neighbours_nothing_repels():
    boxes = torch.tensor([[0.0, 0, 4, 4], [1, 1, 5, 5]], requires_grad=True)
    value = CORNER_LOSSES["repulsion"].make()(boxes, boxes.detach()[:1], torch.tensor([0, 0]))
    value.backward()
    assert float(value.detach()) == 0 and not boxes.grad.any()


@pytest.mark.parametrize("sigma", [0.0, 0.5, 0.99])
def test_smooth_ln_and_its_slope_have_no_step(sigma):
    shares = torch.linspace(0, 1, 201).double().requires_grad_()
    values = smooth_ln(shares, sigma)
    wanted = [reference.smooth_ln(share, sigma) for share in shares.tolist()]
    np.testing.assert_allclose(values.detach().numpy(), wanted, rtol=1e-9, atol=1e-12)
    (slopes,) = torch.autograd.grad(values.sum(), shares)
    assert (slopes.diff() > -1e-9).all() and float(slopes.max()) < 1.01 / (1 - sigma)


# Masks


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_dice_of_one_channel_takes_a_sigmoid(smooth):
    logits, masks = draw(2, 1, 3, 3), torch.arange(18).reshape(2, 3, 3) % 2
    shares = (1 / (1 + np.exp(-logits.numpy())))[:, 0]
    wanted = np.mean(
        [
            1 - (2 * (p * g).sum() + smooth) / ((p**2).sum() + (g**2).sum() + smooth)
            for p, g in zip(shares, masks.numpy(), strict=True)
        ]
    )
    loss = MASK_LOSSES["dice"].make(smooth=smooth)
    for form in (masks, masks[:, None].double()):
        assert float(loss(logits, form)) == pytest.approx(wanted, rel=1e-12)


def test_nothing_marked_where_nothing_is_costs_nothing():
    logits = torch.full((2, 1, 3, 3), -1e4, requires_grad=True)
    value = MASK_LOSSES["dice"].make()(logits, torch.zeros(2, 3, 3).long())
    value.backward()
    assert float(value.detach()) == 0 and torch.isfinite(logits.grad).all()


def test_masks_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"Got \(2, 2, 3, 3\) and \(2, 4, 3\)"):
        MASK_LOSSES["dice"].make()(draw(2, 2, 3, 3), torch.zeros(2, 4, 3).long())


# Pictures


def test_style_adds_its_layers_by_their_weights():
    layers = [draw(2, 3, 4, 4, seed=1), draw(2, 5, 2, 2, seed=2)]
    wanted = [draw(2, 3, 4, 4, seed=3), draw(2, 5, 2, 2, seed=4)]
    costs = [
        picture_losses.style_of_layer(*(one.numpy() for one in pair))
        for pair in zip(layers, wanted, strict=True)
    ]
    style = PICTURE_LOSSES["style"]
    assert float(style.make()(layers, wanted)) == pytest.approx(np.mean(costs), rel=1e-12)
    value = style.make(weights=(0.2, 3.0))(layers, wanted)
    assert float(value) == pytest.approx(0.2 * costs[0] + 3 * costs[1], rel=1e-12)


def test_one_style_serves_all_pictures_whatever_its_size():
    features, wanted = draw(2, 3, 4, 4), draw(1, 3, 4, 4, seed=1)
    loss = PICTURE_LOSSES["style"].make()
    value = float(loss([features], [wanted]))
    assert value == pytest.approx(float(loss([features], [wanted.repeat(2, 1, 1, 1)])))
    tiled = wanted.repeat(1, 1, 2, 3)
    assert float(loss([features], [tiled])) == pytest.approx(value)


def test_style_knows_no_places():
    features = draw(2, 3, 4, 4)
    moved = features.flatten(2)[..., torch.randperm(16)].reshape(2, 3, 4, 4)
    assert float(PICTURE_LOSSES["style"].make()([moved], [features])) == pytest.approx(0, abs=1e-25)


def test_style_of_other_layers_than_weights_is_refused():
    with pytest.raises(InputError, match="Got 2 weights, 1 layers, 1 wanted"):
        PICTURE_LOSSES["style"].make(weights=(1.0, 1.0))([draw(1, 2, 3, 3)], [draw(1, 2, 3, 3)])
    with pytest.raises(InputError, match="at least one"):
        PICTURE_LOSSES["style"].make()([], [])


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 3.0])
def test_total_variation_has_an_exponent_and_a_gradient(beta):
    pictures = draw(2, 2, 4, 5)
    pictures[0] = 0.5
    loss = PICTURE_LOSSES["total_variation"].make(beta=beta)
    wanted = picture_losses.total_variation(pictures.numpy(), beta)
    learned = pictures.clone().requires_grad_()
    value = loss(learned)
    assert float(value.detach()) == pytest.approx(wanted, rel=1e-12)
    value.backward()
    assert torch.isfinite(learned.grad).all() and not learned.grad[0].any()
    rough = pictures[1:].clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, (rough,))
