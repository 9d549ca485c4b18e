"""Every disturbance against another library's, and what is drawn: once, whatever the strength."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage import data
from skimage.transform import resize

from saccade.augment.disturbances import DISTURBANCES, GREY, SIGMAS, disturb, moved

H, W = 40, 56


@pytest.fixture(scope="module")
def pictures():
    """(6, 3, H, W) uint8: six views of one photograph."""
    whole = (255 * resize(data.astronaut(), (H + 12, W + 12))).round().astype(np.uint8)
    views = [whole[k : k + H, 2 * k : 2 * k + W] for k in range(6)]
    return torch.from_numpy(np.stack(views).transpose(0, 3, 1, 2).copy())


def named(name, pictures, strength, seed=0):
    return disturb(pictures, DISTURBANCES[name], strength, seed=seed)


def reference_moved(picture, degrees=0.0, right=0.0, down=0.0):
    """(c, H, W) float64: each pixel looked up where it comes from, by SciPy; edges repeated."""
    angle = math.radians(degrees)
    y, x = np.mgrid[:H, :W].astype(float)
    x, y = x - (W - 1) / 2 - right, y - (H - 1) / 2 - down
    from_x = math.cos(angle) * x - math.sin(angle) * y + (W - 1) / 2
    from_y = math.sin(angle) * x + math.cos(angle) * y + (H - 1) / 2
    channels = picture.numpy().astype(float)
    places = [from_y, from_x]
    return np.stack([map_coordinates(one, places, order=1, mode="nearest") for one in channels])


def difference(found, expected):
    return np.abs(np.asarray(found, float) - np.asarray(expected, float))


@pytest.mark.parametrize("name", DISTURBANCES)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_row_keeps_the_shape_and_starts_from_nothing(name, channels, pictures):
    row, given = DISTURBANCES[name], pictures[:, :channels].contiguous()
    before = given.clone()
    assert list(row.strengths) == sorted(row.strengths) and len(row.strengths) == 5
    assert torch.equal(disturb(given, row, row.undisturbed, seed=0), given)
    for strength in set(row.strengths) - {row.undisturbed}:
        found = disturb(given, row, strength, seed=0)
        assert found.shape == given.shape and found.dtype == torch.uint8
        assert torch.equal(found, disturb(given, row, strength, seed=0))
        changed = not torch.equal(found, given)
        assert changed == (name != "greying" or channels == 3)
    assert torch.equal(given, before)


def test_farther_from_undisturbed_is_farther_from_the_picture(pictures):
    for name, row in DISTURBANCES.items():
        middle = row.strengths.index(row.undisturbed)
        far = [
            float((named(name, pictures, s).float() - pictures).square().mean())
            for s in row.strengths
        ]
        assert far[: middle + 1] == sorted(far[: middle + 1], reverse=True), name
        assert far[middle:] == sorted(far[middle:]), name


@pytest.mark.parametrize(("degrees", "right", "down"), [(20, 0, 0), (0, 3.3, -7.1), (-35, 5, 2.5)])
def test_moves_are_those_of_scipy(degrees, right, down, pictures):
    values = {"degrees": degrees, "right": right, "down": down}
    found = moved(pictures, **{k: torch.full((6,), float(v)) for k, v in values.items()})
    for picture, one in zip(pictures, found, strict=True):
        assert difference(one, reference_moved(picture, **values)).max() <= 0.51


def test_a_positive_angle_turns_as_pillow_does(pictures):
    picture = pictures[0]
    image = Image.fromarray(picture.movedim(0, -1).numpy())
    expected = np.asarray(image.rotate(20, Image.Resampling.BILINEAR))
    found = moved(picture[None], degrees=torch.tensor([20.0]))[0].movedim(0, -1).numpy()
    inside = np.s_[12:-12, 16:-16]
    assert difference(found[inside], expected[inside]).max() <= 2


def test_a_rotation_goes_either_way_and_the_same_at_each_strength(pictures):
    many = pictures[:1].expand(40, -1, -1, -1)
    ways = []
    for degrees in (15.0, 30.0):
        signs = []
        for one in named("rotation", many, degrees):
            near = [difference(one, reference_moved(many[0], s * degrees)).max() for s in (1, -1)]
            assert min(near) <= 0.51
            signs.append(int(np.argmin(near)))
        ways.append(signs)
    assert ways[0] == ways[1] and 8 <= sum(ways[0]) <= 32


def test_a_shift_has_its_length_and_all_directions():
    dot = torch.zeros((60, 1, 41, 41), dtype=torch.uint8)
    dot[:, :, 20, 20] = 240
    angles = []
    for share in (0.1, 0.3):
        found = named("shift", dot, share)[:, 0].numpy().astype(float)
        mass = found.sum(axis=(1, 2))
        x = (found * np.arange(41)).sum(axis=(1, 2)) / mass - 20
        y = (found * np.arange(41)[:, None]).sum(axis=(1, 2)) / mass - 20
        assert np.hypot(x, y) == pytest.approx(np.full(60, share * 41), abs=0.05)
        angles.append(np.arctan2(y, x))
    assert angles[0] == pytest.approx(angles[1], abs=0.02)
    assert {int(turn) for turn in (angles[0] / (math.pi / 2)) // 1} == {-2, -1, 0, 1}


@pytest.mark.parametrize("factor", DISTURBANCES["scale"].strengths)
def test_scale_is_pillows_resize_in_the_middle_of_its_frame(factor, pictures):
    image = Image.fromarray(pictures[0].movedim(0, -1).numpy())
    size = (round(factor * W), round(factor * H))
    sized = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    top, left = ((abs(a - b) // 2) for a, b in zip((H, W), sized.shape, strict=False))
    if factor > 1:
        expected = sized[top : top + H, left : left + W]
    else:
        below, right = H - sized.shape[0] - top, W - sized.shape[1] - left
        expected = np.pad(sized, ((top, below), (left, right), (0, 0)), mode="edge")
    found = named("scale", pictures, factor)[0].movedim(0, -1)
    assert difference(found, expected).max() <= 1


@pytest.mark.parametrize("share", DISTURBANCES["occlusion"].strengths[1:])
def test_occlusion_hides_one_rectangle_of_its_share_inside(share):
    white = torch.full((200, 3, H, W), 255, dtype=torch.uint8)
    hidden = (named("occlusion", white, share) == GREY).numpy()
    assert (hidden == hidden[:, :1]).all()
    rows, columns = hidden[:, 0].any(axis=2), hidden[:, 0].any(axis=1)
    assert (hidden[:, 0] == rows[:, :, None] & columns[:, None, :]).all()
    for lines, side in ((rows, H), (columns, W)):
        assert set(lines.sum(axis=1)) == {round(math.sqrt(share) * side)}
        assert (np.abs(np.diff(lines.astype(int), axis=1)).sum(axis=1) <= 2).all()
        assert lines[:, 0].any() and lines[:, -1].any(), "the edges are reached"


def test_greying_goes_to_the_luma(pictures):
    red, green, blue = pictures.numpy().astype(float).transpose(1, 0, 2, 3)
    luma = (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]
    for share in DISTURBANCES["greying"].strengths:
        expected = (1 - share) * pictures.numpy() + share * luma
        assert difference(named("greying", pictures, share), expected).max() <= 2


@pytest.mark.parametrize("share", DISTURBANCES["blur"].strengths[1:])
def test_blur_is_scipys_gaussian(share, pictures):
    sigma = share * W
    values = pictures.numpy().astype(np.float64)
    radius = math.ceil(SIGMAS * sigma)
    expected = gaussian_filter(
        values, (0, 0, sigma, sigma), mode="mirror", radius=(0, 0, radius, radius)
    )
    assert difference(named("blur", pictures, share), expected).max() <= 0.51


def test_blur_of_a_picture_smaller_than_its_weights(pictures):
    assert named("blur", pictures[:, :, :3], 0.3).shape == (6, 3, 3, W)


def test_noise_has_its_deviation_and_one_pattern():
    grey = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    weak, strong = (named("noise", grey, sigma).double() - 128 for sigma in (0.04, 0.08))
    assert float(weak.std()) == pytest.approx(0.04 * 255, rel=0.02)
    assert float(weak.mean()) == pytest.approx(0, abs=0.2)
    assert (strong - 2 * weak).abs().max() <= 1.5
    assert not torch.equal(weak, named("noise", grey, 0.04, seed=1).double() - 128)


LUMINANCE = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55
14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92
49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""


@pytest.mark.parametrize("quality", DISTURBANCES["jpeg"].strengths[:-1])
def test_jpeg_is_the_cosine_transform_in_the_steps_of_its_table(quality, pictures):
    """ITU T.81, annex K.1, scaled as the Independent JPEG Group does; one channel."""
    grey = pictures[:1, 1:2]
    scaling = 5000 / quality if quality < 50 else 200 - 2 * quality
    table = np.array(LUMINANCE.split(), float).reshape(8, 8)
    steps = np.clip((table * scaling + 50) // 100, 1, 255)
    expected = np.empty((H, W))
    values = grey[0, 0].numpy().astype(float) - 128
    for y in range(0, H, 8):
        for x in range(0, W, 8):
            block = dctn(values[y : y + 8, x : x + 8], norm="ortho")
            expected[y : y + 8, x : x + 8] = idctn(np.round(block / steps) * steps, norm="ortho")
    far = difference(named("jpeg", grey, quality)[0, 0], (expected + 128).clip(0, 255))
    assert np.quantile(far, 0.95) <= 1.5  # A coefficient at the middle of a step may go either way.


@pytest.mark.parametrize(
    ("name", "enhance"),
    [("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast)],
)
def test_light_is_that_of_pillow(name, enhance, pictures):
    for factor in DISTURBANCES[name].strengths:
        for picture, found in zip(pictures, named(name, pictures, factor), strict=True):
            image = Image.fromarray(picture.movedim(0, -1).numpy())
            expected = np.asarray(enhance(image).enhance(factor)).transpose(2, 0, 1)
            assert difference(found, expected).max() <= 2
