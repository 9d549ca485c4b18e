"""Boxes under augmentation: they go where their objects go, and end where those end."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from saccade.api.changes import make_changes
from saccade.augment import Augment, BoxAugment
from saccade.augment.boxes import followed
from saccade.augment.moves import Moves
from saccade.boxes.overlaps import iou_pairs
from saccade.cli.app import main
from saccade.config import AugmentSettings, Recipe
from saccade.errors import SettingError
from tests.test_augment import NOTHING, noise

SIZE = (96, 128)
ALL = {"rotate": 180.0, "scale": 0.4, "shift": 0.2, "flip": 0.5, "crop": 0.4}


def blobs(corners, size_hw=SIZE):
    """(n, 4) corners → (n, 1, H, W): in each an ellipse of ones that fills its box, on zeros."""
    height, width = size_hw
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    left, top, right, bottom = (side.view(-1, 1, 1) for side in corners.T)
    across = (x - (left + right) / 2) / ((right - left) / 2)
    down = (y - (top + bottom) / 2) / ((bottom - top) / 2)
    return (across**2 + down**2 <= 1).float()[:, None]


def rows(corners, classes=0.0, ignored=0.0):
    """(n, 4) → targets (n, 1, 6)."""
    ends = torch.tensor([classes, ignored]).expand(len(corners), 2)
    return torch.cat([corners, ends], 1)[:, None]


def seen(picture):
    """The box around what is bright in (1, H, W): (4,) corners; None where nothing is."""
    bright = torch.nonzero(picture[0] > 0.5)
    if not len(bright):
        return None
    (top, left), (bottom, right) = bright.amin(0).tolist(), bright.amax(0).tolist()
    return torch.tensor([left, top, right + 1, bottom + 1], dtype=torch.float32)


def change(pictures, targets, seed=0, mosaic=0.0, **changes):
    both = BoxAugment(Augment(**(NOTHING | changes)), mosaic=mosaic)
    return both.with_targets(pictures.clone(), targets, Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(
    middle=st.tuples(st.floats(30, 98), st.floats(30, 66)),
    sides=st.tuples(st.floats(16, 40), st.floats(16, 40)),
    turned=st.sampled_from([{}, *({name: value} for name, value in ALL.items()), ALL]),
    seed=st.integers(0, 2**31),
)
def test_a_box_follows_its_blob(middle, sides, turned, seed):
    (x, y), (w, h) = middle, sides
    corners = torch.tensor([[x - w / 2, y - h / 2, x + w / 2, y + h / 2]]).expand(6, 4)
    pictures, targets = change(blobs(corners), rows(corners), seed, **turned)
    for picture, (*box, label, _) in zip(pictures, targets[:, 0], strict=True):
        box, blob = torch.stack(box), seen(picture)
        at_edge = box[:2].min() <= 0 or bool((box[2:] >= torch.tensor([128.0, 96])).any())
        if label < 0:
            assert at_edge  # It has left; nothing else makes a box go.
        elif at_edge:
            # Of an ellipse that is cut less may be left than of its box.
            assert blob is None or bool(((blob - box)[:2] >= -1.5).all())
            assert blob is None or bool(((blob - box)[2:] <= 1.5).all())
        else:
            assert blob is not None
            assert float(iou_pairs(box, blob)) > 0.75
            assert float((box - blob).abs().max()) < 2


@pytest.mark.parametrize("size_hw", [(96, 128), (40, 40), (31, 57)])
def test_a_flip_is_exact(size_hw):
    pictures = noise(3, 3, *size_hw)
    corners = torch.tensor([[3.0, 5, 20, 25], [0, 0, 11, 9], [7, 7, 30, 31]])
    flipped, targets = change(pictures, rows(corners), flip=1.0)
    torch.testing.assert_close(flipped, pictures.flip(3), atol=1e-4, rtol=0)
    wanted = corners.clone()
    wanted[:, [0, 2]] = size_hw[1] - corners[:, [2, 0]]
    torch.testing.assert_close(targets[:, 0, :4], wanted, atol=1e-4, rtol=0)
    again = change(flipped, targets, flip=1.0)[1]
    torch.testing.assert_close(again[:, 0, :4], corners, atol=1e-4, rtol=0)


def test_a_quarter_turn_is_exact():
    quarter = Moves(*(torch.tensor([value]) for value in (0.0, 1.0, 1.0, 0.0, 0.0)))
    box = torch.tensor([[10.0, 4, 20, 34]])
    blob = quarter.boxes(box[None], 40, 40)[0]
    torch.testing.assert_close(blob, torch.tensor([[4.0, 20, 34, 30]]), atol=1e-4, rtol=0)


def test_all_zero_changes_nothing():
    pictures, targets = noise(4, 3, 9, 7), rows(torch.tensor([[1.0, 2, 1.5, 8]]).expand(4, 4))
    changed = change(pictures, targets)
    assert torch.equal(changed[0], pictures)
    assert torch.equal(changed[1], targets)


@pytest.mark.parametrize(
    ("shown", "label", "ignored"),
    [(1.0, 3, 0), (0.45, 3, 0), (0.35, 3, 1), (0.2, 3, 1), (0.1, -1, 1), (0.0, -1, 1)],
)
def test_what_leaves_is_ignored_and_then_gone(shown, label, ignored):
    # A box 40 wide at the left edge, moved to the left until the share ``shown`` is left.
    right = torch.tensor([2 * 40 * (1 - shown) / 100])
    moves = Moves(torch.ones(1), torch.zeros(1), torch.ones(1), right, torch.zeros(1))
    corners = torch.tensor([[0.0, 20, 40, 40]])
    found = followed(rows(corners, 3.0), moves, (100, 100))[0, 0]
    assert int(found[4]) == label
    assert label < 0 or int(found[5]) == ignored
    torch.testing.assert_close(found[:4], torch.tensor([0.0, 20, 40 * shown, 40]))


def test_a_crowd_is_passed_over_as_long_as_any_of_it_is_seen():
    right = torch.tensor([2 * 38 / 100])
    moves = Moves(torch.ones(1), torch.zeros(1), torch.ones(1), right, torch.zeros(1))
    corners = torch.tensor([[0.0, 20, 40, 40]])
    assert followed(rows(corners, 3.0, 1.0), moves, (100, 100))[0, 0].tolist()[4:] == [3, 1]
    assert followed(rows(corners, 3.0, 0.0), moves, (100, 100))[0, 0, 4] == -1


def test_padding_stays_padding():
    targets = torch.full((2, 3, 6), -1.0)
    _, found = change(noise(2, 3, 20, 30), targets, mosaic=1.0, **ALL)
    assert (found[..., 4] == -1).all()


@pytest.mark.parametrize("size_hw", [(40, 60), (33, 47)])
def test_a_mosaic_keeps_every_object_at_its_place(size_hw):
    # The object of picture i is grey i + 1, and its class is i.
    corners = torch.tensor([[6.0, 4, 26, 24]]).expand(5, 4)
    greys = torch.arange(1.0, 6).view(5, 1, 1, 1)
    targets = torch.cat([rows(corners), torch.full((5, 2, 6), -1.0)], 1)
    targets[:, 0, 4] = torch.arange(5.0)
    both = BoxAugment(Augment(**NOTHING), mosaic=1.0)
    mosaics, found, mixed = both._mixed(
        blobs(corners, size_hw) * greys, targets, Generator().manual_seed(3)
    )
    assert mixed.all()
    assert found.shape == (5, 12, 6)
    for own, (picture, boxes) in enumerate(zip(mosaics, found, strict=True)):
        real = boxes[boxes[:, 4] >= 0]
        assert len(real) == 4
        assert int(real[0, 4]) == own
        for x1, y1, x2, y2, label, _ in real.tolist():
            middle = picture[0, round((y1 + y2) / 2), round((x1 + x2) / 2)]
            assert float(middle) == pytest.approx(label + 1, abs=0.05)
            assert x2 - x1 == pytest.approx(20 * ((size_hw[1] + 1) // 2) / size_hw[1], abs=1e-4)
        assert len({tuple(box[:2]) for box in real.tolist()}) == 4


def test_a_mosaic_is_as_often_as_said_and_the_rest_stays():
    pictures, corners = noise(400, 1, 8, 8), torch.tensor([[1.0, 1, 7, 7]]).expand(400, 4)
    both = BoxAugment(Augment(**NOTHING), mosaic=0.25)
    made, found, mixed = both._mixed(pictures.clone(), rows(corners), Generator().manual_seed(0))
    assert 60 < int(mixed.sum()) < 140
    assert torch.equal(made[~mixed], pictures[~mixed])
    assert torch.equal(found[~mixed][:, :1], rows(corners)[~mixed])
    assert (found[~mixed][:, 1:, 4] == -1).all()


def test_one_picture_makes_no_mosaic():
    pictures, targets = noise(1, 3, 8, 8), rows(torch.tensor([[1.0, 1, 7, 7]]))
    assert torch.equal(change(pictures, targets, mosaic=1.0)[0], pictures)


def test_the_generator_decides():
    corners = torch.tensor([[20.0, 20, 60, 50]]).expand(4, 4)
    pictures, targets = noise(4, 3, *SIZE), rows(corners)
    first, again, other = (change(pictures, targets, seed, 0.5, **ALL) for seed in (5, 5, 6))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_a_mosaic_is_for_boxes_alone(capsys, tmp_path):
    recipe = Recipe(task="classify", augment=AugmentSettings(mosaic=0.5))
    with pytest.raises(SettingError, match=r"augment\.mosaic 0\.5 is for task detect alone"):
        make_changes(recipe)
    assert isinstance(make_changes(Recipe(task="detect")), BoxAugment)
    assert main(["train", str(tmp_path), "--task", "embed", "--augment.mosaic", "1"]) == 2
    assert "augment.mosaic" in capsys.readouterr().err
