"""Losses of a detector's boxes by their definitions, and repulsion in a crowd."""

import math

import numpy as np
import pytest
import torch

from saccade.boxes.coding import encode
from saccade.errors import InputError
from saccade.losses.box_losses import BOX_LOSSES
from saccade.losses.repulsion import Repulsion
from saccade.names import look_up
from tests import random_boxes
from tests.documents import ROOT, blocks
from tests.reference import boxes as reference


def batch(count=40, seed=0):
    """(count, 4) offsets, anchors, true boxes: boxes about their anchors."""
    rng = np.random.default_rng(seed)
    anchors = torch.from_numpy(random_boxes.ordinary(rng, count))
    corners = anchors + torch.from_numpy(rng.uniform(-0.9, 0.9, (count, 4)))
    return torch.from_numpy(rng.normal(0, 2, (count, 4))), anchors, corners


def smooth_l1(offsets, anchor, box):
    away = [abs(t - w) for t, w in zip(offsets, reference.encode(box, anchor), strict=True)]
    return sum(l**2 / 2 if l < 1 else l - 0.5 for l in away)  # noqa: E741


DEFINITIONS = {
    "smooth_l1": smooth_l1,
    "iou": lambda t, anchor, box: 1 - reference.iou(reference.decode(t, anchor), box),
    "giou": lambda t, anchor, box: 1 - reference.giou(reference.decode(t, anchor), box),
}


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_a_box_loss_is_its_definition(name):
    rows = batch()
    found = BOX_LOSSES[name].make()(*rows)
    wanted = [DEFINITIONS[name](*row) for row in zip(*(it.tolist() for it in rows), strict=True)]
    assert found.shape == (40,)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_the_gradient_is_that_of_finite_differences(name):
    offsets, anchors, corners = batch(12)
    loss = BOX_LOSSES[name].make()
    assert torch.autograd.gradcheck(lambda it: loss(it, anchors, corners), offsets.requires_grad_())


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_descent_leads_to_the_true_box(name):
    _, anchors, corners = batch(8)
    loss, offsets = BOX_LOSSES[name].make(), torch.zeros(8, 4).double().requires_grad_()
    descent = torch.optim.Adam([offsets], lr=0.02)
    first = float(loss(offsets, anchors, corners).sum().detach())
    for _ in range(150):
        descent.zero_grad()
        loss(offsets, anchors, corners).sum().backward()
        descent.step()
    last = float(loss(offsets, anchors, corners).sum().detach())
    assert 0 <= last < first / 5
    right = loss(encode(corners, anchors), anchors, corners)
    assert right.tolist() == pytest.approx([0.0] * 8, abs=1e-9)


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_wild_offsets_and_degenerate_boxes_cost_a_finite_amount(name):
    offsets = torch.tensor([[1e4, -1e4, 1e4, -1e4]] * 3, requires_grad=True)
    anchors = torch.tensor([[0.0, 0, 9, 9]] * 3)
    corners = torch.tensor([[5.0, 5, 5, 5], [9, 9, 1, 1], [-1e6, -1e6, 1e6, 1e6]])
    found = BOX_LOSSES[name].make()(offsets, anchors, corners)
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(offsets.grad).all()
    assert BOX_LOSSES[name].make()(*(it[:0] for it in batch())).shape == (0,)


def test_only_giou_teaches_boxes_that_do_not_meet():
    anchors, corners = torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([[50.0, 0, 60, 9]])
    slopes = {}
    for name in ("iou", "giou"):
        offsets = torch.zeros(1, 4, requires_grad=True)
        BOX_LOSSES[name].make()(offsets, anchors, corners).sum().backward()
        slopes[name] = float(offsets.grad[0, 0])
    assert slopes["iou"] == 0 and slopes["giou"] < 0


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_the_settings_of_a_box_loss_count(name):
    rows = batch()
    plain, wide = (BOX_LOSSES[name].make(variances=v)(*rows) for v in ((0.1, 0.2), (0.2, 0.4)))
    assert not torch.allclose(plain, wide)
    with pytest.raises(InputError, match=rf"loss {name} takes .* Got \(40, 4\) and \(39, 4\)"):
        BOX_LOSSES[name].make()(rows[0], rows[1], rows[2][1:])


