"""Suppression against slow loops and torchvision."""

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from saccade.boxes.suppression import suppress
from saccade.errors import InputError, UnknownNameError
from tests import random_boxes
from tests.reference import boxes as reference

CASES = [random_boxes.FEW // 5, pytest.param(random_boxes.ALL, marks=pytest.mark.slow)]


def scene(rng, count=12):
    """Boxes in heaps, of three classes; half of the scenes have equal scores."""
    boxes = random_boxes.ordinary(rng, count)
    boxes = boxes[rng.integers(0, count // 3, count)] + rng.normal(0, 3, (count, 4))
    scores = rng.random(count)
    scores = np.round(scores, 1) if rng.random() < 0.5 else scores
    return (torch.from_numpy(it) for it in (boxes, scores, rng.integers(0, 3, count)))


@pytest.mark.parametrize("count", CASES)
def test_hard_equals_the_slow_loop_and_torchvision(count):
    rng = np.random.default_rng(1)
    dropped = 0
    for _ in range(count):
        boxes, scores, classes = scene(rng)
        kept, left = suppress(boxes, scores, classes, iou=0.4)
        lists = boxes.tolist(), scores.tolist(), classes.tolist()
        assert kept.tolist() == reference.hard_suppression(*lists, 0.4)
        assert left.tolist() == scores[kept].tolist()
        theirs = batched_nms(boxes.clamp(min=0), scores, classes, 0.4)
        ours, _ = suppress(boxes.clamp(min=0), scores, classes, iou=0.4)
        assert sorted(ours.tolist()) == sorted(theirs.tolist())
        dropped += len(boxes) - len(kept)
    assert dropped > count


@pytest.mark.parametrize("count", CASES)
@pytest.mark.parametrize("decay", ["gaussian", "linear"])
def test_soft_equals_the_slow_loop_of_the_paper(count, decay):
    rng = np.random.default_rng(2)
    for _ in range(count // 2):
        boxes, scores, classes = scene(rng)
        settings = {"decay": decay, "least": 0.05}
        kept, left = suppress(boxes, scores, classes, kind="soft", iou=0.3, **settings)
        lists = boxes.tolist(), scores.tolist(), classes.tolist()
        wanted = reference.soft_suppression(*lists, threshold=0.3, **settings)
        assert kept.tolist() == wanted[0]
        assert left.tolist() == pytest.approx(wanted[1], rel=1e-12)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_degenerate_boxes_suppress_nothing(kind):
    boxes = torch.tensor([[5.0, 5, 5, 5], [5, 5, 5, 5], [9, 9, 1, 1], [0, 0, 1e6, 1e6]])
    kept, left = suppress(boxes, torch.tensor([0.9, 0.8, 0.7, 0.6]), kind=kind)
    assert kept.tolist() == [0, 1, 2, 3] and left.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6])


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_classes_that_reach_below_zero_do_not_meet(kind):
    """Boxes which torchvision's batched_nms moves onto each other."""
    boxes = torch.tensor([[-11.0, -11, -1, -1], [0.0, 0, 10, 10]])
    scores, classes = torch.tensor([0.5, 0.9]), torch.tensor([1, 0])
    assert batched_nms(boxes, scores, classes, 0.5).tolist() == [1]
    assert suppress(boxes, scores, classes, kind=kind)[0].tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_an_equal_box_goes_unless_it_is_of_another_class(kind):
    boxes, scores = torch.tensor([[0.0, 0, 10, 10]] * 2), torch.tensor([0.5, 0.9])
    linear = {"decay": "linear"} if kind == "soft" else {}
    assert suppress(boxes, scores, kind=kind, **linear)[0].tolist() == [1]
    found = suppress(boxes, scores, torch.tensor([0, 1]), kind=kind, **linear)
    assert found[0].tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_the_surest_are_kept_when_there_are_too_many(kind):
    boxes = torch.arange(9.0)[:, None] * 100 + torch.tensor([0, 0, 10, 10])
    kept, left = suppress(boxes, torch.arange(9) / 10, kind=kind, most=3)
    assert kept.tolist() == [8, 7, 6] and left.tolist() == pytest.approx([0.8, 0.7, 0.6])
    none, empty = suppress(boxes[:0], torch.zeros(0), kind=kind)
    assert none.shape == empty.shape == (0,) and none.dtype == torch.int64


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"kind": "sotf"}, UnknownNameError, "no suppression 'sotf'; did you mean 'soft'"),
        ({"kind": "soft", "decay": "liner"}, UnknownNameError, "did you mean 'linear'"),
        ({"kind": "soft", "sigma": 0.0}, InputError, "sigma must be above 0. Got 0"),
        ({"iou": 1.5}, InputError, "iou must be from 0 to 1. Got 1.5"),
        ({"scores": torch.tensor([0.5, torch.nan])}, InputError, "a box of NaN"),
        ({"scores": torch.zeros(3)}, InputError, r"Got \(2, 4\), \(3,\) and \(3,\)"),
        ({"classes": torch.zeros(3).long()}, InputError, r"\(2,\) and \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, said):
    given = {"corners": torch.zeros(2, 4), "scores": torch.zeros(2)} | changes
    with pytest.raises(error, match=said):
        suppress(given.pop("corners"), given.pop("scores"), given.pop("classes", None), **given)
