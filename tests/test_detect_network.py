"""Networks and losses of detectors: whatever goes in, what comes out is finite and its own."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
import torch
from torch import Generator

from saccade.boxes.formats import mirrored
from saccade.boxes.overlaps import iou_matrix
from saccade.errors import InputError
from saccade.losses.box_losses import BOX_LOSSES
from saccade.losses.remedies import REMEDIES
from saccade.nn.region_head import RegionHead
from saccade.nn.stages import stage_maps
from saccade.tasks.card import read_card
from saccade.tasks.detect import DetectTask, Weights
from saccade.tasks.detecting import detect_batch
from saccade.tasks.detector import FAMILIES
from saccade.tasks.model import Model
from saccade.tasks.networks import build_network

SIZE = (64, 96)
SECOND = {"proposals": 200, "kept": 20, "units": 16, "pool": "align"}
ANSWER = {"suppression": "hard", "overlap": 0.5, "at_least": 0.0, "most": 20}
BOXES = {
    "none": [],
    "one": [(10, 10, 40, 50, 1, 0)],
    "two and a crowd": [(10, 10, 40, 50, 1, 0), (50, 8, 90, 60, 0, 0), (0, 0, 30, 30, 0, 1)],
    "all ignored": [(0, 0, 96, 64, 0, 1)],
    "huge": [(-1e6, -1e6, 1e6, 1e6, 0, 0)],
    "without an area": [(20, 20, 20, 40, 0, 0)],
    "the same twice": [(10, 10, 40, 50, 1, 0), (10, 10, 40, 50, 0, 0)],
}


def card(family="one_stage", **changes):
    told = {
        "family": family,
        "strides": [8, 16, 32],
        "side": 3.0,
        "scales": 1,
        "ratios": [0.5, 1.0, 2.0],
        "fine_ratios": [1.0],
        "depth": 8,
    } | (SECOND if family == "two_stage" else {})
    return {
        "format": 1,
        "kind": "detector",
        "task": "detect",
        "backbone": "small_resnet",
        "width": 8,
        "channels": 3,
        "size_hw": list(SIZE),
        "classes": ["cat", "dog"],
        "detect": told | changes,
        "answer": dict(ANSWER),
        "sha256": "",
    }


def network(family="one_stage", **changes):
    torch.manual_seed(0)
    return build_network(card(family, **changes))


def task(family="one_stage", *, remedy="ignore_band", box_loss="giou", repulsion=0.0):
    return DetectTask(
        network(family),
        remedy=REMEDIES[remedy].make(),
        box_loss=BOX_LOSSES[box_loss].make(),
        weights=Weights(2.0, repulsion),
    )


def pictures(count, seed=0):
    return torch.rand(count, 3, *SIZE, generator=Generator().manual_seed(seed))


def targets(*each):
    most = max([1, *map(len, each)])
    found = torch.full((len(each), most, 6), -1.0)
    for row, boxes in zip(found, each, strict=True):
        row[: len(boxes)] = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 6)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_every_part(family):
    trained = task(family, repulsion=0.5)
    trained(pictures(2), targets(BOXES["two and a crowd"], BOXES["one"])).backward()
    used = {name: one for name, one in trained.named_parameters() if one.requires_grad}
    still = [name for name, one in used.items() if one.grad is None or not one.grad.any()]
    assert not still


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("boxes", BOXES)
def test_no_batch_makes_a_loss_that_is_no_number(family, boxes):
    trained = task(family, repulsion=0.5)
    for batch in ([BOXES[boxes]], [BOXES[boxes], BOXES["one"]], [BOXES[boxes], []]):
        loss = trained(pictures(len(batch)), targets(*batch))
        loss.backward()
        assert loss.isfinite()
    grads = [one.grad for one in trained.parameters() if one.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("remedy", REMEDIES)
@pytest.mark.parametrize("boxes", ["none", "all ignored", "huge"])
def test_every_remedy_bears_odd_boxes(remedy, boxes):
    for box_loss in BOX_LOSSES:
        loss = task(remedy=remedy, box_loss=box_loss)(pictures(1), targets(BOXES[boxes]))
        assert loss.isfinite(), box_loss


def test_five_hundred_boxes():
    drawn = torch.rand(500, 2, generator=Generator().manual_seed(2)) * torch.tensor([80.0, 50])
    ends = torch.tensor([0.0, 0.0]).expand(500, 2)
    many = torch.cat([drawn, drawn + 14, ends], 1)[None]
    for family in FAMILIES:
        assert task(family)(pictures(1), many).isfinite()


def test_padding_changes_no_loss():
    trained, boxes = task(), targets(BOXES["two and a crowd"])
    padded = torch.cat([torch.full((1, 4, 6), -1.0), boxes, torch.full((1, 3, 6), -1.0)], 1)
    trained.eval()
    torch.testing.assert_close(trained(pictures(1), padded), trained(pictures(1), boxes))


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_gives_about_the_same_loss(family):
    trained, given = task(family).eval(), (pictures(2), targets(BOXES["one"], []))
    whole = trained.network.head(trained.network.maps(given[0])).objectness
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.manual_seed(1)
        half = trained(*given)
        found = trained.network(given[0])
    torch.manual_seed(1)
    loss = trained(*given)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(loss.item(), rel=0.1)
    assert all(one.corners.isfinite().all() for one in found)
    assert whole.dtype == torch.float32
    half.backward()
    assert all(one.grad is None or one.grad.isfinite().all() for one in trained.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_goes_down_and_the_object_is_found(family):
    trained = task(family)
    given = torch.zeros(4, 3, *SIZE)
    given[:, :, 16:48, 24:64] = 1.0
    given[2:, 1:, 16:48, 24:64] = 0.0
    wanted = [(24, 16, 64, 48, 0, 0)], [(24, 16, 64, 48, 1, 0)]
    batch = targets(wanted[0], wanted[0], wanted[1], wanted[1])
    optimiser = torch.optim.AdamW(trained.parameters(), lr=1e-2)
    losses = []
    for _ in range(50):
        optimiser.zero_grad()
        loss = trained(given, batch)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
    found = detect_batch(trained.network, (given * 255).byte(), ANSWER)
    for one in found:
        overlap = iou_matrix(one.corners[:1], torch.tensor([[24.0, 16, 64, 48]]))
        assert float(overlap) > 0.6


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_found_does_not_depend_on_the_batch(family):
    own, given = network(family), (pictures(5) * 255).byte()
    together = detect_batch(own, given, ANSWER)
    for row, one in enumerate(together):
        (alone,) = detect_batch(own, given[row : row + 1], ANSWER)
        torch.testing.assert_close(one.corners, alone.corners, atol=1e-2, rtol=1e-4)
        torch.testing.assert_close(one.scores, alone.scores, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_copies_and_saved_weights_answer_the_same(family, tmp_path):
    own, given = network(family).eval(), pictures(2)
    Model(card(family), own).save(tmp_path)
    wanted = own(given)
    copied = copy.deepcopy(own)
    loaded = Model.load(tmp_path).network
    for other in (copied, loaded):
        for one, again in zip(wanted, other(given), strict=True):
            assert torch.equal(one.corners, again.corners)
            assert torch.equal(one.scores, again.scores)
    with torch.no_grad():
        copied.head.last[0].bias += 1
    assert torch.equal(own(given)[0].scores, wanted[0].scores)


@pytest.mark.parametrize("kept", [1, 4, 20, 200])
def test_proposals_are_those_of_one_slow_look_at_all(kept):
    asked = network("two_stage", kept=kept).eval()
    with torch.no_grad():
        for layer in asked.head.last:
            torch.nn.init.normal_(layer.weight, std=0.5)
        answers = asked.head(asked.maps(pictures(3)))
        for boxes, likely, found in zip(
            asked.placed(answers), answers.objectness, asked.proposed(answers), strict=True
        ):
            boxes = boxes[likely.argsort(descending=True)[: SECOND["proposals"]]]
            boxes = [box for box in boxes if (box[2:] - box[:2]).min() >= 1]
            stay = []
            for box in boxes:
                if all(iou_matrix(box[None], one[None]) <= 0.7 for one in stay):
                    stay.append(box)
            torch.testing.assert_close(found, torch.stack(stay[:kept]))


def test_anchors_cover_what_they_are_made_for():
    # Sides from the smallest anchor's, 8 * 3, to the largest's, 32 * 3, cut by the picture.
    generator = Generator().manual_seed(4)
    own = network(scales=2, fine_ratios=[0.5, 1.0, 2.0])
    sides = 24 * 4 ** torch.rand(300, 1, generator=generator)
    sides = sides * (2 ** (torch.rand(300, 1, generator=generator) - 0.5)) ** torch.tensor([1, -1])
    sides = torch.minimum(sides, torch.tensor([90.0, 60]))
    low = torch.rand(300, 2, generator=generator) * (torch.tensor([96.0, 64]) - sides)
    best = iou_matrix(own.anchors, torch.cat([low, low + sides], 1)).amax(0)
    assert float(best.min()) > 0.4
    assert float(best.mean()) > 0.65


def test_a_region_is_looked_at_where_it_is_also_on_maps_that_reach_over_the_picture():
    # 60 x 96 pixels on a map of 2 x 3 places: 30 pixels down, 32 across.
    head = RegionHead(depth=2, strides=[32], size_hw=(60, 96), classes=1, units=4, pool="align")
    down, across = (torch.arange(2) + 0.5) * 30, (torch.arange(3) + 0.5) * 32
    places = torch.stack(torch.broadcast_tensors(across, down[:, None]))[None]
    pooled = head._pooled([places], [torch.tensor([[40.0, 20, 60, 40]])])
    assert pooled[0].mean((1, 2)).tolist() == pytest.approx([50, 30], abs=0.01)


@pytest.mark.parametrize("backbone", ["pixels", "hog"])
def test_a_backbone_without_maps_is_refused(backbone):
    told = card() | {"backbone": backbone}
    with pytest.raises(InputError, match="convolutions"):
        build_network(told)


@pytest.mark.parametrize(
    "changes",
    [
        {"strides": [8, 8]},
        {"strides": [8.0, 16.0]},
        {"strides": [6, 12]},
        {"strides": []},
        {"ratios": [1.0] * 10_000},
        {"ratios": [float("nan")]},
        {"scales": 1.5},
        {"scales": 10**9},
        {"depth": 8.5},
        {"family": ["one_stage"]},
        {"family": "three_stage"},
        {"pool": "align"},
        {"side": -1},
    ],
)
def test_a_card_of_a_network_that_cannot_be_is_refused(changes, tmp_path):
    file = tmp_path / "model.json"
    file.write_text(json.dumps(card()))
    assert read_card(file)["kind"] == "detector"
    file.write_text(json.dumps(card(**changes)))
    with pytest.raises(InputError, match="not a complete model card"):
        read_card(file)


def test_a_card_of_pictures_beyond_measure_is_refused(tmp_path):
    file = tmp_path / "model.json"
    file.write_text(json.dumps(card() | {"size_hw": [10**6, 10**6]}))
    with pytest.raises(InputError, match="not a complete model card"):
        read_card(file)


def test_anchors_beyond_measure_are_refused_before_they_are_made():
    told = card(strides=[2], ratios=[1.0] * 64, fine_ratios=[1.0] * 64, scales=8, depth=8)
    with pytest.raises(InputError, match=r"may have 2,000,000 anchors, these settings make"):
        build_network(told | {"size_hw": [256, 512]})


@pytest.mark.parametrize("family", FAMILIES)
def test_threads_that_share_a_network_find_what_each_would_alone(family):
    own = network(family).eval()
    given = [(pictures(1, seed=seed) * 255).byte() for seed in range(6)]
    alone = [detect_batch(own, one, ANSWER)[0] for one in given]
    assert len({float(one.scores[0]) for one in alone}) == len(given)
    barrier = Barrier(len(given))

    def look(one):
        barrier.wait()
        return [detect_batch(own, one, ANSWER)[0] for _ in range(5)]

    with ThreadPoolExecutor(len(given)) as pool:
        together = list(pool.map(look, given))
    for wanted, found in zip(alone, together, strict=True):
        for one in found:
            for mine, other in zip(wanted, one, strict=True):
                torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)


def test_a_threads_maps_are_its_own_while_another_is_inside_the_network():
    """The first is held at the end of its own pass until the second has made all its maps."""
    first_is_inside, second_is_done = Event(), Event()
    layer = torch.nn.Conv2d(1, 1, 1)
    body = torch.nn.Sequential(layer, torch.nn.Identity())

    def wait(_, given):
        if not given[0].any():  # The first thread's picture.
            first_is_inside.set()
            assert second_is_done.wait(30)

    body[1].register_forward_pre_hook(wait)
    with ThreadPoolExecutor(1) as pool, torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(0.0)
        first = pool.submit(stage_maps, body, ("0",), torch.zeros(1, 1, 2, 2))
        assert first_is_inside.wait(30)
        second = stage_maps(body, ("0",), torch.ones(1, 1, 2, 2))
        second_is_done.set()
        assert first.result()[0].unique().tolist() == [0]
    assert second[0].unique().tolist() == [1]
    assert not layer._forward_hooks


@pytest.mark.parametrize("family", FAMILIES)
def test_with_mirror_a_picture_and_its_mirror_image_show_the_same(family):
    own, given = network(family), (pictures(2) * 255).byte()
    width = given.shape[3]
    plain, turned = (detect_batch(own, one, ANSWER) for one in (given, given.flip(3)))
    for one, other in zip(plain, turned, strict=True):  # By itself the network is not symmetric.
        assert not torch.allclose(one.corners[0], mirrored(other.corners[0], width), atol=0.1)
    both, again = (detect_batch(own, one, ANSWER, mirror=True) for one in (given, given.flip(3)))
    for one, other in zip(both, again, strict=True):
        torch.testing.assert_close(one.scores, other.scores, atol=1e-5, rtol=1e-4)
        assert one.labels.tolist() == other.labels.tolist()
        torch.testing.assert_close(
            one.corners, mirrored(other.corners, width), atol=1e-2, rtol=1e-3
        )


def test_with_mirror_the_surest_box_of_both_is_kept():
    own, given = network("one_stage"), (pictures(2) * 255).byte()
    each = [detect_batch(own, one, ANSWER) for one in (given, given.flip(3))]
    for one, plain, turned in zip(
        detect_batch(own, given, ANSWER, mirror=True), *each, strict=True
    ):
        assert one.scores[0] == pytest.approx(
            float(max(plain.scores[0], turned.scores[0])), abs=1e-5
        )
