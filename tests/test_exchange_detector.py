"""A foreign detector: places against plain formulas, there and back, and suppression."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.data.pictures import resize
from saccade.errors import InputError
from saccade.exchange import detector as detector_file
from saccade.exchange import load_detector
from saccade.exchange.card import ARCFACE, FITS
from saccade.exchange.fit import Placement, placed, scaled
from saccade.exchange.priors import decode_boxes, decode_points, make_priors
from saccade.pictures.detect import objects_in
from tests.graphs import SIDE, write_detector

PICTURE = np.full((40, 60, 3), 90, np.uint8)  # height 40, width 60; the input is 8 x 8
SCORES = [[0.1, 0.9], [0.4, 0.6], [0.8, 0.2], [0.5, 0.5]]
# Of the input, 0 to 1: two apart, one that is not sure, one that reaches over the edge.
CORNERS = np.array([[0.5, 0.5, 1, 1], [0, 0, 0.25, 0.5], [0, 0, 1, 1], [-0.25, 0, 0.25, 0.25]])
side = st.integers(1, 5000)


def detect(file, picture=PICTURE):
    return load_detector(file)([picture])[0]


def coded(corners, coding):
    """Corners (n, 4) in the words of another coding."""
    low, high = corners[:, :2], corners[:, 2:]
    if coding == "xywh":
        return np.concatenate([low, high - low], axis=1)
    if coding == "centre":
        return np.concatenate([(low + high) / 2, high - low], axis=1)
    return corners


@pytest.mark.parametrize("coding", ["corners", "xywh", "centre"])
@pytest.mark.parametrize("units", ["normalised", "pixels"])
@pytest.mark.parametrize("batch", ["n", 1, 3])
def test_boxes_are_those_of_the_picture(tmp_path, coding, units, batch):
    values = coded(CORNERS, coding) * (SIDE if units == "pixels" else 1)
    detector = {"coding": coding, "units": units}
    outputs = {"scores": SCORES, "boxes": values}
    file = write_detector(tmp_path / "d.onnx", outputs, batch=batch, detector=detector)
    many = load_detector(file)([PICTURE, PICTURE[:, :20], PICTURE, PICTURE])
    assert len(many) == 4
    expected = np.array([[30, 20, 30, 20], [0, 0, 15, 20], [-15, 0, 30, 10]])
    for found in (many[0], many[2], many[3]):
        np.testing.assert_allclose(found.xywh, expected, atol=1e-4)
        np.testing.assert_allclose(found.scores, [0.9, 0.6, 0.5])
        assert found.xywh.dtype == found.scores.dtype == np.float32 and found.landmarks is None
    np.testing.assert_allclose(many[1].xywh, expected * [1 / 3, 1, 1 / 3, 1], atol=1e-4)
    assert load_detector(file)([]) == []


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        # At 8 x 8, 60x40 becomes 8 x 5 from row 1, or its columns 10 to 50 do 8 x 8.
        ("pad", [30, (4 - 1) * 40 / 5, 30, 4 * 40 / 5]),
        ("crop", [10 + 20, 20, 20, 20]),
        ("stretch", [30, 20, 30, 20]),
    ],
)
def test_boxes_come_back_from_each_way_to_fit(tmp_path, fit, expected):
    outputs = {"scores": SCORES[:1], "boxes": CORNERS[:1]}
    file = write_detector(tmp_path / "d.onnx", outputs, input={"fit": fit})
    np.testing.assert_allclose(detect(file).xywh, [expected], atol=1e-4)


def brute_force(boxes, scores, iou):
    """The surest box goes first and drops what overlaps it by more; until none is left."""
    left = list(np.argsort(-scores, kind="stable"))
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [n for n in left if overlap(boxes[best], boxes[n]) <= iou]
    return kept


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return shared / (areas - shared)


@pytest.mark.parametrize("iou", [0.0, 0.3, 0.7, 1.0])
def test_the_less_sure_of_two_that_overlap_is_dropped(tmp_path, iou):
    draw = np.random.default_rng(4)
    low = draw.uniform(0, 0.7, (60, 2))
    corners = np.concatenate([low, low + draw.uniform(0.05, 0.3, (60, 2))], axis=1)
    corners = corners.astype(np.float32).astype(np.float64)
    scores = draw.permutation(np.linspace(0.2, 0.99, 60)).astype(np.float32)
    outputs = {"scores": np.stack([1 - scores, scores], axis=1), "boxes": corners}
    file = write_detector(tmp_path / "d.onnx", outputs, detector={"iou": iou, "threshold": 0.5})
    sure = np.flatnonzero(scores >= 0.5)
    kept = sure[brute_force(corners[sure], scores[sure], iou)]
    found = detect(file)
    np.testing.assert_array_equal(found.scores, scores[kept])
    np.testing.assert_allclose(
        found.xywh, coded(corners[kept], "xywh") * [60, 40, 60, 40], atol=1e-4
    )


def test_of_too_many_boxes_the_surest_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(detector_file, "MOST_BOXES", 3)
    scores = np.array([0.6, 0.9, 0.7, 0.8, 0.65])
    boxes = np.array([[n / 8, 0, n / 8 + 0.1, 0.2] for n in range(5)])
    file = write_detector(
        tmp_path / "d.onnx", {"scores": np.c_[1 - scores, scores], "boxes": boxes}
    )
    (found,) = load_detector(file)([np.zeros((8, 8, 3), np.uint8)])
    np.testing.assert_allclose(found.scores, [0.9, 0.8, 0.7], atol=1e-6)


def test_a_box_beyond_all_numbers_is_refused_and_a_landmark_there_is_far(tmp_path):
    answers = {"scores": [[0, 1]], "boxes": [[0, 0, 3e38, 3e38]]}
    file = write_detector(tmp_path / "d.onnx", answers)
    with pytest.raises(InputError, match="a box reaches to infinity"):
        load_detector(file)([np.zeros((8, 8, 3), np.uint8)])
    answers = {"scores": [[0, 1]], "boxes": [[0, 0, 1, 1]], "landmarks": [[0, 0, 3e38, 3e38]]}
    file = write_detector(
        tmp_path / "d.onnx",
        answers,
        outputs={"landmarks": "landmarks"},
        detector={"template": [[0.2, 0.2], [0.8, 0.8]]},
    )
    seen, _ = objects_in(np.zeros((40, 40, 3), np.uint8), load_detector(file))
    assert seen[0].poor[0] == "misfit: a landmark lies outside the picture"


def test_boxes_without_area_and_pictures_without_objects(tmp_path):
    flat = [[0.2, 0.2, 0.2, 0.9], [0.5, 0.5, 0.4, 0.9], [0.1, 0.1, 0.9, 0.9]]
    outputs = {"scores": [[0, 0.9]] * 2 + [[0, 0.1]], "boxes": flat}
    found = detect(write_detector(tmp_path / "d.onnx", outputs))
    assert found.xywh.shape == (0, 4) and found.scores.shape == (0,)
    outputs = {"scores": [[0, 0.9]], "boxes": flat[2:], "points": [[0.3, 0.5, 0.7, 0.5]]}
    names = {"scores": "scores", "boxes": "boxes", "points": "landmarks"}
    template = {"template": [[0.3, 0.5], [0.7, 0.5]], "threshold": 0.95}
    file = write_detector(tmp_path / "d.onnx", outputs, outputs=names, detector=template)
    assert detect(file).landmarks.shape == (0, 2, 2)


def test_landmarks_and_their_template(tmp_path):
    marks = np.array([[0.1, 0.2] * 5, [0.5, 0.25, 0.75, 0.25, 0.6, 0.5, 0.5, 0.75, 0.75, 0.75]])
    outputs = {"scores": [[0, 0.6], [0, 0.9]], "boxes": CORNERS[:2], "marks": marks}
    names = {"scores": "scores", "boxes": "boxes", "marks": "landmarks"}
    detector = {"template": "arcface"}
    file = write_detector(tmp_path / "d.onnx", outputs, outputs=names, detector=detector)
    found = detect(file)
    expected = marks.reshape(2, 5, 2)[::-1] * [60, 40]
    np.testing.assert_allclose(found.landmarks, expected, atol=1e-4)
    assert found.landmarks.dtype == np.float32
    template = load_detector(file).template
    np.testing.assert_allclose(template, np.array(ARCFACE) / 112, atol=1e-7)
    short = {"template": [[0.2, 0.2], [0.8, 0.2]]}
    file = write_detector(tmp_path / "d.onnx", outputs, outputs=names, detector=short)
    with pytest.raises(InputError, match=r"its landmarks have shape \(1, 2, 10\).*\(1, 2, 4\) is"):
        detect(file)


def plain_priors(size_hw, strides, sizes, clip):
    """Boxes laid out by loops, in shares of the input as SSD has them, then in pixels."""
    height, width = size_hw
    rows = []
    for stride, own in zip(strides, sizes, strict=True):
        for y in range(int(np.ceil(height / stride))):
            for x in range(int(np.ceil(width / stride))):
                for size in own:
                    row = [(x + 0.5) / (width / stride), (y + 0.5) / (height / stride)]
                    row += [size / width, size / height]
                    rows.append([min(max(v, 0), 1) for v in row] if clip else row)
    return np.array(rows) * [width, height, width, height]


@pytest.mark.parametrize("clip", [True, False])
def test_boxes_told_from_boxes_laid_out_beforehand(clip):
    size_hw, strides, sizes = (48, 72), (16, 32), ((10, 20.5), (100,))
    laid = plain_priors(size_hw, strides, sizes, clip)
    priors = make_priors(size_hw, strides=strides, sizes=sizes, clip=clip)
    np.testing.assert_allclose(np.concatenate([priors.centre, priors.sides], axis=1), laid)
    draw = np.random.default_rng(5)
    told = draw.normal(size=(len(laid), 2, 2))
    marks = draw.normal(size=(len(laid), 3, 2))
    boxes = decode_boxes(told, priors, (0.1, 0.2))
    points = decode_points(marks, priors, (0.1, 0.2))
    for n, (x, y, w, h) in enumerate(laid):
        cx, cy = x + told[n, 0, 0] * 0.1 * w, y + told[n, 0, 1] * 0.1 * h
        bw, bh = w * np.exp(told[n, 1, 0] * 0.2), h * np.exp(told[n, 1, 1] * 0.2)
        expected = [[cx - bw / 2, cy - bh / 2], [cx + bw / 2, cy + bh / 2]]
        np.testing.assert_allclose(boxes[n], expected)
        for k in range(3):
            place = [x + marks[n, k, 0] * 0.1 * w, y + marks[n, k, 1] * 0.1 * h]
            np.testing.assert_allclose(points[n, k], place)


PRIORS = {"strides": [4], "sizes": [[4]], "variances": [0.1, 0.2], "clip": False}


def test_a_graph_that_tells_distances(tmp_path):
    told = np.zeros((4, 4))
    told[2] = [1, 0, 5 * np.log(2), 0]  # a box of the lower left cell, moved and twice as wide
    outputs = {"scores": [[1, 0]] * 2 + [[0, 1], [1, 0]], "boxes": told}
    detector = {"coding": "priors", "units": None}
    file = write_detector(tmp_path / "d.onnx", outputs, detector=detector, priors=PRIORS)
    found = detect(file)  # Centre (2 + 0.4, 6), sides 8 and 4, of 8 x 8.
    np.testing.assert_allclose(found.xywh, [[-1.6 * 60 / 8, 20, 60, 20]], atol=1e-3)
    told[2, 2] = 1e6
    file = write_detector(
        tmp_path / "d.onnx",
        {"scores": outputs["scores"], "boxes": told},
        detector=detector,
        priors=PRIORS,
    )
    with pytest.raises(InputError, match="reaches to infinity"):
        detect(file)
    file = write_detector(
        tmp_path / "d.onnx",
        outputs,
        detector=detector,
        priors={**PRIORS, "strides": [4, 8], "sizes": [[4], [8]]},
    )
    with pytest.raises(InputError, match=r"answers with 4 boxes, \[priors\] .* lays out 5"):
        detect(file)


@pytest.mark.parametrize(
    ("scores", "boxes", "words"),
    [
        ([[0, np.nan]], CORNERS[:1], r"output scores \(scores\) holds NaN"),
        ([[0, 1]], [[0, 0, np.inf, 1]], r"output boxes \(boxes\) holds NaN or infinity"),
        ([[0, 3.5]], CORNERS[:1], "scores reach from 3.5 to 3.5"),
        ([[-2, -1]], CORNERS[:1], "scores reach from -1"),
        ([[0.5]], CORNERS[:1], "without a column 1"),
        ([[0, 1]], CORNERS[:2], r"its boxes have shape \(1, 2, 4\) for scores of \(1, 1\)"),
        ([[0, 1]], [[0, 0, 1, 1, 1]], r"\(1, 1, 5\) .*\(1, 1, 4\) is needed"),
    ],
)
def test_answers_that_cannot_be_used(tmp_path, scores, boxes, words):
    file = write_detector(tmp_path / "d.onnx", {"scores": scores, "boxes": boxes})
    with pytest.raises(InputError, match=words) as error:
        detect(file)
    assert str(file) in str(error.value)


@settings(max_examples=60)
@given(st.tuples(side, side), st.tuples(side, side), st.sampled_from(FITS))
def test_places_go_there_and_back(picture_hw, size_hw, fit):
    lies = placed(picture_hw, size_hw, fit)
    height, width = picture_hw
    places = np.random.default_rng(0).uniform(-1, 2, (50, 2)) * [width, height]
    assert np.abs(lies.to_picture(lies.to_input(places)) - places).max() < 1e-3
    left, top, part_w, part_h = lies.part
    seen_left, seen_top, seen_w, seen_h = lies.window
    assert 0 <= left < left + part_w <= size_hw[1] and 0 <= top < top + part_h <= size_hw[0]
    assert 0 <= seen_left < seen_left + seen_w <= width
    assert 0 <= seen_top < seen_top + seen_h <= height
    corner = lies.to_input(np.array([seen_left + seen_w, seen_top + seen_h], dtype=float))
    np.testing.assert_allclose(corner, [left + part_w, top + part_h], atol=1e-6)


@settings(max_examples=40)
@given(st.tuples(st.integers(8, 900), st.integers(8, 900)), st.sampled_from(("pad", "crop")))
def test_padding_and_cropping_keep_the_shape_to_a_pixel(picture_hw, fit):
    lies = placed(picture_hw, (64, 96), fit)
    across, down = lies.part[2] / lies.window[2], lies.part[3] / lies.window[3]
    wanted = lies.window[2] * down, lies.window[3] * across
    off = 1 if fit == "pad" else max(across, down)  # a pixel of the input, or of the picture
    assert min(abs(wanted[0] - lies.part[2]), abs(wanted[1] - lies.part[3])) <= off
    whole = lies.window == (0, 0, picture_hw[1], picture_hw[0])
    assert whole or fit == "crop"


@pytest.mark.parametrize("shape", [(37, 51), (3, 200), (1, 1), (8, 12), (500, 333)])
def test_scaling_is_that_of_pillow_to_a_level(shape):
    draw = np.random.default_rng(6)
    picture = draw.integers(0, 256, (*shape, 3), dtype=np.uint8)
    lies = placed(shape, (24, 18), "stretch")
    assert lies == Placement((0, 0, shape[1], shape[0]), (0, 0, 18, 24))
    apart = scaled(picture, lies).astype(int) - resize(picture, (24, 18), 3)
    assert np.abs(apart).max() <= 1


def test_what_no_picture_covers_is_the_mean(tmp_path):
    file = write_detector(tmp_path / "d.onnx", {"scores": SCORES, "boxes": CORNERS})
    write_detector(file, {"scores": SCORES, "boxes": CORNERS}, input={"fit": "pad"})
    batch = load_detector(file)._session.prepared([PICTURE]).batch
    assert (batch[0, :, 0] == 0).all() and (batch[0, :, 6:] == 0).all()
    expected = (90 - np.array([120, 110, 100])) / [60, 50, 40]
    inside = batch[0, :, 1:6].reshape(3, -1)
    np.testing.assert_allclose(inside, np.repeat(expected[:, None], 40, axis=1), atol=1e-6)
