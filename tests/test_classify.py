"""Task ``classify`` from folders to predictions: training, the model on disk, the commands."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import saccade
from saccade.api.train import Training
from saccade.augment import Augment
from saccade.class_tree import ClassTree
from saccade.cli.app import main
from saccade.errors import GalleryError, InputError
from saccade.losses import LOGIT_LOSSES
from saccade.tasks.classify import ClassifyNetwork, ClassifyTask
from saccade.tasks.model import FORMAT, Model
from saccade.tasks.networks import build_network
from saccade.training.run import read_history
from tests.conftest import CLASSES, shape_picture
from tests.descents import thirty_losses

CARD = {
    "format": FORMAT,
    "kind": "classifier",
    "task": "classify",
    "backbone": "small_resnet",
    "width": 4,
    "channels": 3,
    "size_hw": [24, 24],
    "classes": list(CLASSES),
}
SETTINGS = {"model.width": 8, "train.epochs": 25, "train.batch_size": 16, "train.threads": 1}
SHORT = ["--task", "classify", "--model.width", "4", "--train.epochs", "2"]


def classifier(**changes):
    torch.manual_seed(0)
    network = build_network(CARD | changes)
    network(torch.rand(8, 3, 24, 24))  # sets the running means
    return Model(CARD | changes, network.eval())


def write_shapes(root, *, count, seed):
    draw = np.random.default_rng(seed)
    for label in CLASSES:
        (root / label).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(shape_picture(label, draw)).save(root / label / f"{number:02}.png")
    return root


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures to learn from and others to judge on, and a run of 25 epochs."""
    root = tmp_path_factory.mktemp("classify")
    write_shapes(root / "learn", count=20, seed=1)
    write_shapes(root / "judge", count=10, seed=2)
    settings = SETTINGS | {"optim.lr": 0.01}
    saccade.train(root / "learn", task="classify", out=root / "run", settings=settings)
    return root


@pytest.mark.parametrize("loss", LOGIT_LOSSES)
def test_thirty_steps_lower_the_loss(shapes, loss):
    torch.manual_seed(0)
    network = ClassifyNetwork(
        backbone="small_resnet", width=4, classes=6, channels=3, size_hw=(24, 24)
    )
    tree = ClassTree({name: name.partition("-")[0] for name in CLASSES})
    task = ClassifyTask(network, loss=loss, tree=tree, classes=CLASSES)
    augment = Augment(
        rotate=5, scale=0.1, shift=0.05, flip=0.5, brightness=0.1, contrast=0.1, erase=0.2
    )
    losses = thirty_losses(task, shapes[0], shapes[1], augment)
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:6])


# The run


def test_it_learns_the_shapes(world):
    scores = saccade.evaluate(world / "run", world / "judge")
    assert scores.pictures == 60
    assert scores.accuracy.value > 0.9
    assert scores.balanced_accuracy.value > 0.9 and scores.macro_f1.value > 0.9


def test_the_best_epoch_is_kept_and_written_down(world):
    card = json.loads((world / "run" / "model.json").read_text())
    figures = {
        int(record["epoch"]): record["validation_accuracy"]
        for record in read_history(world / "run")
        if "validation_accuracy" in record
    }
    assert len(figures) == 25
    best = max(figures.values())
    assert figures[card["best_epoch"]] == best == card["score"]["accuracy"]["value"]
    assert card["best_epoch"] == max(epoch for epoch, figure in figures.items() if figure == best)
    assert card["score"]["accuracy"]["n"] == 24, "four pictures of twenty of each class"
    assert "best epoch was chosen on them" in report_after_training(world)


def report_after_training(world):
    """The run's report, evaluation having written another to another place."""
    saccade.evaluate(world / "run", world / "judge", report=world / "judged.html")
    assert "best epoch was chosen" not in (world / "judged.html").read_text()
    return (world / "run" / "report.html").read_text()


