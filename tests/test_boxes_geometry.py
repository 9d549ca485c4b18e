"""The geometry of boxes in torch against loops over plain numbers: forms, overlaps, anchors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.boxes import anchors as anchor_boxes
from saccade.boxes import coding, formats, overlaps
from saccade.boxes.anchors import AnchorShapes, make_anchors
from saccade.errors import InputError
from tests import random_boxes
from tests.reference import boxes as reference

COUNTS = [
    random_boxes.FEW,
    pytest.param(random_boxes.ALL, marks=pytest.mark.slow),
]
PAIRS = {
    "iou": (overlaps.iou_pairs, reference.iou),
    "giou": (overlaps.giou_pairs, reference.giou),
    "covered": (overlaps.covered_pairs, reference.covered),
}
DTYPES = [(torch.float64, 1e-12), (torch.float32, 1e-5)]


def drawn(count, seed):
    return torch.from_numpy(random_boxes.corners(np.random.default_rng(seed), count))


# Overlaps


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_overlaps_of_pairs_equal_the_slow_loop(name, dtype, tolerance, count):
    fast, slow = PAIRS[name]
    a, b = drawn(count, 1), drawn(count, 2)
    b[::7] = a[::7]
    found = fast(a.to(dtype), b.to(dtype))
    wanted = [slow(one, other) for one, other in zip(a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=tolerance, atol=tolerance)
    assert found.dtype == dtype


def test_the_drawn_boxes_hold_every_kind_of_overlap():
    a, b = drawn(500, 1), drawn(500, 2)
    b[::7] = a[::7]
    found = overlaps.iou_pairs(a, b)
    assert (found == 0).sum() > 50 and (found == 1).sum() > 20
    assert ((found > 0) & (found < 1)).sum() > 20
    assert (overlaps.areas(a) == 0).sum() > 50


@pytest.mark.parametrize("name", PAIRS)
def test_a_matrix_holds_the_figure_of_each_pair(name):
    matrix = getattr(overlaps, f"{name}_matrix")
    a, b = drawn(7, 3), drawn(10, 4).reshape(2, 5, 4)
    found = matrix(a, b)
    assert found.shape == (2, 7, 5)
    for picture, i, j in np.ndindex(2, 7, 5):
        wanted = PAIRS[name][1](a[i].tolist(), b[picture, j].tolist())
        assert float(found[picture, i, j]) == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    assert matrix(a, b[0, :0]).shape == (7, 0)


@pytest.mark.parametrize(
    ("a", "b", "iou", "giou", "covered"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1, 1, 1),
        ((0, 0, 1, 1), (1, 0, 2, 1), 0, 0, 0),  # touch along a side
        ((0, 0, 1, 1), (1, 1, 2, 2), 0, -1 / 2, 0),  # touch in a corner
        ((0, 0, 1, 1), (9, 0, 10, 1), 0, -8 / 10, 0),
        ((0, 0, 4, 4), (1, 1, 2, 2), 1 / 16, 1 / 16, 1),
        ((1, 1, 2, 2), (0, 0, 4, 4), 1 / 16, 1 / 16, 1 / 16),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3, 1 / 3, 1 / 2),
        ((1, 1, 1, 1), (1, 1, 1, 1), 0, 0, 0),  # a point
        ((2, 2, 0, 0), (0, 0, 2, 2), 0, 0, 0),  # inverted
        ((0, 0, 0, 9), (5, 0, 5, 9), 0, -1, 0),  # two lines
    ],
)
def test_overlaps_known_by_hand(a, b, iou, giou, covered):
    rows = torch.tensor([a]).double(), torch.tensor([b]).double()
    found = [float(overlaps.__dict__[f"{name}_pairs"](*rows)) for name in PAIRS]
    assert found == pytest.approx([iou, giou, covered], abs=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_of_overlaps_are_those_of_finite_differences(name):
    rng = np.random.default_rng(5)
    a, b = (torch.from_numpy(random_boxes.ordinary(rng, 8)) for _ in range(2))
    assert torch.autograd.gradcheck(PAIRS[name][0], (a.requires_grad_(), b.requires_grad_()))


@pytest.mark.parametrize("name", PAIRS)
def test_degenerate_boxes_have_a_finite_gradient(name):
    a, b = drawn(500, 6).float().requires_grad_(), drawn(500, 7).float()
    with torch.no_grad():
        a[::5] = b[::5]
    PAIRS[name][0](a, b).sum().backward()
    assert torch.isfinite(a.grad).all() and a.grad.any()


def test_half_floats_hold_no_area_and_are_widened():
    box = torch.tensor([[0, 0, 400, 400]], dtype=torch.float16)
    assert (
        float(overlaps.iou_pairs(box, box)) == 1
        and overlaps.iou_pairs(box, box).dtype.itemsize == 4
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda a, b: overlaps.iou_matrix(a[:, :3], b), r"ends in 4. Got \(6, 3\)"),
        (lambda a, b: overlaps.iou_matrix(a[0], b), r"\(…, n, 4\). Got \(4,\)"),
        (lambda a, b: overlaps.iou_pairs(a, b), r"\(6, 4\) and \(5, 4\) do not go together"),
        (lambda a, b: formats.clip(a[0, 0], (4, 4)), r"ends in 4. Got \(\)"),
        (lambda a, b: formats.scale(a, (0, 4), (4, 4)), "from_hw must be above 0. Got"),
        (lambda a, b: coding.encode(a, b), r"one anchor for each box. Got \(6, 4\) and \(5, 4\)"),
        (lambda a, b: coding.decode(a, a, (0.1, 0)), "two numbers above 0. Got"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call(drawn(6, 1), drawn(5, 1))


# Forms


NUMBER = st.floats(-1000, 1000, width=32)
SIDE = st.floats(0.25, 1000, width=32)


@given(st.tuples(NUMBER, NUMBER, SIDE, SIDE))
@settings(max_examples=100, deadline=None)
def test_forms_lead_there_and_back(xywh):
    given_xywh = torch.tensor([xywh], dtype=torch.float64)
    corners = formats.corners_from_xywh(given_xywh)
    x, y, wide, high = xywh
    assert corners[0].tolist() == [x, y, x + wide, y + high]
    centres = formats.centres_from_corners(corners)
    assert centres[0].tolist() == pytest.approx([x + wide / 2, y + high / 2, wide, high])
    for back in (formats.xywh_from_corners(corners), given_xywh):
        torch.testing.assert_close(back, given_xywh)
    torch.testing.assert_close(formats.corners_from_centres(centres), corners)


def test_clip_and_scale_by_hand():
    corners = torch.tensor([[-5.0, 2, 30, 9], [50, 60, 70, 80]])
    assert formats.clip(corners, (8, 20)).tolist() == [[0, 2, 20, 8], [20, 8, 20, 8]]
    assert formats.scale(corners, (100, 50), (200, 25)).tolist() == [
        [-2.5, 4, 15, 18],
        [25, 120, 35, 160],
    ]


# Offsets


@pytest.mark.parametrize("count", COUNTS)
def test_offsets_equal_the_slow_loop_and_lead_back(count):
    rng = np.random.default_rng(8)
    boxes, anchors = (torch.from_numpy(random_boxes.ordinary(rng, count)) for _ in range(2))
    offsets = coding.encode(boxes, anchors)
    pairs = list(zip(boxes.tolist(), anchors.tolist(), strict=True))
    np.testing.assert_allclose(
        offsets, [reference.encode(*pair) for pair in pairs], rtol=1e-9, atol=1e-9
    )
    wild = offsets + torch.from_numpy(rng.normal(0, 30, (count, 4)))
    wanted = [reference.decode(*pair) for pair in zip(wild.tolist(), anchors.tolist(), strict=True)]
    np.testing.assert_allclose(coding.decode(wild, anchors), wanted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(coding.decode(offsets, anchors), boxes)


@given(
    st.tuples(NUMBER, NUMBER, SIDE, SIDE),
    st.tuples(NUMBER, NUMBER, SIDE, SIDE),
    st.tuples(st.floats(0.05, 2), st.floats(0.05, 2)),
)
@settings(max_examples=100, deadline=None)
def test_decoding_undoes_encoding(box, anchor, variances):
    box = (*box[:2], *(min(side, 62 * own) for side, own in zip(box[2:], anchor[2:], strict=True)))
    rows = [formats.corners_from_xywh(torch.tensor([it]).double()) for it in (box, anchor)]
    found = coding.decode(coding.encode(*rows, variances), rows[1], variances)
    torch.testing.assert_close(found, rows[0], rtol=1e-9, atol=1e-6)


def test_wild_offsets_and_empty_boxes_stay_finite():
    anchor = torch.tensor([[0.0, 0, 10, 10]])
    wild = torch.tensor([[0.0, 0, 1e6, 1e6]], requires_grad=True)
    found = coding.decode(wild, anchor)
    assert (found[0, 2:] - found[0, :2]).tolist() == pytest.approx([625, 625])
    found.sum().backward()
    assert torch.isfinite(wild.grad).all()
    for empty in ([5.0, 5, 5, 5], [9.0, 9, 1, 1]):
        assert torch.isfinite(coding.encode(torch.tensor([empty]), anchor)).all()


# Anchors


SHAPES = AnchorShapes(
    strides=(8, 16),
    sizes=((10.0,), (20.0, 30.0)),
    ratios=((1.0,), (0.5, 1.0, 2.0)),
)


@pytest.mark.parametrize("size_hw", [(32, 48), (33, 41), (5, 5)])
def test_anchors_equal_the_slow_loop(size_hw):
    found = make_anchors(size_hw, SHAPES)
    wanted = reference.anchors(size_hw, SHAPES.strides, SHAPES.sizes, SHAPES.ratios)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert sum(SHAPES.counts(size_hw)) == len(found)
    cells = [rows * columns for rows, columns in SHAPES.cells(size_hw)]
    assert SHAPES.counts(size_hw) == (cells[0], 6 * cells[1])


def test_an_anchor_keeps_its_area_and_its_ratio():
    last = formats.xywh_from_corners(make_anchors((16, 16), SHAPES)[-1])
    assert float(last[2] * last[3]) == pytest.approx(900) and float(
        last[3] / last[2]
    ) == pytest.approx(2)


@pytest.mark.parametrize(
    ("strides", "sizes", "ratios", "said"),
    [
        ((8,), ((9.0,), (9.0,)), ((1.0,),), "Got 1, 2 and 1"),
        ((), (), (), "Got 0, 0 and 0"),
        (
            (8, 16),
            ((9.0,), ()),
            ((1.0,), (1.0,)),
            "level 1 need a stride, sizes and ratios above 0",
        ),
        ((8,), ((-9.0,),), ((1.0,),), "level 0 need"),
        ((8,), ((9.0,),), ((math.nan,),), "level 0 need"),
    ],
)
def test_shapes_that_make_no_anchors_are_refused(strides, sizes, ratios, said):
    with pytest.raises(InputError, match=said):
        anchor_boxes.AnchorShapes(strides, sizes, ratios)
