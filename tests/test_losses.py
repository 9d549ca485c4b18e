"""Losses of vectors against double loops, and what each of them must keep."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize

from saccade.errors import InputError
from saccade.losses import PAIR_LOSSES, VECTOR_LOSSES
from tests.reference import losses as reference

LOSSES = VECTOR_LOSSES | PAIR_LOSSES
SCALE = 16.0
BATCHES = {
    "pairs": [0, 0, 1, 1, 2, 2],
    "one class has one picture": [0, 0, 0, 1, 2, 2],
    "every class has one picture": [0, 1, 2, 3],
    "one class": [1, 1, 1],
    "one picture": [2],
    "classes absent and out of order": [4, 0, 4, 0, 4],
}
DOUBLE_LOOPS = {
    "triplet": reference.batch_hard,
    "triplet_semi_hard": reference.semi_hard,
    "contrastive": reference.contrastive,
}
TARGETS = st.lists(st.integers(0, 4), min_size=1, max_size=9)


def build(name, margin=0.3, seed=0, dimension=3):
    torch.manual_seed(seed)
    settings = {"classes": 5, "dimension": dimension, "margin": margin, "scale": SCALE}
    return LOSSES[name].make(**settings).double()


def draw(count, seed=0, dimension=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimension, dtype=torch.float64, generator=generator)


def expected(name, loss, vectors, targets, margin):
    if name == "arcface":
        centres = loss.inner.W.detach().T.tolist()
        return reference.arcface(vectors.tolist(), targets, centres, margin, SCALE)
    if name == "lossless_triplet":
        return reference.lossless_triplet(vectors.tolist(), targets)
    return DOUBLE_LOOPS[name](vectors.tolist(), targets, margin)


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
    loss = LOSSES["arcface"].make(classes=4, dimension=8, margin=0.3, scale=SCALE)
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


# Drawn pairs and triplets


def test_contrastive_on_all_pairs_is_the_loss_of_the_batch():
    loss, vectors, targets = build("contrastive", 0.9), draw(6), torch.tensor(BATCHES["pairs"])
    first, second = torch.triu_indices(6, 6, 1)
    drawn = loss.pairs(vectors[first], vectors[second], targets[first] == targets[second])
    torch.testing.assert_close(drawn, loss(vectors, targets))


@pytest.mark.parametrize("beta", [4.0, 7.0])
def test_lossless_on_all_triplets_is_the_loss_of_the_batch(beta):
    loss = LOSSES["lossless_triplet"].make(beta=beta)
    vectors, targets = draw(6), torch.tensor(BATCHES["one class has one picture"])
    rows = range(6)
    found = [
        (a, p, n)
        for a, p, n in itertools.product(rows, rows, rows)
        if a != p and targets[a] == targets[p] and targets[a] != targets[n]
    ]
    anchor, positive, negative = (vectors[list(each)] for each in zip(*found, strict=True))
    torch.testing.assert_close(loss.triplets(anchor, positive, negative), loss(vectors, targets))
    wanted = reference.lossless_triplet(vectors.tolist(), targets.tolist(), beta)
    assert float(loss(vectors, targets)) == pytest.approx(wanted, rel=1e-6)


def test_drawn_vectors_that_coincide_have_a_finite_gradient():
    rows = draw(3).float().requires_grad_()
    same = torch.tensor([True, False, True])
    total = LOSSES["contrastive"].make().pairs(rows, rows, same)
    (total + LOSSES["lossless_triplet"].make().triplets(rows, -rows, rows)).backward()
    assert torch.isfinite(rows.grad).all()


@pytest.mark.parametrize(("beta", "epsilon"), [(3.9, 1e-8), (4.0, 0.0)])
def test_a_lossless_triplet_that_may_be_infinite_is_refused(beta, epsilon):
    with pytest.raises(InputError, match="beta must be at least 4 and epsilon above 0"):
        LOSSES["lossless_triplet"].make(beta=beta, epsilon=epsilon)


# By default, to the last bit what the libraries give


@pytest.mark.parametrize("name", ["arcface", "triplet", "triplet_semi_hard"])
def test_the_defaults_of_a_loss_are_a_margin_of_0_3_and_a_scale_of_16(name):
    vectors, targets = draw(6).float(), torch.tensor(BATCHES["pairs"])
    values = []
    for settings in ({}, {"margin": 0.3, "scale": 16.0}):
        torch.manual_seed(0)
        values.append(LOSSES[name].make(classes=5, dimension=3, **settings)(vectors, targets))
    assert torch.equal(*values) and float(values[0].detach()) > 0