def test_an_earlier_best_epoch_gives_its_own_weights(class_folders, tmp_path, monkeypatch):
    settings = {"model.width": 4, "train.epochs": 3, "train.batch_size": 8, "train.threads": 1}
    training = Training(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    planted = iter([0.2, 0.9, 0.5])
    monkeypatch.setattr(training.procedure, "watch", lambda *given: next(planted))
    weights = []
    for record in training.records():
        if record.epoch_ends:
            state = training.learner.network.state_dict()
            weights.append({key: value.clone() for key, value in state.items()})
    run = training.finish()
    assert run.model.card["best_epoch"] == 2
    kept = run.model.network.state_dict()
    assert all(torch.equal(kept[key], weights[1][key]) for key in kept)
    assert not all(torch.equal(kept[key], weights[2][key]) for key in kept)


def test_nothing_held_out_keeps_the_last_epoch(class_folders, tmp_path):
    settings = {"model.width": 4, "train.epochs": 1, "data.validation": 0}
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    assert run.validation is None and "best_epoch" not in run.model.card
    assert not (tmp_path / "run" / "report.html").exists()
    assert len(run.model.predict([class_folders / "red-disc"][:0])) == 0


def test_the_same_seed_gives_the_same_model_in_balanced_batches_too(class_folders, tmp_path):
    prints = []
    for number in (0, 1):
        settings = {"train.epochs": 1, "model.width": 4, "train.threads": 1}
        settings["train.precision"] = "float32"  # Auto measures, and may choose otherwise.
        run = saccade.train(
            class_folders,
            task="classify",
            out=tmp_path / str(number),
            settings=settings | {"train.batches": "balanced"},
        )
        prints.append(run.model.fingerprint)
    assert prints[0] == prints[1]


def test_the_part_val_gives_the_scores(world, tmp_path, capsys):
    shutil.copytree(world / "learn", tmp_path / "data" / "train")
    shutil.copytree(world / "judge", tmp_path / "data" / "val")
    settings = {"model.width": 4, "train.epochs": 1}
    run = saccade.train(tmp_path / "data", task="classify", out=tmp_path / "r", settings=settings)
    assert run.validation.pictures == 60 and run.model.card["best_epoch"] == 1
    assert "120 pictures" in run.model.card["provenance"]
    (tmp_path / "data" / "val" / "red-disc").rename(tmp_path / "data" / "val" / "red-dics")
    words = ["train", str(tmp_path / "data"), "--out", str(tmp_path / "new"), *SHORT]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "'red-dics'" in error and error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_pictures_from_arrays_are_learned_judged_and_shown(world, tmp_path):
    samples = saccade.read_data(world / "learn")
    pixels = np.stack([np.array(Image.open(sample.path)) for sample in samples])
    labels = np.array([sample.label for sample in samples])
    np.savez(tmp_path / "shapes.npz", pictures=pixels, labels=labels)
    settings = {"model.width": 4, "train.epochs": 1, "train.threads": 1}
    settings["train.precision"] = "float32"  # Auto measures, and may choose otherwise.
    prints = [
        saccade.train(data, task="classify", out=tmp_path / name, settings=settings)
        for name, data in (("files", world / "learn"), ("arrays", tmp_path / "shapes.npz"))
    ]
    assert prints[0].model.fingerprint == prints[1].model.fingerprint
    assert prints[0].validation.to_dict() == prints[1].validation.to_dict()
    scores = saccade.evaluate(tmp_path / "arrays", tmp_path / "shapes.npz", report=tmp_path / "r")
    assert scores.wrong and "shapes.npz#" in (tmp_path / "r").read_text()
    found = prints[1].model.predict(saccade.read_data(tmp_path / "shapes.npz")[:1])
    assert found[0].picture == str(tmp_path / "shapes.npz#0") or "shapes.npz#" in found[0].picture


def test_broken_pictures_are_left_out_of_training_and_judging(world, tmp_path, capsys):
    shutil.copytree(world / "judge", tmp_path / "data")
    (tmp_path / "data" / "red-disc" / "00.png").write_text("this is no picture")
    run = str(tmp_path / "run")
    words = ["train", str(tmp_path / "data"), "--out", run, *SHORT, "--data.broken", "0.1"]
    assert main(words) == 0
    assert "1 pictures left out" in capsys.readouterr().out
    assert main(["evaluate", run, str(tmp_path / "data"), "--data.broken", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 59 and len(found["broken"]) == 1
    assert found["seen_in_training"] == []
    page = (tmp_path / "run" / "evaluation.html").read_text()
    assert "left out, unreadable" in page and "best epoch was chosen" not in page
    assert main(["evaluate", run, str(tmp_path / "data")]) == 2


# The model


def test_a_model_just_trained_and_loaded_again_predicts_the_same_bits(class_folders, tmp_path):
    settings = {"model.width": 4, "train.epochs": 1, "model.mirror": True}
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    paths = sorted(class_folders.rglob("*.png"))
    again = Model.load(tmp_path / "run")
    np.testing.assert_array_equal(again.probabilities(paths), run.model.probabilities(paths))
    assert again.predict(paths) == run.model.predict(paths)
    assert again.fingerprint == run.model.fingerprint


def test_probabilities_are_the_softmax_and_predictions_its_two_best(shapes, class_folders):
    model = classifier()
    paths = sorted(class_folders.rglob("*.png"), key=lambda file: file.name)
    shares = model.probabilities(paths)
    scaled = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = model.network(scaled).double().numpy()
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, wanted, atol=1e-5)
    for path, row, found in zip(paths, shares, model.predict(paths, at_least=0.3), strict=True):
        order = np.argsort(-row)
        assert (found.picture, found.label) == (str(path), CLASSES[order[0]])
        assert (found.probability, found.runner_up) == (row[order[0]], CLASSES[order[1]])
        assert found.sure == (row.max() >= 0.3)
        assert found.answer == (found.label if found.sure else "unsure")


def test_mirroring_averages_both_probabilities(shapes):
    pictures = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2)
    plain, both = classifier(), classifier(mirror=True)
    wanted = plain.classify_prepared(pictures) + plain.classify_prepared(pictures.flip(3))
    np.testing.assert_allclose(both.classify_prepared(pictures), wanted / 2, atol=1e-6)


def test_the_order_of_the_classes_is_part_of_the_fingerprint():
    assert classifier().fingerprint != classifier(classes=list(CLASSES[::-1])).fingerprint


def test_a_classifier_makes_no_vectors_and_an_embedder_no_classes(shapes, class_folders, tmp_path):
    picture = class_folders / "red-disc"
    with pytest.raises(InputError, match="--task embed"):
        classifier()(shapes[0])
    with pytest.raises(InputError, match="--task classify"):
        saccade.load("pixels").predict([next(picture.iterdir())])
    with pytest.raises(GalleryError, match="classifier, which makes no vectors"):
        saccade.Gallery.create(tmp_path / "gallery", embedder=classifier())
    assert not (tmp_path / "gallery").exists()


@pytest.mark.parametrize("classes", [None, [], ["a"], ["a", "a"], "ab", [1, 2], {"a": 1}])
def test_a_card_without_good_classes_is_refused(tmp_path, classes):
    classifier().save(tmp_path)
    card = json.loads((tmp_path / "model.json").read_text())
    card["classes"] = classes
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="not a complete model card"):
        Model.load(tmp_path)


