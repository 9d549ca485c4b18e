"""Networks and losses of segmenters: sizes, what is summed, what counts nowhere, tiles."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Generator, nn
from torch.nn.functional import interpolate

from saccade.data.tiles import blend, tiles_of
from saccade.errors import InputError, SettingError
from saccade.losses.masks import Dice
from saccade.nn import make_backbone
from saccade.nn.fcn import Fcn
from saccade.tasks import tiling
from saccade.tasks.networks import build_network
from saccade.tasks.segment import SegmentTask, pixel_weights
from saccade.tasks.segmenter import likeliest, segment_batch
from saccade.values import VOID

SIZE = (64, 80)
CLASSES = 3


def card(**changes):
    return {
        "format": 1,
        "kind": "segmenter",
        "task": "segment",
        "backbone": "small_resnet",
        "width": 4,
        "channels": 3,
        "size_hw": list(SIZE),
        "classes": ["ground", "cat", "dog"],
        "segment": {"stride": 4, "depth": 0, "fit": "stretch", "overlap": 0.25, "masks": ""},
        "masks": {},
        "sha256": "",
    } | changes


def network(stride=4, depth=0, **changes):
    torch.manual_seed(0)
    told = {"stride": stride, "depth": depth, "fit": "stretch", "overlap": 0.25, "masks": ""}
    made = build_network(card(segment=told, **changes)).eval()
    for layer in (made.head.score,) if depth else made.head.lateral:  # They begin at 0.
        nn.init.normal_(layer.weight, generator=Generator().manual_seed(1))
    return made


def pictures(*shape, seed=0):
    return torch.rand(*shape, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize("stride", [2, 4, 8, 16, 32])
@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ("small_resnet", (48, 72)),
        ("small_resnet", (37, 61)),
        ("torchvision/squeezenet1_1", (75, 64)),
    ],
)
@pytest.mark.parametrize("depth", [0, 8])
def test_every_pixel_gets_scores_whatever_the_size(backbone, size, stride, depth):
    made = network(stride, depth, backbone=backbone, size_hw=list(size))
    logits = made(pictures(2, 3, *size))
    assert logits.shape == (2, CLASSES, *size) and torch.isfinite(logits).all()
    strides = made.head.strides
    assert strides == tuple(sorted(strides)) and strides[0] >= min(stride, strides[-1])


@pytest.mark.parametrize("depth", [0, 8])
def test_at_first_no_class_is_preferred(depth):
    told = card()["segment"] | {"depth": depth}
    made = build_network(card(segment=told))
    assert torch.equal(made(pictures(1, 3, *SIZE)), torch.zeros(1, CLASSES, *SIZE))


def test_a_network_begins_as_bilinear_interpolation_of_summed_scores():
    """Torch's own interpolation is the reference, right but for the edge of the picture."""
    made = network(stride=4)
    assert made.head.strides == (4, 8, 16)
    maps = made.maps(pictures(1, 3, *SIZE))
    found = made.head(maps)
    fine, middle, coarse = (layer(one) for layer, one in zip(made.head.lateral, maps, strict=True))

    def larger(scores, factor):
        return interpolate(scores, scale_factor=factor, mode="bilinear", align_corners=False)

    wanted = larger(fine + larger(middle + larger(coarse, 2), 2), 4)
    inner = (..., slice(16, -16), slice(16, -16))
    torch.testing.assert_close(found[inner], wanted[inner], rtol=1e-4, atol=1e-4)


def test_maps_are_mixed_where_they_meet():
    """Written out layer by layer; torch's own interpolation is right but for the edge."""
    made = network(stride=4, depth=8)
    head, maps = made.head, made.maps(pictures(1, 3, *SIZE))
    found = head.mix[2](head.lateral[2](maps[2]))
    for place in (1, 0):
        larger = interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)
        found = head.mix[place](head.lateral[place](maps[place]) + larger)
    wanted = interpolate(head.score(found), scale_factor=4, mode="bilinear", align_corners=False)
    inner = (..., slice(28, -28), slice(28, -28))
    torch.testing.assert_close(head(maps)[inner], wanted[inner], rtol=1e-4, atol=1e-4)


