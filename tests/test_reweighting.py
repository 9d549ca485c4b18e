"""Weights of pictures in the losses, and ``--reweight-to`` from the flag to the card."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import r2_score

import saccade
from saccade.api import reweighting
from saccade.class_tree import ClassTree
from saccade.cli.app import main
from saccade.errors import InputError, SettingError
from saccade.losses import LOGIT_LOSSES, VALUE_LOSSES
from saccade.training.checkpoint import read_notes
from tests.runs import weights_of
from tests.writers import write_arrays, write_folders

TREE = ClassTree.nested({"animal": {"pet": ["cat", "dog"], "fox": {}}, "car": {}})
NAMES = ("cat", "dog", "fox", "car")
SETTINGS = {
    "task": "classify",
    "train.epochs": 3,
    "train.threads": 1,
    "train.precision": "float32",
    "train.batch_size": 16,
    "model.width": 4,
}
COUNTS = torch.tensor([3, 0, 1, 2, 1, 5])


def made(name, **settings):
    return LOGIT_LOSSES[name].make(tree=TREE, classes=NAMES, alpha=0.5, **settings)


def logits():
    return torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("class_weights", [None, torch.tensor([0.5, 2.0, 1.0, 3.0]).double()])
@pytest.mark.parametrize("name", LOGIT_LOSSES)
def test_whole_weights_are_rows_that_stand_so_often(name, class_weights):
    loss = made(name, class_weights=class_weights)
    rows, targets = logits(), torch.tensor([0, 1, 2, 3, 1, 0])
    often = torch.repeat_interleave(torch.arange(6), COUNTS)
    by_class = torch.ones(4).double() if class_weights is None else class_weights
    # The sum over repeated rows, divided as the batch is without weights.
    repeated = loss(rows[often], targets[often]) * by_class[targets[often]].sum()
    wanted = repeated / by_class[targets].sum()
    torch.testing.assert_close(loss(rows, targets, COUNTS), wanted)
    torch.testing.assert_close(loss(rows, targets, torch.ones(6)), loss(rows, targets))
    torch.testing.assert_close(loss(rows[:0], targets[:0], COUNTS[:0]), torch.zeros(()).double())


def test_shares_take_weights_too():
    loss = made("cross_entropy", class_weights=torch.tensor([0.5, 2.0, 1.0, 3.0]).double())
    rows, targets = logits(), torch.tensor([0, 1, 2, 3, 1, 0])
    shares = torch.nn.functional.one_hot(targets, 4).double()
    torch.testing.assert_close(loss(rows, shares, COUNTS), loss(rows, targets, COUNTS))


@pytest.mark.parametrize("name", VALUE_LOSSES)
def test_losses_of_numbers_take_weights(name):
    loss = VALUE_LOSSES[name].make()
    values, targets = logits(), logits().flip(0)
    often = torch.repeat_interleave(torch.arange(6), COUNTS)
    wanted = loss(values[often], targets[often]) * len(often) / 6
    torch.testing.assert_close(loss(values, targets, COUNTS), wanted)
    torch.testing.assert_close(loss(values, targets, torch.ones(6)), loss(values, targets))


def noisy(count, dark, seed):
    """Pictures (count, 8, 8): a share ``dark`` has its left half dark, the others the right."""
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 80, (count, 8, 8), np.uint8)
    left = draw.random(count) < dark
    pixels[left, :, :4] += 150
    pixels[~left, :, 4:] += 150
    return pixels, left


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What is learned from, one in five on the left; and pictures to meet, four in five."""
    root = tmp_path_factory.mktemp("shift")
    pixels, _ = noisy(120, 0.2, 1)
    labels = np.where(np.arange(120) % 2, "cat", "dog")
    write_folders(root / "data", pixels, labels)
    (root / "met" / "deeper").mkdir(parents=True)
    for number, picture in enumerate(noisy(60, 0.8, 2)[0]):
        Image.fromarray(picture).save(root / "met" / "deeper" / f"{number}.png")
    return root


