"""Augmentation: what each setting does, and that it does no more."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from saccade.augment import Augment
from saccade.augment import batch as module

NOTHING = {
    "rotate": 0.0,
    "scale": 0.0,
    "shift": 0.0,
    "flip": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "erase": 0.0,
}
STRONG = {
    "rotate": 90.0,
    "scale": 0.5,
    "shift": 0.4,
    "flip": 0.5,
    "brightness": 0.4,
    "contrast": 0.5,
    "erase": 0.7,
}


def augment(pictures, seed=0, **changes):
    return Augment(**(NOTHING | changes))(pictures.clone(), Generator().manual_seed(seed))


def noise(count, channels, height, width):
    return torch.rand(count, channels, height, width, generator=Generator().manual_seed(1))


@pytest.fixture
def forced(monkeypatch):
    """Make every symmetric draw the largest one."""
    monkeypatch.setattr(module, "_symmetric", lambda count, generator: torch.ones(count))


def test_all_zero_changes_nothing():
    pictures = noise(4, 3, 9, 7)
    assert torch.equal(augment(pictures), pictures)


@pytest.mark.parametrize("name", NOTHING)
def test_each_setting_alone_changes_something(name):
    pictures = noise(8, 1, 16, 16)
    assert not torch.allclose(augment(pictures, **{name: STRONG[name]}), pictures, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (5, 3, 28, 28), (2, 3, 64, 56), (3, 1, 8, 30)])
def test_shape_and_type_stay(shape):
    changed = augment(noise(*shape), **STRONG)
    assert changed.shape == shape
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()


def test_the_batch_given_is_not_written_to():
    pictures = noise(4, 3, 9, 7)
    before = pictures.clone()
    augment(pictures, **STRONG)
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("shape", [(4, 3, 16, 16), (4, 1, 9, 14)])
def test_a_certain_flip_mirrors(shape):
    pictures = noise(*shape)
    torch.testing.assert_close(augment(pictures, flip=1.0), pictures.flip(3), atol=1e-4, rtol=0)


def test_flip_chance():
    pictures = noise(400, 1, 8, 8)
    kept = torch.isclose(augment(pictures, flip=0.25), pictures, atol=1e-3).all(3).all(2).all(1)
    assert 250 < int(kept.sum()) < 350


def test_a_quarter_turn_is_rot90(forced):
    pictures = noise(3, 3, 16, 16)
    turned = augment(pictures, rotate=90.0)
    assert any(torch.allclose(turned, torch.rot90(pictures, k, (2, 3)), atol=1e-4) for k in (1, -1))


def test_half_a_turn_of_an_oblong(forced):
    pictures = noise(2, 1, 10, 22)
    turned = augment(pictures, rotate=180.0)
    torch.testing.assert_close(turned, pictures.flip(2, 3), atol=1e-4, rtol=0)


def test_a_turn_keeps_distances_in_an_oblong(forced):
    picture = torch.zeros(1, 1, 21, 41)
    picture[0, 0, 10, 26] = 1.0  # six pixels right of the centre
    turned = augment(picture, rotate=90.0)[0, 0]
    row, column = divmod(int(turned.argmax()), 41)
    assert (abs(row - 10), column) == (6, 20)
    assert float(turned.max()) > 0.99


def test_a_shift_moves_by_a_share_of_the_side(forced):
    picture = torch.zeros(1, 1, 20, 40)
    picture[0, 0, 10, 20] = 1.0
    moved = augment(picture, shift=0.2)[0, 0]
    row, column = divmod(int(moved.argmax()), 40)
    assert (abs(row - 10), abs(column - 20)) == (4, 8)


def test_scale_changes_the_size(forced):
    picture = torch.zeros(1, 1, 40, 40)
    picture[0, 0, 10:30, 10:30] = 1.0
    share = float(augment(picture, scale=0.25).mean() / picture.mean())
    assert share == pytest.approx(1.25**-2, rel=0.03)


def test_light_is_an_affine_change_of_the_picture(forced):
    pictures = noise(2, 3, 8, 8)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    changed = augment(pictures, brightness=0.3, contrast=0.2)
    torch.testing.assert_close(changed, (pictures - mean) * 1.2 + mean + 0.3)


def test_a_covered_rectangle_is_one_grey_of_bounded_size():
    pictures = noise(200, 3, 20, 30)
    changed = augment(pictures, erase=1.0)
    covered = (changed != pictures).any(1)
    assert covered.any(2).sum(1).max() <= 0.4 * 20 + 1
    assert covered.any(1).sum(1).max() <= 0.4 * 30 + 1
    assert int(covered.any(2).any(1).sum()) > 190
    for picture, cover in zip(changed, covered, strict=True):
        assert len(picture[:, cover].unique()) <= 1
        rows, columns = cover.any(1), cover.any(0)
        assert torch.equal(cover, rows[:, None] & columns[None])


def test_erase_chance():
    pictures = noise(400, 1, 20, 20)
    changed = (augment(pictures, erase=0.3) != pictures).any(3).any(2).any(1)
    assert 80 < int(changed.sum()) < 160


def test_the_generator_decides():
    pictures = noise(4, 3, 16, 16)
    assert torch.equal(augment(pictures, seed=5, **STRONG), augment(pictures, seed=5, **STRONG))
    assert not torch.equal(augment(pictures, seed=5, **STRONG), augment(pictures, seed=6, **STRONG))
    global_state = torch.random.get_rng_state()
    augment(pictures, **STRONG)
    assert torch.equal(torch.random.get_rng_state(), global_state)


def test_the_draws_are_those_of_all_runs_before():
    # What an earlier release made of these pictures, where there was no crop and no colour.
    pictures = torch.rand(4, 3, 16, 20, generator=Generator().manual_seed(1))
    changed = augment(pictures, **STRONG)
    means = [
        [0.41407734, 0.43468007, 0.44494343],
        [0.56172901, 0.53512204, 0.52771490],
        [0.82655489, 0.84432429, 0.86671650],
        [0.10653683, 0.09553269, 0.10472535],
    ]
    sums = [
        [2.17280817, 12.62044716, 5.47243547],
        [2.61878705, -8.49296570, -2.99957323],
        [4.43976355, 0.22219658, -6.03737020],
        [3.70345020, -2.35673165, 1.26054955],
    ]
    torch.testing.assert_close(changed.mean((2, 3)), torch.tensor(means), atol=1e-4, rtol=0)
    slope = torch.linspace(-1, 1, 320).view(16, 20)
    torch.testing.assert_close((changed * slope).sum((2, 3)), torch.tensor(sums), atol=0.01, rtol=0)


def test_a_crop_is_a_window_of_the_picture():
    # Each pixel's value is where it was: across in the first channel, down in the second.
    across, down = torch.linspace(0, 1, 40), torch.linspace(0, 1, 30)
    picture = torch.stack(torch.broadcast_tensors(across, down[:, None]))
    changed = augment(picture.expand(64, -1, -1, -1), crop=0.5)
    sides = changed.amax((2, 3)) - changed.amin((2, 3))
    assert float(sides.min()) > 0.44
    assert float(sides[:, 0].std()) > 0.05
    torch.testing.assert_close(sides[:, 0], sides[:, 1], atol=0.03, rtol=0)
    beyond = [float(changed.amin()), 1 - float(changed.amax())]
    assert min(beyond) >= -1e-5


def test_colour_changes_each_channel_by_one_factor():
    pictures = noise(32, 3, 8, 8) * 0.5 + 0.1
    factors = augment(pictures, colour=0.5) / pictures
    torch.testing.assert_close(factors, factors[:, :, :1, :1].expand_as(factors))
    assert float(factors.max()) <= 1.5
    assert float(factors.min()) >= 1 / 1.5 - 1e-6
    assert float(factors[:, :, 0, 0].std(1).min()) > 0


@settings(max_examples=40)
@given(
    rotate=st.floats(0, 180),
    scale=st.floats(0, 0.9),
    shift=st.floats(0, 0.9),
    flip=st.floats(0, 1),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 0.9),
    erase=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_values_stay_in_a_sane_range(seed, **changes):
    changed = augment(noise(3, 2, 9, 12), seed, **changes)
    assert torch.isfinite(changed).all()
    beyond = changes["brightness"] + changes["contrast"] + 1e-4
    assert -beyond <= float(changed.min())
    assert float(changed.max()) <= 1 + beyond
