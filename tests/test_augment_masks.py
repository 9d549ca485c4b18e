"""Masks under augmentation: every pixel goes where that of the picture goes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from saccade.api.changes import make_changes
from saccade.augment import Augment, MaskAugment
from saccade.augment.masks import moved_masks
from saccade.augment.moves import Moves
from saccade.config import AugmentSettings, Recipe
from saccade.errors import SettingError
from saccade.values import VOID
from tests.test_augment import NOTHING

ALL = {"rotate": 180.0, "scale": 0.4, "shift": 0.2, "flip": 0.5, "crop": 0.4}


def change(pictures, masks, seed=0, **changes):
    both = MaskAugment(Augment(**(NOTHING | changes)))
    return both.with_targets(pictures.clone(), masks, Generator().manual_seed(seed))


def drawn(size_hw, seed=0, n=4, void=True):
    """Masks of large squares of 3 classes, and VOID."""
    draw = Generator().manual_seed(seed)
    coarse = torch.randint(0, 4, (n, 1, 4, 5), generator=draw).float()
    large = torch.nn.functional.interpolate(coarse, size=size_hw)[:, 0].byte()
    return torch.where(large == 3, VOID if void else 0, large)


def slow(mask, move, size_hw):
    """One mask after a move, pixel by pixel from what ``Moves`` says of a place."""
    height, width = size_hw
    cosine, sine, mirror, right, down = (float(part) for part in move)
    found = torch.full(size_hw, VOID, dtype=torch.uint8)
    exact = torch.ones(size_hw, dtype=torch.bool)  # not on the border of two pixels
    for row in range(height):
        for column in range(width):
            # In pixels from the middle, where a turn is a turn.
            x, y = column + 0.5 - width / 2, row + 0.5 - height / 2
            from_x = mirror * cosine * x - sine * y + right * width / 2 + width / 2
            from_y = mirror * sine * x + cosine * y + down * height / 2 + height / 2
            inside = 0 <= from_x < width and 0 <= from_y < height
            if inside:
                found[row, column] = mask[math.floor(from_y), math.floor(from_x)]
            near = min(abs(side - round(side)) for side in (from_x, from_y))
            exact[row, column] = near > 1e-4
    return found, exact


@settings(max_examples=25, deadline=None)
@given(
    size_hw=st.tuples(st.integers(3, 24), st.integers(3, 24)),
    angle=st.floats(-180, 180),
    zoom=st.floats(0.4, 2),
    mirror=st.sampled_from([-1.0, 1.0]),
    shift=st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)),
)
def test_a_move_is_that_of_a_plain_loop(size_hw, angle, zoom, mirror, shift):
    turn = math.radians(angle)
    parts = (zoom * math.cos(turn), zoom * math.sin(turn), mirror, *shift)
    masks = drawn(size_hw, n=1)
    found = moved_masks(masks, Moves(*(torch.tensor([part]) for part in parts)))[0]
    wanted, exact = slow(masks[0], parts, size_hw)
    assert torch.equal(found[exact], wanted[exact])


@pytest.mark.parametrize("name", [*ALL, "all"])
def test_masks_follow_their_pictures(name):
    changes = ALL if name == "all" else {name: ALL[name]}
    masks = drawn((48, 64), void=False, n=16)
    pictures = torch.stack([(masks == number).float() for number in range(3)], dim=1)
    moved, wanted = change(pictures, masks, seed=3, **changes)
    known = wanted != VOID
    assert wanted.dtype == torch.uint8 and known.float().mean() > 0.4
    # Bilinear and nearest agree away from the borders of classes.
    sure = (moved.max(dim=1).values > 0.99) & known
    assert sure.float().mean() > 0.35
    assert torch.equal(moved.argmax(dim=1)[sure], wanted[sure].long())
    if name in ("flip", "crop"):
        assert known.all()  # Nothing comes from outside.
    elif name != "scale":
        assert not known.all()


def test_a_flip_is_exact():
    masks = drawn((31, 57))
    _, wanted = change(torch.rand(4, 3, 31, 57), masks, flip=1.0)
    assert torch.equal(wanted, masks.flip(2))


def test_without_changes_nothing_changes():
    pictures, masks = torch.rand(4, 3, 9, 7), drawn((9, 7))
    moved, wanted = change(pictures, masks)
    assert torch.equal(moved, pictures) and torch.equal(wanted, masks)


def test_what_is_covered_is_void():
    pictures, masks = torch.full((32, 3, 24, 24), 2.0), drawn((24, 24), n=32, void=False)
    moved, wanted = change(pictures, masks, erase=0.5)
    covered = moved[:, 0] != 2.0
    assert 0.2 < covered.flatten(1).any(1).float().mean() < 0.8
    assert torch.equal(wanted == VOID, covered)
    assert torch.equal(wanted[~covered], masks[~covered])


def test_pictures_are_changed_as_for_other_tasks():
    """So that what is found of augmentation there holds here."""
    chosen = NOTHING | ALL | {"brightness": 0.3, "contrast": 0.3, "erase": 0.5, "colour": 0.2}
    pictures, masks = torch.rand(6, 3, 20, 30), drawn((20, 30), n=6)
    ours, _ = MaskAugment(Augment(**chosen)).with_targets(
        pictures.clone(), masks, Generator().manual_seed(5)
    )
    theirs = Augment(**chosen)(pictures.clone(), Generator().manual_seed(5))
    assert torch.equal(ours, theirs)


def test_light_leaves_masks():
    masks = drawn((12, 12))
    pictures = torch.rand(4, 3, 12, 12)
    moved, wanted = change(pictures, masks, brightness=0.5, contrast=0.5, colour=0.5)
    assert not torch.equal(moved, pictures) and torch.equal(wanted, masks)


def test_what_is_pasted_comes_with_its_mask():
    """Each picture is itself, but where one other shows things; that one is the same for all."""
    pictures, masks = torch.rand(8, 3, 10, 14), drawn((10, 14), n=8)
    masks[:, :2] = VOID
    both = MaskAugment(Augment(**NOTHING), paste=1.0)
    seen, wanted = both.with_targets(pictures.clone(), masks, Generator().manual_seed(3))
    partners = []
    for own in range(8):
        for other in range(8):
            expected, mask = pictures[own].clone(), masks[own].clone()
            for row in range(10):
                for column in range(14):
                    if masks[other, row, column] not in (0, VOID):
                        expected[:, row, column] = pictures[other, :, row, column]
                        mask[row, column] = masks[other, row, column]
            if torch.equal(seen[own], expected) and torch.equal(wanted[own], mask):
                partners.append(other)
                break
    assert sorted(partners) == list(range(8)) and partners != list(range(8))


def test_things_are_pasted_with_their_chance():
    pictures, masks = torch.rand(400, 1, 4, 4), torch.zeros(400, 4, 4, dtype=torch.uint8)
    masks[:, 1:3, 1:3] = 1
    both = MaskAugment(Augment(**NOTHING), paste=0.25)
    seen, _ = both.with_targets(pictures.clone(), masks, Generator().manual_seed(0))
    assert 70 < int((seen != pictures).flatten(1).any(1).sum()) < 130


def test_a_recipe_of_masks():
    assert isinstance(make_changes(Recipe(task="segment")), MaskAugment)
    with pytest.raises(SettingError, match="is for task detect alone"):
        make_changes(Recipe(task="segment", augment=AugmentSettings(mosaic=0.5)))
    chosen = Recipe(task="segment", augment=AugmentSettings(paste=0.5))
    assert make_changes(chosen).paste == 0.5
    for task in ("detect", "classify", "forecast"):
        with pytest.raises(SettingError, match=r"augment\.paste 0.5 is for task segment alone"):
            make_changes(Recipe(task=task, augment=AugmentSettings(paste=0.5)))