def stop_after(steps, world, folder, **changes):
    training = saccade.Training(
        world / "data", out=folder, settings=SETTINGS | {"data.reweight_to": str(world / "met")}
    )
    records = training.records()
    for _ in range(steps):
        next(records)
    records.close()
    return training


def test_pictures_like_those_met_count_more(world, tmp_path):
    training = stop_after(0, world, tmp_path / "run")
    found = training.reweighting
    pixels = training.data.pictures[torch.arange(len(found.weights))].float()
    left = pixels[..., :4].mean((1, 2, 3)) > pixels[..., 4:].mean((1, 2, 3))
    share = float(found.weights[left].sum() / found.weights.sum())
    assert share == pytest.approx(0.8, abs=0.12)
    assert float(found.weights.mean()) == pytest.approx(1, abs=1e-5)
    held = training.data.held_pictures[torch.arange(len(found.held))].float()
    bright = held[..., :4].mean((1, 2, 3)) > held[..., 4:].mean((1, 2, 3))
    assert float(found.held[bright].mean()) > 3 * float(found.held[~bright].mean())
    size = (float(found.weights.sum()) ** 2) / float((found.weights**2).sum())
    assert found.told["effective_sample_size"] == pytest.approx(size, rel=1e-3)


def test_the_flag_is_told_on_screen_in_the_card_and_in_the_report(world, tmp_path, capsys):
    words = ["train", world / "data", "--task", "classify", "--out", tmp_path / "run"]
    words += ["--reweight-to", world / "met", "--train.epochs", 2, "--model.width", 4]
    assert main([*map(str, words)]) == 0
    told = capsys.readouterr().out
    assert "weighted towards 60 pictures of met: effective sample size" in told
    card = json.loads((tmp_path / "run" / "model.json").read_text())
    assert card["reweighting"]["pictures"] == 60 and card["reweighting"]["told_apart"] > 0.6
    assert "weighted towards 60 pictures of met" in card["provenance"]
    assert "weighted towards 60 pictures of met" in (tmp_path / "run" / "report.html").read_text()
    assert saccade.load(tmp_path / "run").card["reweighting"] == card["reweighting"]


def test_json_tells_it(world, tmp_path, capsys):
    words = ["train", world / "data", "--task", "classify", "--out", tmp_path / "run", "--json"]
    words += ["--reweight-to", world / "met", "--train.epochs", 1, "--model.width", 4]
    assert main([*map(str, words)]) == 0
    assert json.loads(capsys.readouterr().out)["reweighting"]["to"] == "met"


def test_python_has_an_argument_for_it(world, tmp_path):
    run = saccade.train(
        world / "data", out=tmp_path / "run", settings=SETTINGS, reweight_to=world / "met"
    )
    assert run.model.card["reweighting"]["pictures"] == 60


def test_a_resumed_run_is_the_same_even_where_the_target_is_gone(world, tmp_path):
    copied = tmp_path / "world"
    shutil.copytree(world, copied)
    whole = stop_after(0, copied, tmp_path / "whole")
    for _ in whole.records():
        pass
    whole.finish()
    stop_after(8, copied, tmp_path / "run")
    shutil.rmtree(copied / "met")
    saccade.train(resume=tmp_path / "run")
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "whole")
    cards = [(tmp_path / run / "model.json").read_text() for run in ("run", "whole")]
    assert cards[0] == cards[1]


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_weights_that_are_not_those_of_the_run_are_refused(world, tmp_path, damage):
    stop_after(7, world, tmp_path / "run")
    file = tmp_path / "run" / reweighting.WEIGHTS_FILE
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(InputError, match="does not hold the weights that the run began with"):
        saccade.train(resume=tmp_path / "run")


def test_weights_change_what_is_learned_and_are_noted(world, tmp_path):
    plain = saccade.train(world / "data", out=tmp_path / "plain", settings=SETTINGS)
    given = SETTINGS | {"data.reweight_to": str(world / "met")}
    run = saccade.train(world / "data", out=tmp_path / "run", settings=given)
    assert weights_of(run.folder) != weights_of(plain.folder)
    assert read_notes(run.folder)["reweighting"]["told"] == run.model.card["reweighting"]
    assert read_notes(plain.folder)["reweighting"] is None
    assert "reweighting" not in plain.model.card


