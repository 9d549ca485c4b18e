"""Random erasing: sizes, shapes and places of the rectangles against a slow loop, and the fill."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Generator

from saccade.augment import Augment
from saccade.augment.erasing import AREAS, RATIOS, TRIES, RandomErasing, rectangles

STILL = dict.fromkeys(("rotate", "scale", "shift", "flip", "brightness", "contrast", "erase"), 0.0)


def drawn(seed=0):
    return Generator().manual_seed(seed)


def noise(count=8, channels=3, height=20, width=30):
    return torch.rand(count, channels, height, width, generator=drawn(1))


def slow(height, width, draw):
    """Top, left, height and width of one rectangle, as the authors' code draws it."""
    for _ in range(TRIES):
        area = draw.uniform(*AREAS) * height * width
        ratio = draw.uniform(*RATIOS)
        tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if tall <= height and wide <= width:
            return draw.integers(height - tall + 1), draw.integers(width - wide + 1), tall, wide
    return None


@pytest.mark.parametrize("size_hw", [(64, 64), (40, 96)])
def test_rectangles_are_drawn_as_by_a_loop(size_hw):
    covered = rectangles(4000, size_hw, drawn(3)).numpy()
    draw = np.random.default_rng(4)
    wanted = np.array([slow(*size_hw, draw) for _ in range(4000)])
    rows, columns = covered.any(2), covered.any(1)
    assert (covered == rows[:, :, None] & columns[:, None, :]).all()
    ours = np.stack([rows.argmax(1), columns.argmax(1), rows.sum(1), columns.sum(1)], axis=1)
    for name, mine, theirs in zip(("top", "left", "tall", "wide"), ours.T, wanted.T, strict=True):
        assert stats.ks_2samp(mine, theirs).pvalue > 0.001, name


def test_every_rectangle_lies_within_and_has_an_allowed_area():
    areas = rectangles(2000, (100, 100), drawn()).float().mean((1, 2))
    assert AREAS[0] * 0.9 < float(areas.min()) < 0.03
    assert 0.37 < float(areas.max()) < AREAS[1] * 1.05


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 9), (3, 2), (2, 300)])
def test_small_and_long_pictures(size_hw):
    covered = rectangles(50, size_hw, drawn())
    assert covered.shape == (50, *size_hw)


def test_noise_covers_and_the_rest_stays():
    pictures = noise()
    changed, told = RandomErasing(chance=1.0)(pictures.clone(), drawn(2))
    covered = (changed != pictures).any(1)
    assert torch.equal(told, covered)
    for one, before, cover in zip(changed, pictures, covered, strict=True):
        assert len(one[:, cover].unique()) > 3
        assert torch.equal(one[:, ~cover], before[:, ~cover])
    assert float(changed.min()) >= 0 and float(changed.max()) < 1


def test_grey_is_one_value_a_picture():
    pictures = noise()
    changed, _ = RandomErasing(chance=1.0, grey=True)(pictures.clone(), drawn(2))
    covered = (changed != pictures).any(1)
    values = [one[:, cover].unique() for one, cover in zip(changed, covered, strict=True)]
    assert [len(each) for each in values] == [1] * len(pictures)
    assert len(torch.cat(values).unique()) == len(pictures)


def test_the_chance():
    pictures = noise(400, 1)
    changed, _ = RandomErasing(chance=0.3)(pictures.clone(), drawn())
    assert 80 < int((changed != pictures).any(3).any(2).any(1).sum()) < 160


def test_the_setting_reaches_the_pictures():
    pictures = noise()
    changed = Augment(**STILL, random_erasing=1.0)(pictures.clone(), drawn())
    assert (changed != pictures).any(3).any(2).any(1).all()
    assert torch.equal(Augment(**STILL)(pictures.clone(), drawn()), pictures)
