"""Task ``regress`` from a table to numbers: training, the model on disk, the commands."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from sklearn import metrics as judge

import saccade
from saccade.api.train import Training
from saccade.augment import Augment
from saccade.cli.app import main
from saccade.errors import GalleryError, InputError
from saccade.losses import VALUE_LOSSES
from saccade.tasks.card import FORMAT
from saccade.tasks.model import Model
from saccade.tasks.networks import build_network
from saccade.tasks.regress import RegressNetwork, RegressTask
from saccade.training.run import read_history
from tests.descents import thirty_losses
from tests.runs import what_is_the_same
from tests.writers import write_idx

TARGETS = ("weight", "tint")
CARD = {
    "format": FORMAT,
    "kind": "regressor",
    "task": "regress",
    "backbone": "small_resnet",
    "width": 4,
    "channels": 3,
    "size_hw": [24, 24],
    "targets": list(TARGETS),
    "centre": [1500.0, 0.5],
    "spread": [300.0, 0.25],
}
SETTINGS = {
    "data.target": ",".join(TARGETS),
    "model.width": 8,
    "train.batch_size": 16,
    "train.threads": 1,
    "train.precision": "float32",
    **dict.fromkeys(("augment.scale", "augment.contrast", "augment.erase"), 0),
}
LONG = SETTINGS | {"train.epochs": 25, "optim.lr": 0.01}
RESUMED = SETTINGS | {
    "data.target": "hue,corners",
    "model.width": 4,
    "train.epochs": 3,
    "train.batch_size": 10,
    "optim.ema": 0.9,
}
SHORT = SETTINGS | {"train.epochs": 2, "model.width": 4}


def disc(radius, tint):
    """A (24, 24, 3) uint8 picture: a disc, from red (0) to blue (1), on grey."""
    image = Image.new("RGB", (96, 96), (90, 90, 90))
    box = [48 - 4 * radius, 48 - 4 * radius, 48 + 4 * radius, 48 + 4 * radius]
    colour = (round(230 * (1 - tint)), 40, round(230 * tint))
    ImageDraw.Draw(image).ellipse(box, fill=colour)
    return np.asarray(image.resize((24, 24)))


def write_discs(root, *, count, seed, spoil=()):
    """A table of discs, weight 1000 to 2100 and tint 0 to 1; the pictures ``spoil`` are bad."""
    draw = np.random.default_rng(seed)
    (root / "discs").mkdir(parents=True)
    with (root / "discs.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "weight", "tint", "note"])
        for number in range(count):
            radius, tint = draw.uniform(3, 11), draw.uniform()
            file = root / "discs" / f"{number:03}.png"
            Image.fromarray(disc(radius, tint)).save(file)
            if number in spoil:
                file.write_text("this is no picture")
            rows.writerow([f"discs/{number:03}.png", 700 + 127.25 * radius, tint, "x"])
    return root / "discs.csv"


def regressor(**changes):
    torch.manual_seed(0)
    network = build_network(CARD | changes)
    network(torch.rand(8, 3, 24, 24))  # sets the running means
    return Model(CARD | changes, network.eval())


def truth_of(table):
    with table.open(newline="") as stream:
        return np.array([[float(row[name]) for name in TARGETS] for row in csv.DictReader(stream)])


def paths_of(table):
    return [sample.path for sample in saccade.read_data(table, targets=TARGETS)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Discs to learn from and others to judge on, and a run of 25 epochs."""
    root = tmp_path_factory.mktemp("regress")
    write_discs(root / "learn", count=80, seed=1)
    write_discs(root / "judge", count=40, seed=2)
    saccade.train(root / "learn" / "discs.csv", task="regress", out=root / "run", settings=LONG)
    return root


# What is learned


@pytest.mark.parametrize("loss", VALUE_LOSSES)
def test_thirty_steps_lower_the_loss(world, loss):
    torch.manual_seed(0)
    samples = saccade.read_data(world / "learn" / "discs.csv", targets=TARGETS)[:36]
    pictures = np.stack([np.array(Image.open(sample.path)) for sample in samples])
    numbers = np.array([sample.numbers for sample in samples])
    network = RegressNetwork(
        backbone="small_resnet",
        width=4,
        channels=3,
        size_hw=(24, 24),
        centre=numbers.mean(axis=0).tolist(),
        spread=numbers.std(axis=0).tolist(),
    )
    task = RegressTask(network, loss=loss)
    augment = Augment(rotate=5, scale=0, shift=0, flip=0.5, brightness=0, contrast=0, erase=0)
    losses = thirty_losses(task, pictures, numbers, augment)
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:6])


