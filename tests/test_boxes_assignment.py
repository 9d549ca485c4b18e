"""Which anchor learns which true box: worked by hand, and against a slow loop."""

import numpy as np
import pytest
import torch

from saccade.boxes.assignment import IGNORED, NONE, greedy, thresholds
from saccade.errors import InputError
from tests import random_boxes
from tests.reference import boxes as reference

CASES = [random_boxes.FEW, pytest.param(random_boxes.ALL, marks=pytest.mark.slow)]
# True boxes by anchors.
WORKED = [
    [0.10, 0.55, 0.80, 0.00, 0.30, 0.00, 0.20, 0.00, 0.00],
    [0.00, 0.60, 0.75, 0.10, 0.00, 0.00, 0.00, 0.00, 0.00],
    [0.00, 0.00, 0.90, 0.00, 0.00, 0.40, 0.00, 0.40, 0.00],
    [0.00, 0.00, 0.70, 0.00, 0.00, 0.40, 0.00, 0.00, 0.00],
]


def test_a_matrix_of_four_boxes_and_nine_anchors():
    """Step by step; box and anchor counted from 0.

    1. 0.90, box 2 with anchor 2: row 2 and column 2 are struck.
    2. 0.60, box 1 with anchor 1 (0.80, 0.75 and 0.70 lay in column 2).
    3. 0.40, box 3 with anchor 5 (0.55 lay in column 1).
    4. 0.30, box 0 with anchor 4: what is left of its row is 0.10, 0.30 and 0.20.
    """
    found = greedy(torch.tensor(WORKED).T)
    assert found.tolist() == [NONE, 1, 2, NONE, 0, 3, NONE, NONE, NONE]


def test_of_equal_overlaps_the_lowest_box_then_the_lowest_anchor_comes_first():
    assert greedy(torch.full((3, 2), 0.5)).tolist() == [0, 1, NONE]
    anchors_first = torch.tensor([[0.0, 0.5], [0.5, 0.0], [0.5, 0.5]])
    assert greedy(anchors_first).tolist() == [1, 0, NONE]


def test_thresholds_by_hand():
    matrix = torch.tensor(WORKED).T
    assert thresholds(matrix, 0.7, 0.3, best=False).tolist() == [
        NONE, IGNORED, 2, NONE, IGNORED, IGNORED, NONE, IGNORED, NONE,
    ]  # fmt: skip
    assert thresholds(matrix, 0.7, 0.3).tolist() == [
        NONE, 1, 2, NONE, 0, 3, NONE, IGNORED, NONE,
    ]  # fmt: skip


@pytest.mark.parametrize("count", CASES)
def test_assignments_equal_the_slow_loop(count):
    rng = np.random.default_rng(1)
    shapes = [(7, 4), (3, 5), (1, 1), (9, 1)]
    for anchors, boxes in shapes:
        matrices = random_boxes.overlap_matrices(rng, count // len(shapes), anchors, boxes)
        found = [
            greedy(matrices),
            thresholds(matrices, 0.6, 0.4),
            thresholds(matrices, 0.6, 0.4, best=False),
        ]
        for n, matrix in enumerate(matrices.tolist()):
            assert found[0][n].tolist() == reference.greedy(matrix)
            assert found[1][n].tolist() == reference.thresholds(matrix, 0.6, 0.4)
            assert found[2][n].tolist() == reference.thresholds(matrix, 0.6, 0.4, best=False)


def test_the_pictures_of_a_batch_do_not_meet():
    rng = np.random.default_rng(2)
    matrices = random_boxes.overlap_matrices(rng, 6, 8, 5).reshape(2, 3, 8, 5)
    for rule in (greedy, lambda it: thresholds(it, 0.5, 0.3)):
        whole = rule(matrices)
        assert whole.shape == (2, 3, 8)
        for one in np.ndindex(2, 3):
            assert whole[one].tolist() == rule(matrices[one]).tolist()


def test_padding_is_learned_by_nothing():
    matrix = torch.tensor(WORKED).T
    padded = torch.cat([matrix, torch.zeros(9, 3)], 1)
    assert greedy(padded).tolist() == greedy(matrix).tolist()
    assert thresholds(padded, 0.7, 0.3).tolist() == thresholds(matrix, 0.7, 0.3).tolist()


@pytest.mark.parametrize("shape", [(4, 0), (0, 4), (0, 0), (2, 4, 0), (0, 4, 2)])
def test_without_boxes_all_is_background(shape):
    for found in (greedy(torch.zeros(shape)), thresholds(torch.zeros(shape), 0.7, 0.3)):
        assert found.shape == shape[:-1] and (found == NONE).all() and found.dtype == torch.int64


def test_the_overlaps_are_left_as_they_were():
    matrix = torch.tensor(WORKED).T.contiguous()
    before = matrix.clone()
    greedy(matrix)
    thresholds(matrix, 0.7, 0.3)
    assert torch.equal(matrix, before)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: greedy(torch.zeros(4)), r"\(…, anchors, boxes\). Got \(4,\)"),
        (lambda: greedy(torch.full((2, 2), torch.nan)), "Got NaN; are all boxes finite"),
        (lambda: thresholds(torch.zeros(4, 2), 0.3, 0.7), "Got negative 0.7 and positive 0.3"),
        (lambda: thresholds(torch.zeros(4, 2), 0, 0), "positive above 0"),
        (lambda: thresholds(torch.zeros(4, 2), 1.5, 0), "Got negative 0 and positive 1.5"),
        (lambda: thresholds(torch.zeros(4, 2), torch.nan, 0), "Got negative 0 and positive nan"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
