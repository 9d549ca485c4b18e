"""Features made by hand, against scikit-image's and the papers' definitions."""

import numpy as np
import pytest
import torch
from skimage.feature import SIFT, canny, hog

from saccade.errors import InputError
from saccade.nn import PLAIN, make_backbone
from saccade.nn.hog import BINS, BLOCK
from saccade.nn.sift import WORDS, Sift


def drawn(n, channels, size_hw, seed=0):
    """Random smooth pictures (n, channels, H, W) float32 in [0, 1], as of bytes."""
    draw = np.random.default_rng(seed)
    coarse = torch.from_numpy(draw.random((n, channels, 7, 7)).astype(np.float32))
    fine = torch.nn.functional.interpolate(coarse, size_hw, mode="bicubic").clamp(0, 1)
    return (fine * 255).round() / 255


def made(name, channels, size_hw):
    return make_backbone(name, channels=channels, width=0, size_hw=size_hw)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(("channels", "size_hw"), [(1, (28, 28)), (3, (40, 33))])
def test_each_gives_as_many_numbers_as_it_says_and_keeps_pictures_apart(name, channels, size_hw):
    pictures = drawn(5, channels, size_hw)
    backbone = made(name, channels, size_hw)
    if isinstance(backbone, Sift):
        backbone.learn(pictures)
    found = backbone(pictures)
    assert found.shape == (5, backbone.features) and found.dtype == torch.float32
    assert found.min() >= 0 and found.max() <= 1
    assert torch.equal(found, torch.cat([backbone(one[None]) for one in pictures]))
    assert torch.equal(found, backbone(pictures))
    assert backbone(pictures[:0]).shape == (0, backbone.features)
    assert list(backbone.parameters()) == []


@pytest.mark.parametrize(
    ("channels", "size_hw"),
    [(1, (28, 28)), (3, (28, 28)), (3, (40, 33)), (1, (8, 8)), (1, (64, 96))],
)
def test_hog_equals_scikit_image(channels, size_hw):
    pictures = drawn(6, channels, size_hw)
    pictures[0] = 0.5  # without a gradient
    pictures[1] = pictures[1].round()  # only directions on the borders of bins
    backbone = made("hog", channels, size_hw)
    for picture, ours in zip(pictures, backbone(pictures), strict=True):
        peer = hog(
            picture.movedim(0, -1).double().numpy(),
            orientations=BINS,
            pixels_per_cell=(backbone.cell,) * 2,
            cells_per_block=(BLOCK,) * 2,
            block_norm="L2-Hys",
            channel_axis=-1,
        )
        assert np.abs(ours.numpy() - peer).max() < 1e-6


def test_canny_is_that_of_scikit_image_on_the_mean_of_the_channels():
    pictures = drawn(4, 3, (24, 30))
    found = made("canny", 3, (24, 30))(pictures)
    for picture, ours in zip(pictures, found, strict=True):
        assert np.array_equal(
            ours.reshape(24, 30), canny(picture.mean(0).double().numpy(), sigma=1.0)
        )
    assert 0 < found.mean() < 0.5
    assert not made("canny", 1, (16, 16))(torch.full((1, 1, 16, 16), 0.3)).any()


def test_sift_counts_the_nearest_words_of_a_pictures_keypoints():
    pictures = drawn(6, 1, (48, 48))
    backbone = made("sift", 1, (48, 48))
    backbone.learn(pictures)
    words = backbone.words.numpy()
    for picture, ours in zip(pictures, backbone(pictures), strict=True):
        finder = SIFT()
        finder.detect_and_extract(picture[0].double().numpy())
        counts = np.zeros(WORDS)
        for keypoint in finder.descriptors.astype(np.float64):
            counts[np.argmin(((words - keypoint) ** 2).sum(1))] += 1
        assert np.allclose(ours, counts / counts.sum(), atol=1e-6)


def test_sift_learns_the_same_words_again_and_few_keypoints_leave_words_out():
    pictures = drawn(2, 1, (32, 32), seed=4)
    words = []
    for _ in range(2):
        backbone = made("sift", 1, (32, 32))
        backbone.learn(pictures)
        words.append(backbone.words)
    assert torch.equal(*words)
    finite = torch.isfinite(words[0]).all(1)
    assert finite.any() and not finite.all()
    assert not backbone(pictures)[:, ~finite].any()


def test_a_picture_without_keypoints_has_an_empty_bag():
    backbone = made("sift", 1, (32, 32))
    backbone.learn(drawn(2, 1, (32, 32)))
    assert not backbone(torch.full((1, 1, 32, 32), 0.5)).any()


def test_sift_says_when_there_is_no_keypoint_at_all():
    with pytest.raises(
        InputError, match=r"no keypoint in 3 pictures of 16x16; set a larger data\.size"
    ):
        made("sift", 1, (16, 16)).learn(torch.zeros(3, 1, 16, 16))
