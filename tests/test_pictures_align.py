"""Landmarks to crops: against scikit-image, brute force and what is drawn; misfits are told."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from skimage.transform import SimilarityTransform, warp

from saccade.pictures.align import MARGIN, MOST_OFF, MOST_TILTED, Place, by_box, by_landmarks
from saccade.pictures.crop import cut
from tests.squares import face, photo

# J. Deng et al., "ArcFace", CVPR 2019: eyes, nose, corners of the mouth in a crop of 112 pixels.
FACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
) / 112  # fmt: skip
SIZE_HW = (1000, 1200)
MIDDLE = complex(600, 500)


def seen(place, template=FACE, noise=0.0, seed=0):
    """Where the landmarks lie in the picture, each off by ``noise`` of the crop's width."""
    off = np.random.default_rng(seed).normal(0, 1, template.shape) * noise * place.side
    points = place.corner + place.width * (template[:, 0] + 1j * template[:, 1])
    return np.column_stack([points.real, points.imag]) + off


def placed(side, degrees):
    width = side * np.exp(1j * np.deg2rad(degrees))
    return Place(MIDDLE - width * (0.5 + 0.5j), complex(width), aligned=True)


@settings(max_examples=25)
@given(side=st.floats(20, 500), degrees=st.floats(-59, 59), points=st.integers(2, 7))
def test_exact_landmarks_give_their_place_back(side, degrees, points):
    template = np.random.default_rng(points).random((points, 2))
    true = placed(side, degrees)
    found = by_landmarks(seen(true, template), template, SIZE_HW)
    assert not found.misfit and found.aligned
    assert found.corner == pytest.approx(true.corner, abs=1e-6)
    assert found.width == pytest.approx(true.width, abs=1e-6)


@settings(max_examples=25)
@given(
    side=st.floats(50, 400), degrees=st.floats(-50, 50), noise=st.floats(0, 0.04),
    seed=st.integers(0, 10**6),
)  # fmt: skip
def test_noisy_landmarks_give_the_place_that_scikit_image_gives(side, degrees, noise, seed):
    marks = seen(placed(side, degrees), noise=noise, seed=seed)
    found = by_landmarks(marks, FACE, SIZE_HW)
    assume(not found.misfit)
    reference = SimilarityTransform.from_estimate(marks, FACE)
    corners = np.array([[0, 0], [1, 0], [0.3, 0.9]])
    ours = found.corner + found.width * (corners[:, 0] + 1j * corners[:, 1])
    theirs = reference.inverse(corners)
    np.testing.assert_allclose(np.column_stack([ours.real, ours.imag]), theirs, atol=1e-6)


def test_no_other_turn_scale_and_shift_is_nearer():
    marks = seen(placed(200, 20), noise=0.04, seed=3)

    def off(values):
        turned = complex(*values[:2]) * (marks[:, 0] + 1j * marks[:, 1]) + complex(*values[2:])
        return np.mean(np.abs(turned - (FACE[:, 0] + 1j * FACE[:, 1])) ** 2)

    found = by_landmarks(marks, FACE, SIZE_HW)
    factor, shift = 1 / found.width, -found.corner / found.width
    ours = off([factor.real, factor.imag, shift.real, shift.imag])
    best = minimize(off, [1 / 150, 0, 0, 0], method="Nelder-Mead",
                    options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000})  # fmt: skip
    assert ours <= best.fun + 1e-9 and best.fun == pytest.approx(ours, rel=1e-3)


def test_every_wrong_order_of_the_landmarks_is_a_misfit():
    marks = seen(placed(200, 0))
    for order in itertools.permutations(range(5)):
        found = by_landmarks(marks[list(order)], FACE, SIZE_HW)
        assert bool(found.misfit) == (order != (0, 1, 2, 3, 4)), order


def test_noise_of_a_detector_passes_and_points_at_random_do_not():
    draw = np.random.default_rng(0)
    noisy = [by_landmarks(seen(placed(200, 10), noise=0.04, seed=n), FACE, SIZE_HW)
             for n in range(1000)]  # fmt: skip
    anywhere = [by_landmarks(400 + 200 * draw.random((5, 2)), FACE, SIZE_HW) for _ in range(1000)]
    assert np.mean([bool(one.misfit) for one in noisy]) <= 0.01
    assert np.mean([not one.misfit for one in anywhere]) <= 0.01


MISFITS = {
    "mirrored": (seen(placed(200, 0)) * [-1, 1] + np.array([1200, 0]), "landmarks do not fit"),
    "upside down": (seen(placed(200, 180)), "tilted by 180 degrees"),
    "too tilted": (seen(placed(200, MOST_TILTED + 1)), "tilted by 61 degrees"),
    "NaN": (np.full((5, 2), np.nan), "is no number"),
    "infinite": (np.full((5, 2), np.inf), "is no number"),
    "outside": (seen(placed(200, 0)) + np.array([900, 0]), "outside the picture"),
    "on one point": (np.full((5, 2), 300.0), "on one point"),
    "too few": (seen(placed(200, 0))[:3], "3 landmarks where the template has 5"),
    "none": (np.zeros((0, 2)), "0 landmarks"),
    "on a line": (np.column_stack([np.linspace(400, 600, 5), np.full(5, 500.0)]), "do not fit"),
}


