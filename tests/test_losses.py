"""Losses against double loops, finite differences, and what every row of the table must keep."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize

from saccade.losses import LOGIT_LOSSES
from saccade.losses import VECTOR_LOSSES as LOSSES
from tests.reference import losses as reference

SCALE = 16.0
BATCHES = {
    "pairs": [0, 0, 1, 1, 2, 2],
    "one class has one picture": [0, 0, 0, 1, 2, 2],
    "every class has one picture": [0, 1, 2, 3],
    "one class": [1, 1, 1],
    "one picture": [2],
    "classes absent and out of order": [4, 0, 4, 0, 4],
}
TARGETS = st.lists(st.integers(0, 4), min_size=1, max_size=9)


def build(name, margin=0.3, seed=0, dimension=3):
    torch.manual_seed(seed)
    return LOSSES[name](classes=5, dimension=dimension, margin=margin, scale=SCALE).double()


def draw(count, seed=0, dimension=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimension, dtype=torch.float64, generator=generator)


def expected(name, loss, vectors, targets, margin):
    if name == "arcface":
        centres = loss.inner.W.detach().T.tolist()
        return reference.arcface(vectors.tolist(), targets, centres, margin, SCALE)
    double_loop = {"triplet": reference.batch_hard, "triplet_semi_hard": reference.semi_hard}[name]
    return double_loop(vectors.tolist(), targets, margin)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("targets", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("margin", [0.0, 0.3, 1.5])
def test_loss_equals_the_double_loop(name, targets, margin):
    loss = build(name, margin)
    vectors = draw(len(targets))
    value = float(loss(vectors, torch.tensor(targets)).detach())
    assert value == pytest.approx(expected(name, loss, vectors, targets, margin), abs=1e-9)


@pytest.mark.parametrize("name", LOSSES)
@given(targets=TARGETS, margin=st.floats(0, 3), seed=st.integers(0, 1000))
def test_loss_equals_the_double_loop_anywhere(name, targets, margin, seed):
    loss = build(name, margin, seed)
    vectors = draw(len(targets), seed)
    value = float(loss(vectors, torch.tensor(targets)).detach())
    assert value == pytest.approx(expected(name, loss, vectors, targets, margin), abs=1e-8)


def test_arcface_reaches_the_angles_beyond_its_margin():
    loss = build("arcface", margin=1.5)
    away = -loss.inner.W.detach().T[:2]
    value = float(loss(away, torch.tensor([0, 1])).detach())
    assert value == pytest.approx(expected("arcface", loss, away, [0, 1], 1.5), abs=1e-6)


def test_arcface_without_margin_is_cross_entropy_on_cosines():
    loss = build("arcface", margin=0.0)
    vectors, targets = draw(6), torch.tensor([0, 1, 2, 3, 4, 0])
    cosines = normalize(vectors) @ normalize(loss.inner.W, dim=0)
    torch.testing.assert_close(loss(vectors, targets), cross_entropy(SCALE * cosines, targets))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("targets", [BATCHES["pairs"], BATCHES["one class has one picture"]])
def test_gradient_equals_finite_differences(name, targets):
    loss = build(name, margin=0.9)
    vectors = draw(len(targets)).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: loss(v, torch.tensor(targets)), (vectors,))


def test_gradient_of_the_centres_equals_finite_differences():
    loss, vectors, targets = build("arcface"), draw(6), torch.tensor([0, 1, 2, 3, 4, 0])
    loss(vectors, targets).backward()
    for place in [(0, 0), (1, 3), (2, 4)]:
        values = []
        for step in (1e-6, -2e-6):
            loss.inner.W.data[place] += step
            values.append(float(loss(vectors, targets).detach()))
        loss.inner.W.data[place] += 1e-6
        slope = (values[0] - values[1]) / 2e-6
        assert float(loss.inner.W.grad[place]) == pytest.approx(slope, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_the_length_of_a_vector_does_not_count(name):
    loss, vectors, targets = build(name), draw(6), torch.tensor(BATCHES["pairs"])
    factors = torch.tensor([[0.1], [1.0], [7.0], [2.0], [30.0], [5.0]])
    torch.testing.assert_close(loss(vectors * factors, targets), loss(vectors, targets))


@pytest.mark.parametrize("name", LOSSES)
def test_vectors_that_coincide_have_a_finite_gradient(name):
    loss, targets = build(name), torch.tensor(BATCHES["pairs"])
    vectors = draw(1).repeat(6, 1).requires_grad_()
    loss(vectors, targets).backward()
    assert torch.isfinite(vectors.grad).all()


def test_a_vector_on_its_centre_has_a_finite_gradient():
    loss = LOSSES["arcface"](classes=4, dimension=8, margin=0.3, scale=SCALE)
    loss.inner.W.data = torch.eye(8)[:, :4].clone()
    vectors = torch.cat([torch.eye(8)[:4], -torch.eye(8)[:4]]).requires_grad_()
    loss(vectors, torch.arange(4).repeat(2)).backward()
    assert torch.isfinite(vectors.grad).all()
    assert torch.isfinite(loss.inner.W.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_descending_brings_a_class_together_and_apart_from_others(name):
    loss, targets = build(name, margin=0.9, dimension=4), torch.tensor([0, 0, 1, 1, 2, 2])
    vectors = draw(6, seed=3, dimension=4).requires_grad_()
    for _ in range(500):
        value = loss(vectors, targets)
        gradients = torch.autograd.grad(value, [vectors, *loss.parameters()])
        with torch.no_grad():
            for tensor, gradient in zip([vectors, *loss.parameters()], gradients, strict=True):
                tensor -= 0.5 * gradient
    cosines = normalize(vectors.detach()) @ normalize(vectors.detach()).T
    same = targets[:, None] == targets
    assert cosines[same].min() > cosines[~same].max() + 0.5


# Losses on logits


@given(targets=TARGETS, smoothing=st.floats(0, 1), seed=st.integers(0, 1000))
def test_cross_entropy_equals_the_double_loop(targets, smoothing, seed):
    logits = draw(len(targets), seed, dimension=5)
    loss = LOGIT_LOSSES["cross_entropy"](smoothing=smoothing)
    wanted = reference.smoothed_cross_entropy(logits.tolist(), targets, smoothing)
    assert float(loss(logits, torch.tensor(targets))) == pytest.approx(wanted, abs=1e-9)


def test_the_gradient_of_cross_entropy_equals_finite_differences():
    logits, targets = draw(6, dimension=5).requires_grad_(), torch.tensor([0, 1, 2, 3, 4, 0])
    loss = LOGIT_LOSSES["cross_entropy"](smoothing=0.1)
    assert torch.autograd.gradcheck(lambda rows: loss(rows, targets), (logits,))
