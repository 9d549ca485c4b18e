"""What every loss of the table must keep: its value, gradient, range, and the empty batch."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from saccade.class_tree import ClassTree
from saccade.losses import (
    CORNER_LOSSES,
    LOGIT_LOSSES,
    LOSSES,
    MASK_LOSSES,
    PAIR_LOSSES,
    PICTURE_LOSSES,
    VALUE_LOSSES,
    VECTOR_LOSSES,
)
from tests.reference import losses as reference
from tests.reference import picture_losses

COUNT = 6
TARGETS = torch.tensor([0, 0, 1, 1, 2, 2])
NAMES = ("cat", "dog", "fox", "car", "bus")
TREE = ClassTree.nested({"animal": {"pet": ["cat", "dog"], "fox": {}}, "car": {}, "bus": {}})
# The leaves below each node on the way from each class to the root.
LEAVES = (
    *([[c], [0, 1], [0, 1, 2], [0, 1, 2, 3, 4]] for c in (0, 1)),
    [[2], [0, 1, 2], [0, 1, 2, 3, 4]],
    *([[c], [0, 1, 2, 3, 4]] for c in (3, 4)),
)
OBJECTS = torch.tensor([[0.0, 0, 10, 10], [8, 1, 18, 11], [30, 30, 39, 41]], dtype=torch.float64)
SETTINGS = {"dimension": 3, "tree": TREE, "alpha": 0.5}
DTYPES = [
    pytest.param(torch.float32, 1e-4),
    pytest.param(torch.float64, 1e-9, marks=pytest.mark.slow),
    pytest.param(torch.bfloat16, 0.05),
]


def build(name):
    torch.manual_seed(0)
    classes = NAMES if name == "hierarchical_cross_entropy" else len(NAMES)
    kept = {key: value for key, value in SETTINGS.items() if key != "alpha" or name in LOGIT_LOSSES}
    return LOSSES[name].make(classes=classes, **kept).double()


@dataclass
class Group:
    """How losses of one table are asked: what is learned, and what goes along, row by row.

    ``large`` is learned too, of size 1e4; ``right`` and ``wrong`` are (learned, along).
    """

    learned: torch.Tensor
    along: tuple[torch.Tensor, ...]
    large: torch.Tensor
    right: torch.Tensor
    wrong: torch.Tensor


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def signs(*shape):
    return torch.where(draw(*shape, seed=5) > 0, 1e4, -1e4).double()


def boxes(*, seed):
    """Six boxes about the objects: no side shorter than 6, no edge of two at one place."""
    return OBJECTS[TARGETS] + draw(COUNT, 4, seed=seed).clamp(-2, 2)


LOGITS = Group(
    draw(COUNT, 5),
    (TARGETS,),
    signs(COUNT, 5),
    20 * torch.eye(5).double()[TARGETS],
    20 * torch.eye(5).double()[TARGETS - 1],
)
VECTORS = Group(
    draw(COUNT, 3),
    (TARGETS,),
    signs(COUNT, 3) * draw(COUNT, 3).abs(),
    torch.eye(3).double()[TARGETS],
    torch.tensor([1.0, 0, 0]) + 0.02 * draw(COUNT, 3, seed=2),
)
VALUES = Group(
    draw(COUNT, 3),
    (draw(COUNT, 3, seed=1),),
    signs(COUNT, 3),
    draw(COUNT, 3, seed=1),
    draw(COUNT, 3),
)
MASKS = torch.arange(COUNT * 9).reshape(COUNT, 3, 3) % 2
MARKED = 20.0 * torch.stack([1 - MASKS, MASKS], 1).double()
PLANES = draw(COUNT, 2, 3, 4, seed=1)
GROUPS = {
    **dict.fromkeys(LOGIT_LOSSES, LOGITS),
    **dict.fromkeys(VECTOR_LOSSES | PAIR_LOSSES, VECTORS),
    **dict.fromkeys(VALUE_LOSSES, VALUES),
    **dict.fromkeys(
        CORNER_LOSSES,
        Group(
            boxes(seed=0),
            (boxes(seed=1),),
            torch.tensor([[-1e4, -1e4, 1e4, 1e4]]).double().repeat(COUNT, 1),
            boxes(seed=1),
            boxes(seed=1) + 5,
        ),
    ),
    **dict.fromkeys(
        MASK_LOSSES,
        Group(draw(COUNT, 2, 3, 3), (MASKS,), signs(COUNT, 2, 3, 3), MARKED, 20 - MARKED),
    ),
    **dict.fromkeys(
        PICTURE_LOSSES,
        Group(draw(COUNT, 2, 3, 4), (PLANES,), signs(COUNT, 2, 3, 4), PLANES, draw(COUNT, 2, 3, 4)),
    ),
}
GROUPS["repulsion"] = Group(
    boxes(seed=0),
    (TARGETS,),
    GROUPS["giou"].large,
    OBJECTS[TARGETS] - 10 * (TARGETS == 0)[:, None],
    OBJECTS[TARGETS - 1],
)
GROUPS["total_variation"] = Group(
    draw(COUNT, 2, 3, 4), (), signs(COUNT, 2, 3, 4), torch.ones(COUNT, 2, 3, 4).double(), PLANES
)


def ask(name, loss, learned, along):
    if name == "repulsion":
        return loss(learned, OBJECTS.to(learned.dtype), *along)
    if name == "style":
        return loss([learned], [along[0]])
    return loss(learned, *along)


def by_row(formula):
    return lambda rows, targets: np.mean(
        [formula(*pair) for pair in zip(rows, targets, strict=True)]
    )


def by_value(formula):
    return lambda values, targets: np.mean([formula(v) for v in (values - targets).flatten()])


def arcface(vectors, targets):
    centres = build("arcface").inner.W.detach().T.tolist()
    return reference.arcface(vectors.tolist(), targets.tolist(), centres, 0.3, 16.0)


WANTED = {
    "cross_entropy": lambda rows, targets: reference.weighted_cross_entropy(
        rows, np.eye(5)[targets], 0.1, [1.0] * 5
    ),
    "hinge": by_row(reference.hinge),
    "focal": by_row(reference.focal),
    "hierarchical_cross_entropy": by_row(
        lambda row, target: reference.hierarchical(row, target, LEAVES, 0.5)
    ),
    "arcface": arcface,
    "triplet": lambda rows, targets: reference.batch_hard(rows, targets, 0.3),
    "triplet_semi_hard": lambda rows, targets: reference.semi_hard(rows, targets, 0.3),
    "contrastive": lambda rows, targets: reference.contrastive(rows, targets, 1.0),
    "lossless_triplet": reference.lossless_triplet,
    "squared": by_value(lambda off: off**2),
    "absolute": by_value(abs),
    "absolute_squared": by_value(lambda off: abs(off) + 10 * off**2),
    "smooth_l1": by_value(reference.smooth_l1),
    "huber": by_value(reference.huber),
    "shrinkage": by_value(reference.shrinkage),
    "giou": by_row(reference.giou),
    "repulsion": lambda rows, own: reference.repulsion(rows, OBJECTS.numpy(), own),
    "dice": picture_losses.dice,
    "content": picture_losses.content,
    "style": picture_losses.style_of_layer,
    "total_variation": picture_losses.total_variation,
}
# At 1e4 the reference takes logarithms of probabilities that are 0 in float64.
NO_LARGE_REFERENCE = {"hierarchical_cross_entropy"}


def in_double(tensors):
    return [tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors]


def wanted(name, learned, along):
    return WANTED[name](*(tensor.numpy() for tensor in in_double([learned, *along])))


@pytest.mark.parametrize("name", LOSSES)
def test_the_value_is_that_of_the_definition(name):
    group = GROUPS[name]
    value = float(ask(name, build(name), group.learned, group.along).detach())
    assert value == pytest.approx(wanted(name, group.learned, group.along), rel=1e-6)
    assert value > 0


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_finite_differences(name):
    group, loss = GROUPS[name], build(name)
    learned = group.learned.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda it: ask(name, loss, it, group.along), (learned,))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_large_input_gives_a_finite_loss_and_gradient(name, dtype, tolerance):
    group, loss = GROUPS[name], build(name).to(dtype)
    learned = group.large.to(dtype, copy=True).requires_grad_()
    along = [one.to(dtype) if one.is_floating_point() else one for one in group.along]
    value = ask(name, loss, learned, along)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(learned.grad).all()
    if name not in NO_LARGE_REFERENCE:
        expected = wanted(name, learned.detach(), along)
        assert float(value.detach()) == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_batch_costs_nothing(name):
    group, loss = GROUPS[name], build(name)
    learned = group.learned[:0].clone().requires_grad_()
    value = ask(name, loss, learned, [one[:0] for one in group.along])
    assert value.shape == () and float(value.detach()) == 0
    value.backward()
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_the_batch_does_not_matter(name):
    group, loss = GROUPS[name], build(name)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    turned = ask(name, loss, group.learned[order], [one[order] for one in group.along])
    torch.testing.assert_close(turned, ask(name, loss, group.learned, group.along))


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_stays_in_its_range(name):
    group, loss = GROUPS[name], build(name)
    for learned in (group.learned, group.large, group.right, group.wrong):
        assert -1e-6 <= float(ask(name, loss, learned, group.along).detach()) <= highest(name)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_right_costs_less_than_what_is_wrong(name):
    group, loss = GROUPS[name], build(name)
    right = loss.inner.W.detach().T[TARGETS] if name == "arcface" else group.right
    costs = [float(ask(name, loss, it, group.along).detach()) for it in (right, group.wrong)]
    assert 0 <= costs[0] < costs[1] - 1e-3


def highest(name):
    """The upper end of the range that the row tells, at the defaults."""
    bounds = {
        "[0, ∞)": math.inf,
        "[0, 1]": 1,
        "[0, 2]": 2,
        "[0, margin]": 0.3,
        "[0, 2 + margin]": 2.3,
        "[0, max(2, margin² / 2)]": 2,
        "[-2 ln(1 + ε), -2 ln(1 - 4 / beta + ε)]": -2 * math.log(1e-8),
        "[0, alpha (1 - ln(1 - sigma_objects)) + beta (1 - ln(1 - sigma_boxes))]": (
            0.5 * (1 - math.log(0.01)) + 0.5
        ),
    }
    return bounds[LOSSES[name].range] + 1e-9


def test_every_row_tells_its_definition_source_and_range():
    assert [
        n for n, row in LOSSES.items() if not (row.definition and row.source and row.range)
    ] == []
