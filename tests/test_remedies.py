"""Remedies against background: which losses each anchor enters, and how much it counts there."""

import numpy as np
import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from saccade.boxes.assignment import NONE
from saccade.boxes.overlaps import covered_matrix, iou_matrix
from saccade.errors import InputError
from saccade.losses.remedies import REMEDIES
from saccade.names import look_up
from tests import random_boxes
from tests.reference import boxes as reference

CASES = [random_boxes.FEW // 2, pytest.param(random_boxes.ALL, marks=pytest.mark.slow)]
BOX = torch.tensor([[0.0, 0, 100, 100]])
# Overlaps with BOX: 0.9, 0.75, 0.5 and 0.1.
ANCHORS = torch.tensor([[0.0, 0, 90, 100], [0, 0, 75, 100], [0, 0, 100, 50], [0, 0, 10, 100]])
LOGITS = torch.tensor([0.0, -1, 2, 1])
ALL_THREE, NOTHING, BACKGROUND = (1, 1, 1, 1), (0, 0, 0, 0), (0, 0, 0, 1)
# Of each anchor: in the losses of place and class; an object or not, and how much that counts.
TABLE = {
    "none": [ALL_THREE, BACKGROUND, BACKGROUND, BACKGROUND],
    "focal": [ALL_THREE, BACKGROUND, BACKGROUND, BACKGROUND],
    "extra_positives": [ALL_THREE, (0, 0, 1, 1), BACKGROUND, NOTHING],
    "ignore_band": [ALL_THREE, ALL_THREE, NOTHING, BACKGROUND],
    "background_weight": [ALL_THREE, *[(0, 0, 0, 0.1)] * 3],
    "hard_negative_mining": [ALL_THREE, NOTHING, BACKGROUND, BACKGROUND],
}
TRUE = {name: [0, NONE, NONE, NONE] for name in TABLE} | {
    "extra_positives": [0, 0, NONE, NONE],
    "ignore_band": [0, 0, NONE, NONE],
}
# Of the anchors that count in the objectness loss, and of all.
SHARES = {
    "none": (3 / 4, 3 / 4),
    "focal": (3 / 4, 3 / 4),
    "extra_positives": (1 / 3, 2 / 4),
    "ignore_band": (1 / 3, 2 / 4),
    "background_weight": (3 / 4, 3 / 4),
    "hard_negative_mining": (2 / 3, 3 / 4),
}
SETTINGS = {"hard_negative_mining": {"ratio": 2.0}}


def roles_of(name, iou, ignored=None, **more):
    return REMEDIES[name].make(**SETTINGS.get(name, {}))(iou, ignored, logits=LOGITS, **more)


def table(roles):
    columns = roles.box, roles.class_, roles.objectness, roles.objectness_weight
    return torch.stack(columns, -1).tolist()


def test_the_anchors_overlap_as_the_table_says():
    assert iou_matrix(ANCHORS, BOX)[:, 0].tolist() == pytest.approx([0.9, 0.75, 0.5, 0.1], abs=1e-7)


@pytest.mark.parametrize("name", REMEDIES)
def test_which_losses_each_of_four_anchors_enters(name):
    roles = roles_of(name, iou_matrix(ANCHORS, BOX))
    np.testing.assert_allclose(table(roles), TABLE[name])
    assert roles.true.tolist() == TRUE[name]
    assert roles.background_shares() == pytest.approx(SHARES[name])


@pytest.mark.parametrize("name", REMEDIES)
def test_the_objectness_loss_is_the_weighted_sum_of_its_definition(name):
    roles = roles_of(name, iou_matrix(ANCHORS, BOX))
    p = (1 / (1 + np.exp(-LOGITS.double().numpy()))).tolist()
    wanted = []
    for share, (_, _, target, weight) in zip(p, TABLE[name], strict=True):
        right = share if target else 1 - share
        focal = (0.25 if target else 0.75) * (1 - right) ** 2 if name == "focal" else 1
        wanted.append(-weight * focal * np.log(right))
    found = roles.objectness_losses(LOGITS.double())
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_the_focal_loss_takes_its_settings():
    iou = iou_matrix(ANCHORS, BOX)
    roles = REMEDIES["focal"].make(gamma=0.5, alpha=0.75)(iou)
    wanted = sigmoid_focal_loss(LOGITS, torch.tensor([1.0, 0, 0, 0]), alpha=0.75, gamma=0.5)
    assert roles.objectness_losses(LOGITS).tolist() == pytest.approx(wanted.tolist())


@pytest.mark.parametrize("name", REMEDIES)
def test_the_gradient_of_the_objectness_is_that_of_finite_differences(name):
    roles = roles_of(name, iou_matrix(ANCHORS, BOX))
    assert torch.autograd.gradcheck(roles.objectness_losses, LOGITS.double().requires_grad_())


@pytest.mark.parametrize("count", CASES)
@pytest.mark.parametrize("name", REMEDIES)
def test_roles_equal_the_slow_loop(name, count):
    rng = np.random.default_rng(3)
    for anchors, boxes in ((8, 4), (3, 5)):
        iou, covered = (
            random_boxes.overlap_matrices(rng, count // 2, anchors, boxes) for _ in range(2)
        )
        ignored = torch.from_numpy(rng.random((count // 2, boxes)) < 0.3)
        logits = torch.from_numpy(np.round(rng.normal(0, 2, (count // 2, anchors)), 1))
        covered = covered if name in ("none", "ignore_band") else None
        roles = REMEDIES[name].make()(iou, ignored, covered=covered, logits=logits)
        found = torch.cat([roles.true[..., None], torch.tensor(table(roles))], -1).tolist()
        for n in range(count // 2):
            under = None if covered is None else covered[n].tolist()
            wanted = reference.roles(
                iou[n].tolist(), ignored[n].tolist(), name, covered=under, logits=logits[n].tolist()
            )
            np.testing.assert_allclose(found[n], wanted, rtol=1e-6)


@pytest.mark.parametrize("name", REMEDIES)
def test_an_ignored_box_is_learned_by_nothing_and_hides_its_anchors(name):
    """A crowd over the whole right half; two of its anchors would be background, one an object."""
    anchors = torch.tensor([[60.0, 0, 70, 10], [55, 0, 65, 10], [0, 0, 10, 10], [62, 0, 72, 10]])
    boxes = torch.tensor([[50.0, 0, 100, 100], [60, 0, 70, 10]])
    covered = covered_matrix(boxes, anchors).mT
    iou, flags = iou_matrix(anchors, boxes), torch.tensor([True, False])
    roles = roles_of(name, iou, flags, covered=covered)
    assert table(roles)[0] == list(ALL_THREE) and roles.true[0] == 1
    assert [table(roles)[place] for place in (1, 3)] == [list(NOTHING)] * 2
    plain = roles_of(name, iou, flags)
    assert (
        plain.objectness_weight[[1, 3]] == roles_of(name, iou[:, 1:]).objectness_weight[[1, 3]]
    ).all()
    alone = roles_of(name, iou[:, :1], flags[:1], covered=covered[:, :1])
    assert not alone.box.any() and not alone.objectness.any()


@pytest.mark.parametrize("name", REMEDIES)
def test_a_picture_without_boxes_has_background_at_most(name):
    for iou in (torch.zeros(4, 0), torch.zeros(4, 3)):
        roles = roles_of(name, iou)
        assert not roles.objectness.any() and (roles.true == NONE).all()
        counts = name not in ("extra_positives", "hard_negative_mining")
        assert bool(roles.objectness_weight.all()) == counts
        assert roles.background_shares() == (float(counts), 1.0)
    empty = REMEDIES[name].make()(torch.zeros(0, 3), logits=torch.zeros(0))
    assert empty.background_shares() == (0, 0)


def test_mining_counts_picture_by_picture():
    iou = torch.zeros(2, 6, 2)
    iou[0, 0, 0] = iou[0, 1, 1] = iou[1, 5, 0] = 0.8
    logits = torch.tensor([[0.0, 0, 1, 4, 3, 2], [5, 4, 3, 2, 1, 0]])
    roles = REMEDIES["hard_negative_mining"].make(ratio=1.0)(iou, logits=logits)
    assert roles.objectness_weight.tolist() == [[1, 1, 0, 1, 1, 0], [1, 0, 0, 0, 0, 1]]
    roles = REMEDIES["hard_negative_mining"].make(ratio=1.5)(iou, logits=logits)
    assert roles.objectness_weight.tolist() == [[1, 1, 0, 1, 1, 1], [1, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda iou: REMEDIES["ignore_band"].make(positive=0.2), "negative 0.3 and positive 0.2"),
        (lambda iou: REMEDIES["extra_positives"].make(negative=0.8), "Got negative 0.8 and"),
        (lambda iou: REMEDIES["background_weight"].make(weight=-1.0), "at least 0. Got -1"),
        (lambda iou: REMEDIES["hard_negative_mining"].make(ratio=-1.0), "at least 0. Got -1"),
        (lambda iou: REMEDIES["focal"].make(alpha=2.0), "alpha from 0 to 1. Got 2 and 2"),
        (lambda iou: REMEDIES["hard_negative_mining"].make()(iou), "needs the logits"),
        (
            lambda iou: REMEDIES["none"].make()(iou, torch.tensor([True] * 3)),
            r"ignored must have the shape \(1,\) for overlaps of \(4, 1\). Got \(3,\)",
        ),
        (lambda iou: REMEDIES["none"].make()(iou, covered=iou.T), r"covered must have .*\(1, 4\)"),
        (lambda iou: REMEDIES["none"].make()(iou, logits=iou), r"logits must have .*\(4, 1\)"),
        (lambda iou: REMEDIES["none"].make()(iou[:, 0]), r"\(…, anchors, boxes\). Got \(4,\)"),
        (lambda iou: look_up(REMEDIES, "focl", "remedy"), "no remedy 'focl'; did you mean 'focal'"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call(iou_matrix(ANCHORS, BOX))