# The commands


def test_predict_prints_writes_and_abstains(world, tmp_path, capsys):
    out = tmp_path / "answers.csv"
    words = ["predict", str(world / "run"), str(world / "judge"), "--out", str(out)]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert text.count("\n") == 61 and f"written: {out}" in text
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", "label", "probability"] and len(rows) == 60
    right = [row["label"] == row["path"].split("/")[-2] for row in rows]
    assert np.mean(right) > 0.9
    assert main([*words, "--at-least", "1", "--json"]) == 1
    answers = json.loads(capsys.readouterr().out)
    assert {one["answer"] for one in answers} == {"unsure"}
    assert {one["label"] for one in answers} == set(CLASSES)
    with out.open(newline="") as stream:
        assert {row["label"] for row in csv.DictReader(stream)} == {"unsure"}
    assert [item.name for item in tmp_path.iterdir()] == ["answers.csv"]


def test_predict_from_python_takes_a_model_and_strange_names(world, tmp_path):
    strange = tmp_path / 'a,"b"\n.png'
    shutil.copy(world / "judge" / "red-disc" / "00.png", strange)
    model = saccade.load(world / "run")
    (found,) = saccade.predict(model, [strange], out=tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row == {
        "path": str(strange),
        "label": found.label,
        "probability": f"{found.probability:.6f}",
    }


def test_predict_goes_on_after_a_broken_picture(world, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(world / "judge" / "red-disc" / "00.png", pictures / "0.png")
    (pictures / "1.png").write_text("this is no picture")
    shutil.copy(world / "judge" / "red-disc" / "01.png", pictures / "2.png")
    out = tmp_path / "answers.csv"
    words = ["predict", str(world / "run"), str(pictures), "--out", str(out)]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 4 and "1.png cannot be read" in printed.out
    assert "1 of 3 pictures have no answer" in printed.err and printed.err.count("\n") == 1
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [bool(row["label"]) for row in rows] == [True, False, True]
    assert rows[1]["probability"] == ""
    assert main([*words, "--json"]) == 2
    answers = json.loads(capsys.readouterr().out)
    assert answers[1] == {
        "picture": str(pictures / "1.png"),
        "answer": None,
        "error": answers[1]["error"],
        "sure": False,
    }
    assert answers[0]["answer"] == rows[0]["label"] and answers[0]["error"] is None


def test_train_and_evaluate_print_their_figures(class_folders, tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["train", str(class_folders), "--out", run, *SHORT]) == 0
    text = capsys.readouterr().out
    assert "kept epoch" in text and "balanced accuracy" in text and "macro F1" in text
    assert main(["evaluate", run, str(class_folders), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["pictures"] == 36 and len(figures["confusion"]) == 6


def test_absent_classes_are_judged_and_unknown_ones_refused(world, tmp_path, capsys):
    shutil.copytree(world / "judge" / "red-disc", tmp_path / "some" / "red-disc")
    scores = saccade.evaluate(world / "run", tmp_path / "some")
    assert scores.shown_classes == 1
    shutil.copytree(world / "judge" / "red-disc", tmp_path / "some" / "red-dics")
    assert main(["evaluate", str(world / "run"), str(tmp_path / "some")]) == 2
    error = capsys.readouterr().err
    assert "'red-dics'" in error and "'red-disc'" in error and error.count("\n") == 1


def test_a_class_with_one_picture_is_learned_from_not_judged(class_folders, tmp_path):
    shutil.copytree(class_folders, tmp_path / "data")
    (tmp_path / "data" / "lone").mkdir()
    shutil.copy(next((class_folders / "red-disc").iterdir()), tmp_path / "data" / "lone")
    settings = {"model.width": 4, "train.epochs": 1}
    run = saccade.train(tmp_path / "data", task="classify", out=tmp_path / "r", settings=settings)
    assert "lone" in run.model.classes and run.validation.shown_classes == 6
