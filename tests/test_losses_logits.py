"""Losses of logits against their definitions, scikit-learn and torchvision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import hinge_loss
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import cross_entropy, one_hot
from torchvision.ops import sigmoid_focal_loss

from saccade.class_tree import ClassTree
from saccade.errors import InputError, SettingError, UnknownNameError
from saccade.losses import LOGIT_LOSSES, VALUE_LOSSES, find_loss
from saccade.losses.class_weights import balanced
from tests.reference import losses as reference

NAMES = ("cat", "dog", "fox", "car", "bus")
TREE = ClassTree.nested({"animal": ["cat", "dog", "fox"], "vehicle": ["car", "bus"]})
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 3.0, 0.25], dtype=torch.float64)
TARGETS = st.lists(st.integers(0, 4), min_size=1, max_size=9)


def draw(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, dtype=torch.float64, generator=generator)


def make(name, **settings):
    return LOGIT_LOSSES[name].make(**{"tree": TREE, "classes": NAMES} | settings)


# Cross-entropy


@given(targets=TARGETS, smoothing=st.floats(0, 1), seed=st.integers(0, 1000))
def test_cross_entropy_equals_the_double_loop(targets, smoothing, seed):
    logits = draw(len(targets), seed)
    loss = make("cross_entropy", smoothing=smoothing)
    wanted = reference.smoothed_cross_entropy(logits.tolist(), targets, smoothing)
    assert float(loss(logits, torch.tensor(targets))) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
def test_numbers_one_hot_rows_and_shares_cost_the_same(smoothing, weights):
    logits, targets = draw(6), torch.tensor([0, 1, 2, 3, 4, 0])
    loss = make("cross_entropy", smoothing=smoothing, class_weights=weights)
    shares = one_hot(targets, 5)
    wanted = reference.weighted_cross_entropy(
        logits.tolist(), shares.tolist(), smoothing, (WEIGHTS**0 if weights is None else weights)
    )
    for form in (targets, shares, shares.double()):
        assert float(loss(logits, form)) == pytest.approx(float(wanted), rel=1e-12)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
def test_mixed_shares_cost_what_the_definition_says(weights):
    logits, shares = draw(6), draw(6, seed=1).softmax(1)
    loss = make("cross_entropy", smoothing=0.2, class_weights=weights)
    wanted = reference.weighted_cross_entropy(
        logits.tolist(), shares.tolist(), 0.2, (WEIGHTS**0 if weights is None else weights)
    )
    assert float(loss(logits, shares)) == pytest.approx(float(wanted), rel=1e-12)


def test_cross_entropy_by_default_is_torchs_to_the_last_bit():
    logits, targets = draw(6).float(), torch.tensor([0, 1, 2, 3, 4, 0])
    wanted = cross_entropy(logits, targets, label_smoothing=0.1)
    assert torch.equal(make("cross_entropy")(logits, targets), wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cross_entropy_of_huge_logits_is_right(dtype):
    logits = torch.tensor([[1e4, -1e4, -1e4], [1e4, -1e4, -1e4]], dtype=dtype)
    loss = make("cross_entropy", smoothing=0.0)
    assert float(loss(logits, torch.tensor([0, 0]))) == 0
    assert float(loss(logits, torch.tensor([1, 2]))) == pytest.approx(2e4, rel=0.01)


# Class weights


@pytest.mark.parametrize("name", ["hinge", "focal", "hierarchical_cross_entropy"])
def test_rows_count_by_the_weight_of_their_class(name):
    logits, targets = draw(6), torch.tensor([0, 1, 2, 3, 4, 0])
    alone = [float(make(name)(logits[[row]], targets[[row]])) for row in range(6)]
    wanted = reference.weighted_mean(alone, targets.tolist(), WEIGHTS.tolist())
    value = make(name, class_weights=WEIGHTS)(logits, targets)
    assert float(value) == pytest.approx(wanted, rel=1e-12)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=8))
def test_balanced_weights_equal_those_of_scikit_learn(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    wanted = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    np.testing.assert_allclose(balanced(counts).numpy(), wanted, rtol=1e-6)


def test_a_class_without_pictures_has_no_balanced_weight():
    with pytest.raises(InputError, match=r"a picture of each class\. Got \[3, 0\]"):
        balanced([3, 0])


# Hinge


def test_hinge_of_two_classes_equals_scikit_learn():
    logits, targets = draw(6)[:, :2], torch.tensor([0, 1, 1, 0, 1, 0])
    wanted = hinge_loss(targets.numpy(), (logits[:, 1] - logits[:, 0]).numpy())
    assert float(make("hinge")(logits, targets)) == pytest.approx(wanted, rel=1e-12)


def test_hinge_is_the_sum_where_scikit_learn_takes_the_largest():
    logits, targets = draw(200), torch.arange(5).repeat(40)
    largest = hinge_loss(targets.numpy(), logits.numpy(), labels=range(5))
    others = torch.cat([logits[targets == c][:, torch.arange(5) != c] for c in range(5)])
    own = torch.cat([logits[targets == c][:, c] for c in range(5)])[:, None]
    violations = (others - own + 1).clamp(min=0)
    assert float(violations.max(1).values.mean()) == pytest.approx(largest, rel=1e-12)
    assert float(make("hinge")(logits, targets)) == pytest.approx(float(violations.sum(1).mean()))


@pytest.mark.parametrize("margin", [0.0, 0.7, 3.0])
def test_hinge_takes_a_margin(margin):
    logits, targets = draw(3), [0, 3, 4]
    pairs = zip(logits.tolist(), targets, strict=True)
    wanted = np.mean([reference.hinge(*pair, margin) for pair in pairs])
    value = make("hinge", margin=margin)(logits, torch.tensor(targets))
    assert float(value) == pytest.approx(wanted, rel=1e-12)


# Focal


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_of_two_classes_equals_torchvision(gamma):
    score, targets = 3 * draw(6)[:, 0], torch.tensor([0, 1, 1, 0, 1, 0])
    wanted = sigmoid_focal_loss(score, targets.double(), alpha=-1, gamma=gamma, reduction="mean")
    logits = torch.stack([torch.zeros(6).double(), score], 1)
    torch.testing.assert_close(make("focal", gamma=gamma)(logits, targets), wanted)


def test_focal_without_gamma_is_cross_entropy():
    logits, targets = draw(6), torch.tensor([0, 1, 2, 3, 4, 0])
    torch.testing.assert_close(
        make("focal", gamma=0.0)(logits, targets), cross_entropy(logits, targets)
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_of_a_certain_answer_has_a_finite_gradient(gamma):
    logits = torch.tensor([[1e4, 0.0], [0.0, 1e4], [60.0, 0.0]], requires_grad=True)
    make("focal", gamma=gamma)(logits, torch.tensor([0, 0, 0])).backward()
    assert torch.isfinite(logits.grad).all()


# Down a tree of classes


@pytest.mark.parametrize("alpha", [0.0, 0.5, 3.0])
def test_on_a_flat_tree_it_is_cross_entropy(alpha):
    logits, targets = draw(6), torch.tensor([0, 1, 2, 3, 4, 0])
    flat = ClassTree(dict.fromkeys(NAMES, "thing"))
    loss = make("hierarchical_cross_entropy", tree=flat, alpha=alpha)
    torch.testing.assert_close(loss(logits, targets), cross_entropy(logits, targets))


def test_without_alpha_it_is_cross_entropy_on_any_tree():
    logits, targets = draw(6), torch.tensor([0, 1, 2, 3, 4, 0])
    loss = make("hierarchical_cross_entropy", alpha=0.0)
    torch.testing.assert_close(loss(logits, targets), cross_entropy(logits, targets))


def test_a_mistake_within_a_kind_costs_less_the_larger_alpha():
    logits = 5 * torch.eye(5, dtype=torch.float64)
    near, far = logits[[1]], logits[[3]]  # A dog, and a car, for a cat.
    shares = []
    for alpha in (0.0, 0.5, 2.0):
        loss, cat = make("hierarchical_cross_entropy", alpha=alpha), torch.tensor([0])
        shares.append(float(loss(near, cat) / loss(far, cat)))
    assert shares[0] == pytest.approx(1)
    assert shares[0] > shares[1] > shares[2]


def test_huge_logits_down_a_tree_cost_their_difference():
    logits = torch.tensor([[-1e4, 1e4, 0.0, -1e4, -1e4]])
    loss = make("hierarchical_cross_entropy", alpha=0.5)
    assert float(loss(logits, torch.tensor([0]))) == pytest.approx(2e4 * np.exp(-0.5), rel=1e-6)
    assert float(loss(logits, torch.tensor([3]))) == pytest.approx(2e4, rel=1e-4)


def test_a_class_that_the_tree_lacks_and_no_tree_are_refused():
    with pytest.raises(InputError, match="there is no 'owl'"):
        make("hierarchical_cross_entropy", classes=("cat", "owl"))
    with pytest.raises(InputError, match="needs a tree of the classes") as caught:
        make("hierarchical_cross_entropy", tree=None)
    assert "\n" not in str(caught.value)


# What fits what


def test_a_loss_of_another_kind_is_refused_with_those_that_fit():
    with pytest.raises(SettingError) as caught:
        find_loss(VALUE_LOSSES, "hinge", "task regress")
    assert str(caught.value) == (
        "loss 'hinge' does not fit task regress; "
        "take one of: absolute, absolute_squared, huber, shrinkage, smooth_l1, squared"
    )


def test_a_misspelt_loss_gives_the_nearest_that_fits():
    with pytest.raises(
        UnknownNameError, match=r"no loss for task x 'hinges'; did you mean 'hinge'"
    ):
        find_loss(LOGIT_LOSSES, "hinges", "task x")


@pytest.mark.parametrize("name", ["hinge", "focal", "hierarchical_cross_entropy"])
def test_shares_are_refused_where_a_class_is_needed(name):
    with pytest.raises(InputError, match=r"Got \(6, 5\) and \(6, 5\); of shares, take cross"):
        make(name)(draw(6), draw(6).softmax(1))