def test_a_backbone_without_maps_is_refused():
    backbone = make_backbone("mlp", channels=3, width=8, size_hw=(16, 16))
    with pytest.raises(InputError, match="small_resnet"):
        Fcn(backbone, channels=3, size_hw=(16, 16), classes=2, stride=4)


class Told(nn.Module):
    """In place of a network: it answers what it was told."""

    def __init__(self, logits):
        super().__init__()
        self.logits, self.size_hw = nn.Parameter(logits), tuple(logits.shape[2:])

    def maps(self, pictures):
        return [pictures]

    def head(self, maps):
        return self.logits


@pytest.mark.parametrize(
    ("loss", "dice"), [("cross_entropy", 0), ("cross_entropy", 1), ("focal", 0.5), ("dice", 0)]
)
def test_pixels_that_are_void_teach_nothing(loss, dice):
    draw = Generator().manual_seed(0)
    masks = torch.randint(CLASSES, (2, 9, 7), generator=draw).to(torch.uint8)
    masks[0, :4] = VOID
    told = Told(torch.randn(2, CLASSES, 9, 7, generator=draw))
    weights = torch.tensor([0.5, 1.0, 3.0])
    task = SegmentTask(told, loss=loss, dice=dice, class_weights=weights, smoothing=0.1)
    value = task(pictures(2, 3, 9, 7), masks)
    value.backward()
    slope = told.logits.grad
    assert value > 0 and not slope[0, :, :4].any() and slope[0, :, 4:].any() and slope[1].any()


def test_the_loss_is_that_of_pixels_and_of_whole_masks():
    draw = Generator().manual_seed(0)
    logits = torch.randn(2, CLASSES, 9, 7, generator=draw)
    masks = torch.randint(CLASSES, (2, 9, 7), generator=draw).to(torch.uint8)
    masks[1, :, 3] = VOID
    value = SegmentTask(Told(logits), loss="cross_entropy", dice=2.0, smoothing=0.0)(
        pictures(2, 3, 9, 7), masks
    )
    pixels = nn.functional.cross_entropy(logits, masks.long(), ignore_index=VOID)
    shares, whole = logits.softmax(1).numpy(), []
    for picture in range(2):
        known = masks[picture].numpy() != VOID
        for k in range(CLASSES):
            p, g = shares[picture, k][known], (masks[picture].numpy()[known] == k).astype(float)
            whole.append(1 - (2 * (p * g).sum() + 1) / ((p**2).sum() + (g**2).sum() + 1))
    assert value.item() == pytest.approx(pixels.item() + 2 * np.mean(whole), rel=1e-5)


def test_a_mask_that_is_all_void_gives_no_loss_and_no_nan():
    told = Told(torch.randn(1, CLASSES, 5, 5))
    masks = torch.full((1, 5, 5), VOID, dtype=torch.uint8)
    value = SegmentTask(told, loss="cross_entropy", dice=1.0)(pictures(1, 3, 5, 5), masks)
    value.backward()
    assert torch.isfinite(value) and not told.logits.grad.any()


def test_dice_without_unknown_pixels_is_the_same_with_all_known():
    logits = torch.randn(2, CLASSES, 6, 6, generator=Generator().manual_seed(0))
    masks = torch.randint(CLASSES, (2, 6, 6), generator=Generator().manual_seed(1))
    both = Dice()(logits, masks), Dice()(logits, masks, torch.ones(2, 6, 6, dtype=torch.bool))
    assert torch.equal(*both)


def test_a_loss_of_another_kind_is_refused():
    with pytest.raises(SettingError, match="cross_entropy, dice, focal"):
        SegmentTask(Told(torch.zeros(1, 2, 4, 4)), loss="arcface")