def test_the_loss_is_that_of_standardised_numbers():
    model = regressor()
    pictures, targets = torch.rand(5, 3, 24, 24), torch.rand(5, 2, dtype=torch.float64)
    task = RegressTask(model.network, loss="squared").eval()
    wanted = (targets.numpy() - CARD["centre"]) / CARD["spread"]
    found = model.network(pictures).detach().numpy()
    found = (found - CARD["centre"]) / CARD["spread"]
    assert task(pictures, targets).item() == pytest.approx(((found - wanted) ** 2).mean(), rel=1e-5)


def test_it_learns_both_numbers_in_their_units(world):
    scores = saccade.evaluate(world / "run", world / "judge" / "discs.csv")
    assert scores.pictures == 40
    weight, tint = scores.per_target
    assert (weight.name, tint.name) == TARGETS
    assert weight.r2.value > 0.9 and tint.r2.value > 0.9
    assert weight.rmse.value < 100 and tint.rmse.value < 0.1


def test_the_figures_are_those_of_scikit_learn_on_the_models_own_numbers(world):
    table = world / "judge" / "discs.csv"
    answers = saccade.load(world / "run").estimate(paths_of(table))
    found = np.array([[one.values[name] for name in TARGETS] for one in answers])
    scores = saccade.evaluate(world / "run", table)
    assert scores.mae.value == pytest.approx(judge.mean_absolute_error(truth_of(table), found))
    assert scores.r2.value == pytest.approx(judge.r2_score(truth_of(table), found))


def test_another_unit_gives_the_same_run_in_that_unit(world, tmp_path):
    table = world / "learn" / "discs.csv"
    lines = ["path,weight,tint"]
    lines += [
        f"{path},{(weight - 32) * 1000!r},{tint / 1000!r}"
        for path, (weight, tint) in zip(paths_of(table), truth_of(table).tolist(), strict=True)
    ]
    (tmp_path / "other.csv").write_text("\n".join(lines) + "\n")
    settings = SHORT | {"data.validation": 0}
    runs = [
        saccade.train(data, task="regress", out=tmp_path / data.stem, settings=settings)
        for data in (table, tmp_path / "other.csv")
    ]
    plain, other = (
        np.array([list(one.values.values()) for one in run.model.estimate(paths_of(table)[:9])])
        for run in runs
    )
    np.testing.assert_allclose(other, (plain - [32, 0]) * [1000, 0.001], rtol=1e-3)


def test_the_best_epoch_is_kept_and_written_down(world):
    card = json.loads((world / "run" / "model.json").read_text())
    figures = {
        int(record["epoch"]): record["validation_r2"]
        for record in read_history(world / "run")
        if "validation_r2" in record
    }
    assert len(figures) == 25
    assert figures[card["best_epoch"]] == max(figures.values())
    assert card["score"]["r2"]["value"] == pytest.approx(max(figures.values()))
    assert card["score"]["r2"]["n"] == 16, "a fifth of eighty"
    page = (world / "run" / "report.html").read_text()
    assert "best epoch was chosen on them" in page and "Validation r2" in page


def test_the_card_knows_the_mean_and_deviation_of_what_was_learned(world, tmp_path):
    settings = SHORT | {"train.epochs": 1, "data.validation": 0}
    table = world / "learn" / "discs.csv"
    run = saccade.train(table, task="regress", out=tmp_path / "run", settings=settings)
    assert run.validation is None and "classes" not in run.model.card
    assert run.model.card["centre"] == pytest.approx(truth_of(table).mean(axis=0), rel=1e-12)
    assert run.model.card["spread"] == pytest.approx(truth_of(table).std(axis=0), rel=1e-12)


# Where numbers come from


def test_names_of_folders_may_be_the_numbers(tmp_path):
    draw = np.random.default_rng(0)
    for radius in (3, 6.5, 10):
        (tmp_path / "discs" / f"{radius}").mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(disc(radius, draw.uniform()))
            picture.save(tmp_path / "discs" / f"{radius}" / f"{number}.png")
    settings = {**SHORT, "data.target": "label"}
    run = saccade.train(tmp_path / "discs", task="regress", out=tmp_path / "run", settings=settings)
    assert run.model.targets == ("label",) and run.validation.pictures == 2