@pytest.mark.parametrize("by", ["hog", "network", "pixels"])
def test_features_by_their_names(world, tmp_path, by):
    given = {"data.reweight_to": str(world / "met"), "data.reweight_by": by}
    training = saccade.Training(world / "data", out=tmp_path / "run", settings=SETTINGS | given)
    # Directions of edges are the same on both sides.
    assert training.reweighting.told["told_apart"] > (0 if by == "hog" else 0.6)


def test_a_regressor_takes_weights_and_an_archive_is_a_target(tmp_path):
    pixels, _ = noisy(60, 0.3, 1)
    data = write_folders(tmp_path / "data", pixels, [str(number) for number in range(60)])
    target = write_arrays(tmp_path / "met", noisy(30, 0.9, 2)[0], ["0"] * 30)
    given = {"data.target": "label", "train.epochs": 1, "model.width": 4}
    run = saccade.train(
        data, task="regress", out=tmp_path / "run", settings=given, reweight_to=target
    )
    assert run.model.card["reweighting"]["to"] == "data.npz"


def test_what_is_watched_is_weighted(world, tmp_path, monkeypatch):
    truth, found = np.random.default_rng(0).normal(size=(2, 9, 2))
    weights = torch.linspace(0.1, 2, 9)
    monkeypatch.setattr(reweighting, "numbers_of", lambda held: truth)

    class Answers:
        classes = ("cat", "dog")

        def estimate_prepared(self, pictures):
            return found

        def classify_prepared(self, pictures):
            return np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])

    figure = reweighting.watched("regress", Answers(), [], None, weights)
    wanted = r2_score(truth, found, sample_weight=weights.numpy())
    assert figure == pytest.approx(wanted, abs=1e-6)
    held = [saccade.Sample(world / "x", label) for label in ("cat", "cat", "dog")]
    ours = torch.tensor([1.0, 5.0, 2.0])
    assert reweighting.watched("classify", Answers(), held, None, ours) == pytest.approx(3 / 8)
    assert reweighting.watched("classify", Answers(), held, None, ours * 0) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "embed"}, "task embed learns from several together"),
        ({"task": "detect"}, "task detect learns from several together"),
        ({"train.batches": "balanced"}, "does not go with train.batches balanced"),
        ({"augment.mixup": 0.2}, "does not go with augment.mixup"),
        ({"augment.cutmix": 1.0}, "does not go with augment.cutmix"),
        ({"model.name": "knn"}, "does not go with model.name knn"),
        ({"data.reweight_to": "no/such/place"}, "no/such/place does not exist"),
        ({"data.reweight_most": 0.5}, "1 to 10000"),
    ],
)
def test_what_cannot_be_weighted_is_refused(world, tmp_path, changes, told):
    given = SETTINGS | {"data.reweight_to": str(world / "met")} | changes
    with pytest.raises((SettingError, InputError), match=told) as caught:
        saccade.train(world / "data", out=tmp_path / "run", settings=given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_targets_of_no_use_are_refused(world, tmp_path, capsys):
    (tmp_path / "none").mkdir()
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        shutil.copy(world / "met" / "deeper" / f"{number}.png", few)
    broken = tmp_path / "broken"
    shutil.copytree(few, broken)
    (broken / "bad.png").write_bytes(b"no picture")
    words = ["train", str(world / "data"), "--task", "classify", "--out", str(tmp_path / "run")]
    for place, told in (
        (tmp_path / "none", "holds no picture"),
        (few, "of the target are 3; add some"),
        (broken, "1 of 4 pictures cannot be read"),
    ):
        assert main([*words, "--reweight-to", str(place)]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1, error
    assert not (tmp_path / "run").exists()


def test_two_folders_in_one_command_are_refused(world, tmp_path, capsys):
    words = ["train", str(world / "data"), "--reweight-to", "a", "--data.reweight_to", "b"]
    assert main(words) == 2
    assert "mean the same setting" in capsys.readouterr().err
