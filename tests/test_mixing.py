"""mixup and CutMix against slow loops, shares that are those of the pixels, and what is refused."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Generator

import saccade
from saccade.api.augmented import COPIES, augmented
from saccade.api.changes import make_changes
from saccade.augment import Augment, Mixing
from saccade.augment.mixing import MIXTURES, cutmix, drawn_share, mixup
from saccade.cli.app import main
from saccade.config import AugmentSettings, Recipe, override
from saccade.errors import SettingError
from saccade.losses import LOGIT_LOSSES, TAKE_SHARES
from saccade.shelf import Entry
from tests.runs import weights_of
from tests.writers import write_folders

STILL = dict.fromkeys(("rotate", "scale", "shift", "flip", "brightness", "contrast", "erase"), 0.0)
OFF = {f"augment.{name}": 0.0 for name in STILL}


def drawn(seed=0):
    return Generator().manual_seed(seed)


def noise(count=6, channels=3, height=9, width=14):
    return torch.rand(count, channels, height, width, generator=drawn(1))


def mixed(pictures, targets, seed=0, classes=4, **alphas):
    mixing = Mixing(Augment(**STILL), classes=classes, **alphas)
    return mixing.with_targets(pictures.clone(), targets, drawn(seed))


def test_mixup_is_a_weighted_sum_of_each_pair():
    pictures, partners = noise(), torch.tensor([3, 0, 2, 5, 1, 4])
    found, kept = mixup(pictures.clone(), partners, 0.3, drawn())
    assert kept == 0.3
    for row, other in enumerate(partners.tolist()):
        for channel in range(3):
            for y in range(9):
                wanted = 0.3 * pictures[row, channel, y] + 0.7 * pictures[other, channel, y]
                torch.testing.assert_close(found[row, channel, y], wanted)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.77, 0.999, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_cutmix_lays_one_rectangle_whose_area_is_the_share(share, seed):
    pictures, partners = noise(), torch.tensor([3, 0, 4, 5, 1, 2])
    found, kept = cutmix(pictures.clone(), partners, share, drawn(seed))
    covered = (found != pictures).any(1)
    assert (covered == covered[0]).all()
    rows, columns = covered[0].any(1), covered[0].any(0)
    assert torch.equal(covered[0], rows[:, None] & columns[None])
    seen = 0
    for row, other in enumerate(partners.tolist()):
        for y in range(9):
            for x in range(14):
                source = other if rows[y] and columns[x] else row
                assert torch.equal(found[row, :, y, x], pictures[source, :, y, x])
                seen += source == row
    assert kept == pytest.approx(seen / (6 * 9 * 14), abs=1e-12)
    assert kept >= share - 1e-12


def test_cutmix_has_the_area_of_the_paper_where_nothing_is_cut_off():
    for seed in range(200):
        _, kept = cutmix(noise(2, 1, 64, 32), torch.tensor([1, 0]), 0.75, drawn(seed))
        assert kept >= 0.75
        if kept == 0.75:
            break
    else:
        pytest.fail("half of a side, in the middle, was never drawn")


def test_shares_are_beta():
    for alpha in (0.2, 1.0, 3.0):
        generator = drawn(5)
        shares = [drawn_share(alpha, generator) for _ in range(1000)]
        assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.01


@pytest.mark.parametrize("name", MIXTURES)
def test_targets_are_the_shares_of_the_pixels(name):
    # Each picture is one value, so what it is made of can be read from its mean.
    values = torch.tensor([0.0, 1.0, 10.0, 100.0, 1000.0])
    pictures = values.view(5, 1, 1, 1).expand(5, 1, 8, 12).contiguous()
    targets = torch.arange(5)
    for seed in range(20):
        found, shares = mixed(pictures, targets, seed, 5, **{name: 1.0})
        torch.testing.assert_close(found.mean((1, 2, 3)), shares @ values)
        torch.testing.assert_close(shares.sum(1), torch.ones(5))
        assert shares.dtype == torch.float32


def test_numbers_are_mixed_as_the_pictures_are():
    numbers = torch.tensor([[1.0, 5.0], [2.0, -3.0], [7.0, 0.5]], dtype=torch.float64)
    pictures = numbers[:, :1, None, None].float().expand(3, 1, 6, 6).contiguous()
    found, wanted = mixed(pictures, numbers, classes=None, mixup=0.4)
    assert wanted.dtype == torch.float64
    torch.testing.assert_close(found[:, 0, 0, 0].double(), wanted[:, 0], atol=1e-6, rtol=0)


def test_both_are_drawn_and_the_generator_decides():
    pictures, targets = noise(), torch.tensor([0, 1, 2, 3, 0, 1])
    kinds = set()
    for seed in range(20):
        found, shares = mixed(pictures, targets, seed, mixup=1.0, cutmix=1.0)
        kinds.add(bool(torch.isin(found, pictures).all()))
        again, same = mixed(pictures, targets, seed, mixup=1.0, cutmix=1.0)
        assert torch.equal(found, again) and torch.equal(shares, same)
    assert kinds == {True, False}


@pytest.mark.parametrize("name", MIXTURES)
def test_every_row_is_whole(name):
    assert isinstance(MIXTURES[name], Entry)
    assert hasattr(AugmentSettings(), name)


def test_losses_that_take_shares_are_those_that_say_so():
    logits, shares = torch.zeros(2, 3), torch.full((2, 3), 1 / 3)
    for name in TAKE_SHARES:
        assert torch.isfinite(LOGIT_LOSSES[name].make()(logits, shares))


def test_without_mixing_changes_are_as_before():
    recipe = override(Recipe(), [("task", "classify")], where="")
    assert type(make_changes(recipe, classes=3)) is Augment


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "embed", "augment.mixup": 0.2}, "which task embed cannot learn from"),
        ({"task": "detect", "augment.cutmix": 1}, "which task detect cannot learn from"),
        ({"task": "regress", "augment.cutmix": 1}, "take augment.mixup"),
        ({"augment.mixup": 1, "loss.name": "focal"}, "loss focal takes one class; set loss.name"),
        ({"augment.cutmix": 1, "data.tree": "t.toml"}, "loss hierarchical_cross_entropy takes one"),
        ({"augment.cutmix": 1, "model.name": "knn"}, "learn by descent"),
        ({"augment.mixup": -1}, "augment.mixup"),
    ],
)
def test_what_cannot_be_mixed_is_refused_before_anything_is_read(changes, told, tmp_path):
    settings = {"task": "classify"} | changes
    with pytest.raises(SettingError, match=told) as caught:
        saccade.train(tmp_path, settings=settings, out=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("loss", [{}, {"optim.name": "gd", **OFF}], ids=["adamw", "gd"])
def test_a_classifier_learns_from_mixtures_and_resumes_the_same(class_folders, tmp_path, loss):
    settings = {
        "task": "classify",
        "train.epochs": 2,
        "train.threads": 1,
        "train.precision": "float32",
        "model.width": 4,
        "augment.mixup": 0.4,
        "augment.cutmix": 1.0,
        "loss.class_weights": "balanced",
    } | loss
    whole = saccade.train(class_folders, out=tmp_path / "whole", settings=settings)
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=settings)
    records = training.records()
    while not next(records).epoch_ends:
        pass
    records.close()
    saccade.train(resume=tmp_path / "run")
    assert weights_of(tmp_path / "run") == weights_of(whole.folder)


def test_a_regressor_learns_from_mixtures(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
    data = write_folders(tmp_path / "data", pictures, [str(number) for number in range(12)])
    settings = {"train.epochs": 1, "model.width": 4, "augment.mixup": 1.0, "data.target": "label"}
    saccade.train(data, task="regress", out=tmp_path / "run", settings=settings)


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_a_loss_without_chance_takes_no_mixtures(tmp_path, name):
    settings = {"task": "classify", "optim.name": name, "augment.mixup": 1.0, **OFF}
    with pytest.raises(SettingError, match=r"set to 0: augment\.mixup"):
        saccade.train(tmp_path, settings=settings)


def test_the_sheet_tells_what_each_picture_is_made_of(tmp_path, capsys):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 20, 20), np.uint8)
    data = write_folders(tmp_path / "data", pictures, ["cat", "dog", "<b>eel"] * 2)
    recipe = override(Recipe(task="classify"), [("augment.cutmix", 1.0)], where="")
    assert augmented(data, recipe=recipe, report=tmp_path / "a.html").pictures == 6
    page = (tmp_path / "a.html").read_text()
    assert page.count("% cat") + page.count("% dog") >= 6 * COPIES / 2
    assert "% &lt;b&gt;eel" in page and "<b>eel" not in page
    file = tmp_path / "r.toml"
    file.write_text('task = "embed"\n[augment]\nmixup = 1.0\n')
    words = ["inspect", str(data), "--augment", "--recipe", str(file)]
    assert main([*words, "--report", str(tmp_path / "b.html")]) == 2
    assert "cannot learn from" in capsys.readouterr().err