def test_the_part_val_of_an_idx_pair_gives_the_scores(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    write_idx(tmp_path / "data", pictures, np.arange(20) % 5, prefix="train-")
    write_idx(tmp_path / "data", pictures[:6], np.arange(6) % 5, prefix="val-")
    settings = {**SHORT, "data.target": "label"}
    run = saccade.train(tmp_path / "data", task="regress", out=tmp_path / "run", settings=settings)
    assert run.validation.pictures == 6 and run.model.card["centre"] == [2.0]


def test_too_few_pictures_to_hold_any_out_are_all_learned_from(tmp_path):
    table = write_discs(tmp_path, count=3, seed=0)
    run = saccade.train(table, task="regress", out=tmp_path / "run", settings=SHORT)
    assert run.validation is None and not (tmp_path / "run" / "report.html").exists()


def test_broken_pictures_are_left_out_of_training_and_judging(tmp_path, capsys):
    table = write_discs(tmp_path, count=30, seed=0, spoil=(3,))
    words = ["train", str(table), "--task", "regress", "--out", str(tmp_path / "run")]
    words += [word for name, value in SHORT.items() for word in (f"--{name}", str(value))]
    assert main([*words, "--data.broken", "0.1"]) == 0
    assert "1 pictures left out" in capsys.readouterr().out
    words = ["evaluate", str(tmp_path / "run"), str(table), "--data.broken", "0.1", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 29 and len(found["broken"]) == 1
    assert found["seen_in_training"] == []


# Stopping


@pytest.fixture(scope="module")
def uninterrupted(number_table, tmp_path_factory):
    """A run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return saccade.train(number_table, task="regress", out=out, settings=RESUMED).folder


@pytest.mark.parametrize("steps", [1, 6])
def test_a_resumed_run_is_the_uninterrupted_one(uninterrupted, number_table, tmp_path, steps):
    training = Training(number_table, task="regress", out=tmp_path / "run", settings=RESUMED)
    records = training.records()
    for _ in range(steps):
        next(records)
    records.close()
    saccade.train(resume=tmp_path / "run")
    assert what_is_the_same(tmp_path / "run") == what_is_the_same(uninterrupted)


def test_other_numbers_of_the_same_pictures_are_refused(number_table, tmp_path):
    table = tmp_path / "numbers.csv"
    shutil.copy(number_table, table)
    settings = SHORT | {"data.target": "hue,corners"}
    training = Training(table, task="regress", out=tmp_path / "run", settings=settings)
    records = training.records()
    next(records)
    records.close()
    table.write_text(table.read_text().replace(",4\n", ",5\n"))
    with pytest.raises(InputError, match="are not those that run"):
        saccade.train(resume=tmp_path / "run")


def test_patience_waits_for_r2(number_table, tmp_path, monkeypatch):
    settings = SHORT | {"data.target": "hue", "train.epochs": 9, "train.patience": 2}
    training = Training(number_table, task="regress", out=tmp_path / "run", settings=settings)
    planted = iter([0.1, 0.6, 0.5, 0.4, 0.9])
    monkeypatch.setattr(training.procedure, "watch", lambda *given: next(planted))
    for _ in training.records():
        pass
    run = training.finish()
    assert run.model.card["best_epoch"] == 2
    assert max(record["epoch"] for record in read_history(tmp_path / "run")) == 4


def test_held_out_truth_that_never_varies_chooses_no_epoch(tmp_path):
    for part, count in (("train", 12), ("val", 3)):
        for number in range(count):
            folder = tmp_path / "data" / part / ("7" if part == "val" else str(number % 3))
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(disc(3 + number % 3, 0.5)).save(folder / f"{number}.png")
    settings = {**SHORT, "data.target": "label"}
    run = saccade.train(tmp_path / "data", task="regress", out=tmp_path / "run", settings=settings)
    assert run.validation.r2 is None and "best_epoch" not in run.model.card
    assert "r2" not in run.model.card["score"] and run.validation.mae.value > 0


# The model


def test_a_model_just_trained_and_loaded_again_gives_the_same_bits(world, tmp_path):
    table = world / "learn" / "discs.csv"
    settings = SHORT | {"model.mirror": True, "data.validation": 0}
    run = saccade.train(table, task="regress", out=tmp_path / "run", settings=settings)
    again = Model.load(tmp_path / "run")
    paths = paths_of(table)
    assert again.estimate(paths) == run.model.estimate(paths)
    assert again.fingerprint == run.model.fingerprint
    assert again.estimate([]) == []


def test_numbers_are_the_heads_in_the_targets_units(world):
    model = regressor()
    paths = paths_of(world / "judge" / "discs.csv")[:5]
    pixels = np.stack([np.array(Image.open(path)) for path in paths])
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        features = model.network.features(scaled).double().numpy()
    weight, bias = (each.detach().double().numpy() for each in model.network.head.parameters())
    wanted = (features @ weight.T + bias) * CARD["spread"] + CARD["centre"]
    found = [list(one.values.values()) for one in model.estimate(paths)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_mirroring_averages_both_numbers():
    pictures = torch.randint(0, 256, (4, 3, 24, 24), dtype=torch.uint8)
    plain, both = regressor(), regressor(mirror=True)
    wanted = plain.estimate_prepared(pictures) + plain.estimate_prepared(pictures.flip(3))
    np.testing.assert_allclose(both.estimate_prepared(pictures), wanted / 2, rtol=1e-12)


def test_the_units_are_part_of_the_fingerprint():
    assert regressor().fingerprint != regressor(centre=[1500.0, 0.6]).fingerprint
    assert regressor().fingerprint != regressor(targets=["tint", "weight"]).fingerprint


def test_each_kind_of_model_refuses_the_others_work(world, tmp_path):
    picture = paths_of(world / "judge" / "discs.csv")[0]
    with pytest.raises(InputError, match="a regressor makes no vectors"):
        regressor().embed([picture])
    with pytest.raises(InputError, match="a regressor knows no classes"):
        regressor().predict([picture])
    with pytest.raises(InputError, match="an embedder knows no numbers"):
        saccade.load("pixels").estimate([picture])
    with pytest.raises(GalleryError, match="a regressor, which makes no vectors"):
        saccade.Gallery.create(tmp_path / "gallery", embedder=regressor())
    assert not (tmp_path / "gallery").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": []},
        {"targets": ["weight"]},
        {"targets": ["weight", "weight"]},
        {"targets": "wt"},
        {"targets": {"weight": 1, "tint": 2}},
        {"centre": None},
        {"centre": [1, "2"]},
        {"centre": [1, float("nan")]},
        {"spread": [1, 0]},
        {"spread": [1, -1]},
        {"spread": [1, 2, 3]},
    ],
)
def test_a_card_without_good_targets_is_refused(tmp_path, changes):
    regressor().save(tmp_path)
    card = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(card | changes))
    with pytest.raises(InputError, match="not a complete model card"):
        Model.load(tmp_path)


# The commands


def test_predict_prints_numbers_as_text_json_and_csv(world, tmp_path, capsys):
    out = tmp_path / "answers.csv"
    words = ["predict", str(world / "run"), str(world / "judge" / "discs"), "--out", str(out)]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 41 and lines[-1] == f"written: {out}"
    assert main([*words, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", *TARGETS]
    for line, answer, row in zip(lines, answers, rows, strict=False):
        numbers = answer["values"]
        assert answer["error"] is None and row["path"] == answer["picture"]
        assert [float(row[name]) for name in TARGETS] == [numbers[name] for name in TARGETS]
        weight, tint = (f"{numbers[name]:.6g}" for name in TARGETS)
        assert line == f"{answer['picture']}: weight {weight}   tint {tint}"
    found = np.array([[float(row[name]) for name in TARGETS] for row in rows])
    assert judge.r2_score(truth_of(world / "judge" / "discs.csv"), found) > 0.9


def test_predict_goes_on_after_a_broken_picture(world, tmp_path, capsys):
    write_discs(tmp_path, count=3, seed=0, spoil=(1,))
    out = tmp_path / "answers.csv"
    words = ["predict", str(world / "run"), str(tmp_path / "discs"), "--out", str(out)]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert "001.png cannot be read" in printed.out
    assert "1 of 3 pictures have no answer" in printed.err and printed.err.count("\n") == 1
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [bool(row["tint"]) for row in rows] == [True, False, True]
    assert main([*words, "--json"]) == 2
    second = json.loads(capsys.readouterr().out)[1]
    assert second["values"] is None and "001.png" in second["error"]


def test_train_and_evaluate_print_their_figures(number_table, tmp_path, capsys):
    run = str(tmp_path / "run")
    words = ["train", str(number_table), "--task", "regress", "--out", run]
    words += ["--data.target", "hue", "--train.epochs", "2", "--model.width", "4"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "kept epoch" in text and "  MAE " in text and "  RMSE " in text and "  R2 " in text
    assert main(["evaluate", run, str(number_table)]) == 0
    text = capsys.readouterr().out
    assert "36 pictures" in text and "evaluation.html" in text
    page = (tmp_path / "run" / "evaluation.html").read_text()
    assert "numbers for hue" in page and "best epoch was chosen" not in page