def test_large_pictures_are_learned_in_parts_of_the_input():
    told, seen = Told(torch.zeros(2, CLASSES, 8, 10)), []
    told.maps = lambda one: seen.append(one) or [one]
    task = SegmentTask(told, loss="cross_entropy")
    whole = torch.arange(20 * 30.0).view(1, 1, 20, 30).expand(2, 3, 20, 30)
    masks = torch.zeros(2, 20, 30, dtype=torch.uint8)
    for _ in range(20):
        task(whole, masks)
    corners = {int(one[0, 0, 0, 0]) for one in seen}
    assert all(one.shape == (2, 3, 8, 10) for one in seen) and len(corners) > 10
    for one in seen:
        assert torch.equal(one[0, 0] - one[0, 0, 0, 0], whole[0, 0, :8, :10])


def test_balanced_weights_are_those_of_scikit_learn():
    masks = np.random.default_rng(0).choice(3, 500, p=[0.8, 0.15, 0.05])
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=masks)
    np.testing.assert_allclose(pixel_weights(np.bincount(masks)), wanted, rtol=1e-6)
    assert pixel_weights([30, 0, 10]).tolist() == pytest.approx([2 / 3, 0, 2])


def test_probabilities_sum_to_one_and_mirror_images_are_answered_alike():
    made = network()
    given = (pictures(3, 3, *SIZE) * 255).to(torch.uint8)
    shares = segment_batch(made, given, mirror=True)
    torch.testing.assert_close(shares.sum(1), torch.ones(3, *SIZE))
    other = segment_batch(made, given.flip(3), mirror=True)
    torch.testing.assert_close(other.flip(3), shares, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 8, 21])
def test_the_likeliest_class_is_that_of_interpolated_probabilities(classes):
    shares = pictures(classes, 12, 9)
    wanted = interpolate(shares[None], size=(31, 40), mode="bilinear")[0].argmax(0)
    assert torch.equal(likeliest(shares, (31, 40)).long(), wanted)
    assert torch.equal(likeliest(shares, (12, 9)).long(), shares.argmax(0))


def test_of_equally_likely_classes_the_first_is_taken():
    assert not likeliest(torch.full((20, 3, 3), 0.05), (3, 3)).any()


@pytest.mark.parametrize("size", [(16, 20), (40, 50), (16, 61), (9, 7), (5, 90)])
def test_tiles_answer_what_the_whole_picture_would(size):
    """Where a pixel's answer depends on that pixel alone, tiles change nothing."""
    seen = []

    def answer(tiles):
        seen.append(tuple(tiles.shape))
        scaled = tiles.float() / 255
        return torch.cat([scaled[:, :1], 1 - scaled[:, :1]], 1)

    picture = (pictures(3, *size) * 255).to(torch.uint8)
    found = tiling.segment_tiles(answer, picture, (16, 20), classes=2, overlap=0.25)
    torch.testing.assert_close(found, answer(picture[None])[0])
    assert set(seen[:-1]) == {(1, 3, 16, 20)}


def test_tiles_are_blended_by_their_weights():
    """Of answers that count the tiles, the mean is that of ``blend``."""
    numbers = iter(range(100))

    def answer(tiles):
        return torch.full((1, 1, *tiles.shape[2:]), float(next(numbers)))

    picture = torch.zeros(3, 30, 20, dtype=torch.uint8)
    found = tiling.segment_tiles(answer, picture, (16, 20), classes=1, overlap=0.5)
    tiles = tiles_of((30, 20), (16, 20), overlap=0.5)
    each = ((one, np.full((1, 16, 20), n, np.float32)) for n, one in enumerate(tiles))
    np.testing.assert_array_equal(found, blend((30, 20), each))
    assert len(tiles) > 1 and found[0, 0, 0] == 0 and found[0, -1, 0] == len(tiles) - 1


def test_a_picture_too_large_for_tiles_is_refused(monkeypatch):
    monkeypatch.setattr(tiling, "MOST_BYTES", 1000)
    picture = torch.zeros(3, 30, 40, dtype=torch.uint8)
    with pytest.raises(InputError, match="30x40"):
        tiling.segment_tiles(lambda _: None, picture, (16, 16), classes=2, overlap=0)