def test_beta_is_where_the_square_ends():
    offsets, anchors = torch.tensor([[0.5, 0, 0, 3.0]]), torch.tensor([[0.0, 0, 10, 10]])
    loss = BOX_LOSSES["smooth_l1"].make(beta=2.0)
    assert float(loss(offsets, anchors, anchors)) == pytest.approx(0.25 / 4 + 2)


def test_an_unknown_box_loss_is_named():
    with pytest.raises(InputError, match="no box loss 'gioo'; did you mean 'giou'"):
        look_up(BOX_LOSSES, "gioo", "box loss")


# Repulsion: two people side by side, who overlap by 2 of 10 pixels.


PEOPLE = torch.tensor([[0.0, 0, 10, 20], [8, 0, 18, 20]], dtype=torch.float64)


def slopes(boxes, own, **weights):
    boxes = boxes.clone().requires_grad_()
    value = Repulsion(**weights)(boxes, PEOPLE, torch.tensor(own))
    value.backward()
    return float(value.detach()), boxes.grad


def test_repulsion_worked_by_hand():
    """One box [2, 0, 12, 20] on the left person: 4 of the 10 pixels of the right one are under it.

    IoG = 0.4, RepGT = -ln 0.6. A second box, [8, 0, 18, 20], on the right one: IoU = 4 / 16, and
    with sigma 0 ln is the line x, so RepBox = 0.25; the second covers 2 of the left one's 10.
    """
    boxes = torch.tensor([[2.0, 0, 12, 20], [8, 0, 18, 20]], dtype=torch.float64)
    value, _ = slopes(boxes[:1], [0], alpha=1.0, beta=1.0)
    assert value == pytest.approx(-math.log(0.6))
    value, _ = slopes(boxes, [0, 1], alpha=0.0, beta=1.0)
    assert value == pytest.approx(0.25)
    value, _ = slopes(boxes, [0, 1], alpha=2.0, beta=3.0)
    assert value == pytest.approx(2 * (-math.log(0.6) - math.log(0.8)) / 2 + 3 * 0.25)


def test_two_people_side_by_side_push_each_others_boxes_away():
    """A step against the gradient moves the edges at the neighbour back, and no others."""
    boxes = torch.tensor([[2.0, 0, 12, 20], [6, 0, 17, 20]], dtype=torch.float64)
    _, gradient = slopes(boxes[:1], [0], beta=0.0)
    assert gradient[0, 2] > 0 and gradient[0, 0] == 0  # the right edge is to move left
    _, gradient = slopes(boxes, [0, 1], alpha=0.0)
    assert gradient[0, 2] > 0 and gradient[1, 0] < 0  # both edges between them are to part
    moved = boxes - 0.5 * gradient.sign()
    assert moved[0, 2] < boxes[0, 2] and moved[1, 0] > boxes[1, 0]
    assert slopes(moved, [0, 1], alpha=0.0)[0] < slopes(boxes, [0, 1], alpha=0.0)[0]


def test_two_boxes_on_one_person_do_not_repel():
    boxes = torch.tensor([[0.0, 0, 7, 20], [0, 0, 7.5, 20]], dtype=torch.float64)
    assert slopes(boxes, [0, 0])[0] == 0


def test_repulsion_without_the_numbers_of_its_objects_is_refused():
    with pytest.raises(InputError, match=r"Got \(2,\) numbers for \(1, 4\) boxes"):
        Repulsion()(PEOPLE[:1], PEOPLE, torch.tensor([0, 1]))


def test_the_page_on_crowds_prints_what_it_shows(capsys):
    code, shown = blocks(ROOT / "docs" / "explanation" / "crowds.md", "python", "text")
    exec(compile(code.text, code.place, "exec"), {})
    printed = capsys.readouterr().out
    assert printed == shown.text
    covered = {line[:14].strip(): float(line.split()[-3]) for line in printed.splitlines()[1:]}
    assert covered["giou"] > 0.5 > 0.2 > covered["+ both"]