@pytest.mark.parametrize(("marks", "said"), MISFITS.values(), ids=MISFITS)
def test_misfits_say_why(marks, said):
    found = by_landmarks(marks, FACE, SIZE_HW)
    assert said in found.misfit and "\n" not in found.misfit


@pytest.mark.parametrize("end", [0.5, 0.5001, np.nan])
def test_a_template_without_an_extent_is_a_misfit(end):
    marks = np.array([[10, 10], [50, 50]], np.float32)
    place = by_landmarks(marks, np.array([[0.5, 0.5], [end, end]], np.float32), (100, 100))
    assert place.misfit == "all points of the template lie on one"


def test_the_limit_is_the_root_mean_square_in_widths_of_the_crop():
    # Two points 0.6 apart and their middle, lifted by h: of the sum of squares, 0.18, the share
    # 0.18 / (0.18 + 2/3 h²) is explained.
    template = np.array([[0.2, 0.5], [0.8, 0.5], [0.5, 0.5]])
    for over, misfit in ((-0.001, False), (0.001, True)):
        rest = 3 * (MOST_OFF + over) ** 2
        lift = np.sqrt(1.5 * (0.18**2 / (0.18 - rest) - 0.18))
        marks = 300 + 100 * (template + np.array([[0, 0], [0, 0], [0, -lift]]))
        assert bool(by_landmarks(marks, template, SIZE_HW).misfit) == misfit


@settings(max_examples=25)
@given(
    x=st.floats(-50, 300), y=st.floats(-50, 300), width=st.floats(1, 200), height=st.floats(1, 200)
)
def test_the_crop_of_a_box_is_a_square_round_its_middle(x, y, width, height):
    place = by_box(np.array([x, y, width, height]))
    assert not place.aligned and not place.misfit
    assert place.side == pytest.approx(max(width, height) * (1 + 2 * MARGIN))
    assert place.corner + place.width * (0.5 + 0.5j) == pytest.approx(
        complex(x + width / 2, y + height / 2)
    )


@settings(max_examples=25)
@given(
    side=st.floats(10, 300), degrees=st.floats(-180, 180),
    x=st.floats(-50, 400), y=st.floats(-50, 250),
)  # fmt: skip
def test_a_crop_holds_the_pixels_that_scikit_image_warps(side, degrees, x, y):
    picture = photo((1, 40, 30, 120), (2, 180, 60, 96))
    width = side * np.exp(1j * np.deg2rad(degrees))
    place = Place(complex(x, y) - width * (0.5 + 0.5j), complex(width), aligned=True)
    size = int(np.ceil(side))  # so that nothing is reduced
    # Pixels' middles are whole numbers there, halves here.
    to_picture = SimilarityTransform(
        scale=side / size, rotation=np.deg2rad(degrees),
        translation=_shift(place, side / size, degrees),
    )  # fmt: skip
    wanted = warp(picture, to_picture, output_shape=(size, size), order=1, mode="edge",
                  preserve_range=True)  # fmt: skip
    assert np.abs(cut(picture, place, size) - wanted).max() <= 0.51


def _shift(place, scale, degrees):
    at = place.corner + scale * np.exp(1j * np.deg2rad(degrees)) * (0.5 + 0.5j) - (0.5 + 0.5j)
    return at.real, at.imag


def test_a_large_crop_is_the_mean_of_its_pixels_not_a_sample():
    fine = np.random.default_rng(0).integers(0, 256, (800, 800, 3)).astype(np.uint8)
    got = cut(fine, Place(0j, 800 + 0j, aligned=False), 100)
    means = fine.reshape(100, 8, 100, 8, 3).mean(axis=(1, 3))
    assert np.abs(got - means).max() <= 1


@pytest.mark.parametrize("x", [-5000.0, 5000.0])
def test_a_crop_beyond_the_edge_repeats_it(x):
    picture = photo((1, 0, 0, 64), size_hw=(64, 64))
    got = cut(picture, Place(complex(x, 0), 64 + 0j, aligned=False), 64)
    edge = picture[:, 0 if x < 0 else -1]
    assert np.abs(got.astype(int) - edge[:, None]).max() <= 1


def test_a_crop_of_one_pixel_and_of_a_picture_of_one_pixel():
    assert cut(face(1), by_box(np.array([3.0, 3, 1, 1]))).shape == (112, 112, 3)
    dot = np.full((1, 1, 3), 7, np.uint8)
    assert (cut(dot, by_box(np.array([0.0, 0, 1, 1]))) == 7).all()
