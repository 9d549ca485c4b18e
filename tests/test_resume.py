"""A training that is stopped, in whatever way, and resumed ends as one that was not."""

import json
import shutil

import numpy as np
import pytest
import torch

import saccade
import saccade.api.data
import saccade.api.train
from saccade.cli.app import main
from saccade.errors import InputError, SettingError
from saccade.training.run import read_history
from tests.runs import flags, weights_of, without_time
from tests.writers import WRITERS

SETTINGS = {
    "train.epochs": 4,
    "train.threads": 1,
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 4,
    "train.precision": "float32",
    "model.width": 8,
    "model.dimension": 8,
    "optim.ema": 0.9,
}
FLAGS = flags(SETTINGS)
STEPS = 3 * SETTINGS["train.epochs"]


@pytest.fixture(scope="module")
def uninterrupted(class_folders, tmp_path_factory):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return saccade.train(class_folders, out=folder, settings=SETTINGS).folder


def stop_after(steps, data, folder, **changes):
    """Leave a run as a crash after so many steps would."""
    training = saccade.Training(data, out=folder, settings=SETTINGS | changes)
    records = training.records()
    for _ in range(steps):
        next(records)
    records.close()
    return folder


@pytest.fixture
def stopped(class_folders, tmp_path):
    return stop_after(5, class_folders, tmp_path / "run")


# The same end


@pytest.mark.parametrize("steps", [1, 3, 4, 8, STEPS])
def test_a_resumed_run_is_the_uninterrupted_one(uninterrupted, class_folders, tmp_path, steps):
    folder = stop_after(steps, class_folders, tmp_path / "run")
    made = saccade.train(resume=folder)
    assert made.folder == folder and made.validation is not None
    assert weights_of(folder) == weights_of(uninterrupted)
    history = without_time(read_history(folder))
    assert len(history) == STEPS and history == without_time(read_history(uninterrupted))
    cards = [json.loads((run / "model.json").read_text()) for run in (folder, uninterrupted)]
    assert cards[0] == cards[1]
    assert not list(folder.glob("checkpoint?*"))


@pytest.mark.parametrize(
    "changes",
    [
        {"optim.schedule": "cosine", "optim.ema": 0.0, "optim.name": "nesterov"},
        {"optim.schedule": "constant", "train.accumulate": 2, "loss.name": "triplet_semi_hard"},
    ],
    ids=lambda changes: changes["optim.schedule"],
)
def test_other_settings_resume_as_well(class_folders, tmp_path, changes):
    whole = saccade.train(class_folders, out=tmp_path / "whole", settings=SETTINGS | changes)
    folder = stop_after(3, class_folders, tmp_path / "run", **changes)
    saccade.train(resume=folder)
    assert weights_of(folder) == weights_of(whole.folder)
    rates = [[record["lr"] for record in read_history(run)] for run in (folder, whole.folder)]
    assert rates[0] == rates[1]


def test_a_crash_in_the_last_stage_is_resumed(uninterrupted, class_folders, tmp_path, monkeypatch):
    monkeypatch.setattr(saccade.api.train, "mark_finished", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        saccade.train(class_folders, out=tmp_path / "run", settings=SETTINGS)
    monkeypatch.undo()
    saccade.train(resume=tmp_path / "run")
    assert weights_of(tmp_path / "run") == weights_of(uninterrupted)


def test_training_leaves_the_global_draws_alone(class_folders, tmp_path):
    """So a checkpoint need not keep their state."""
    before = torch.get_rng_state()
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=SETTINGS)
    list(training.records())
    training.finish()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_averaged_weights_are_what_the_model_gets(uninterrupted, class_folders, tmp_path):
    settings = SETTINGS | {"model.projection": "trained", "data.validation": 0.0}
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=settings)
    list(training.records())
    wanted = {k: v.clone() for k, v in training.learner.average.average.items()}
    assert not torch.equal(
        wanted["network.backbone.layers.0.weight"],
        training.learner.network.backbone.layers[0].weight.detach(),
    )
    model = training.finish().model
    for name, value in model.network.backbone.state_dict().items():
        assert torch.equal(value, wanted[f"network.backbone.{name}"])


def test_patience_stops_the_run_and_is_resumed(class_folders, tmp_path):
    # Without a rate nothing is learned, so the loss goes up and down by the draws alone.
    still = SETTINGS | {"optim.lr": 0.0, "train.epochs": 50, "train.patience": 3}
    ends = []
    for name, stop in (("whole", None), ("run", 4)):
        if stop:
            stop_after(stop, class_folders, tmp_path / name, **still)
            made = saccade.train(resume=tmp_path / name)
        else:
            made = saccade.train(class_folders, out=tmp_path / name, settings=still)
        history = read_history(made.folder)
        epochs = [[r["loss"] for r in history if r["epoch"] == n + 1] for n in range(50)]
        losses = [sum(each) / len(each) for each in epochs if each]
        assert 3 < len(losses) < 50
        assert losses.index(min(losses)) == len(losses) - 1 - 3
        ends.append(losses)
    assert ends[0] == ends[1]


def test_the_precision_that_was_measured_is_kept(class_folders, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    chosen = []

    def pretend(task, batch, targets):
        chosen.append(tuple(batch.shape))
        return torch.bfloat16

    monkeypatch.setattr(saccade.api.train, "faster_precision", pretend)
    folder = stop_after(4, class_folders, tmp_path / "run", **{"train.precision": "auto"})
    assert chosen == [(8, 3, 24, 24)]
    monkeypatch.setattr(saccade.api.train, "faster_precision", lambda *given: 1 / 0)
    assert json.loads((folder / "environment.json").read_text())["precision"] == "bfloat16"
    training = saccade.Training(resume=folder)
    assert training.precision == "bfloat16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert not chosen[1:] and len(list(training.records())) == STEPS - 3


def test_lines_of_history_after_the_checkpoint_are_dropped(class_folders, stopped):
    with (stopped / "history.jsonl").open("a") as stream:
        stream.write('{"epoch": 2, "los')  # cut short by the crash
    training = saccade.Training(resume=stopped)
    assert training.first_epoch == 1 and training.steps == STEPS - 3
    records = list(training.records())
    assert [record.step for record in records] == list(range(3, STEPS))
    assert [record["step"] for record in read_history(stopped)] == list(range(STEPS))


# A classifier, and data that are no folder

KINDS = {
    "task": "classify",
    "train.batch_size": 10,
    "train.threads": 1,
    "train.precision": "float32",
    "train.epochs": 6,
    "model.width": 4,
    "optim.lr": 0.02,
}


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("steps", [1, 10, 18])
def test_a_resumed_classifier_keeps_its_best_epoch(class_folders, tmp_path, decay, steps):
    settings = KINDS | {"optim.ema": decay}
    whole = saccade.train(class_folders, out=tmp_path / "whole", settings=settings)
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=settings)
    records = training.records()
    for _ in range(steps):
        next(records)
    records.close()
    made = saccade.train(resume=tmp_path / "run")
    assert weights_of(made.folder) == weights_of(whole.folder)
    cards = [json.loads((run.folder / "model.json").read_text()) for run in (made, whole)]
    assert cards[0] == cards[1] and cards[0]["best_epoch"]
    histories = [without_time(read_history(run.folder)) for run in (made, whole)]
    assert histories[0] == histories[1]
    assert [r["epoch"] for r in histories[0] if "validation_accuracy" in r] == [1, 2, 3, 4, 5, 6]


def test_the_best_epoch_comes_back_from_the_checkpoint(class_folders, tmp_path, monkeypatch):
    """The best one lies before the stop, and nothing after it is as good."""
    planted = iter([0.2, 0.9, 0.5, 0.4, 0.3, 0.1])
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=KINDS)
    kind = type(training.procedure)
    monkeypatch.setattr(kind, "watch", lambda *given: next(planted))
    wanted = {}
    records = training.records()
    for record in records:
        if record.epoch == 2 and record.epoch_ends:
            wanted = {k: v.clone() for k, v in training.learner.network.state_dict().items()}
        if record.epoch == 3 and record.epoch_ends:
            break
    records.close()
    again = saccade.Training(resume=tmp_path / "run")
    assert (again.best.epoch, again.best.figure) == (2, 0.9)
    list(again.records())
    model = again.finish().model
    assert model.card["best_epoch"] == 2
    assert all(
        torch.equal(value, wanted[name]) for name, value in model.network.state_dict().items()
    )


def test_the_watched_figure_is_that_of_the_averaged_weights(class_folders, tmp_path):
    settings = KINDS | {"optim.ema": 0.9, "train.epochs": 1}
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=settings)
    list(training.records())
    wanted = {k: v.clone() for k, v in training.learner.average.average.items()}
    last = {k: v.clone() for k, v in training.learner.network.state_dict().items()}
    model = training.finish().model
    found = model.network.state_dict()
    assert all(torch.equal(found[name], wanted[f"network.{name}"]) for name in found)
    assert not all(torch.equal(found[name], last[name]) for name in found)
    (figure,) = [
        record["validation_accuracy"]
        for record in read_history(tmp_path / "run")
        if "validation_accuracy" in record
    ]
    assert figure == training.best.figure == model.card["score"]["accuracy"]["value"]


def test_patience_of_a_classifier_waits_for_its_accuracy(class_folders, tmp_path, monkeypatch):
    settings = KINDS | {"train.epochs": 20, "train.patience": 2}
    planted = iter([0.2, 0.4, 0.4, 0.3, 0.9])
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=settings)
    monkeypatch.setattr(training.procedure, "watch", lambda *given: next(planted))
    epochs = {record.epoch for record in training.records()}
    assert epochs == {1, 2, 3, 4} and training.patience.ended
    assert training.finish().model.card["best_epoch"] == 3


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x10\0\0\0\0\0\0\0{}"])
def test_damaged_best_weights_are_refused(class_folders, tmp_path, content):
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=KINDS)
    records = training.records()
    while not next(records).epoch_ends:
        pass
    records.close()
    place = tmp_path / "run" / "checkpoint" / "best.safetensors"
    place.unlink() if content is None else place.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint.*start .* anew"):
        saccade.train(resume=tmp_path / "run")


@pytest.mark.parametrize("form", WRITERS)
def test_data_of_every_form_are_found_again(shapes, tmp_path, form):
    """Also those without a file a picture; other pictures in their place are refused."""
    pictures, labels = shapes[0][..., 1], [str(label) for label in shapes[1]]
    data = WRITERS[form](tmp_path / "data", np.ascontiguousarray(pictures), labels)
    settings = SETTINGS | {"train.epochs": 2}
    whole = saccade.train(data, out=tmp_path / "whole", settings=settings)
    folder = stop_after(3, data, tmp_path / "run", **{"train.epochs": 2})
    assert json.loads((folder / "environment.json").read_text())["data"] == str(data.resolve())
    shutil.copytree(folder, tmp_path / "copy")
    saccade.train(resume=folder)
    assert weights_of(folder) == weights_of(whole.folder)
    other = WRITERS[form](tmp_path / "other", np.ascontiguousarray(pictures[::-1]), labels)
    with pytest.raises(InputError, match=r"are not those that run .* began with"):
        saccade.train(other, resume=tmp_path / "copy")


def test_divided_data_are_found_again_by_the_whole(shapes, tmp_path):
    pictures, labels = shapes[0][..., 1], [str(label) for label in shapes[1]]
    WRITERS["folders"](tmp_path / "data" / "train", pictures, labels)
    WRITERS["folders"](tmp_path / "data" / "val", pictures[:12], labels[:12])
    training = saccade.Training(tmp_path / "data", out=tmp_path / "run", settings=KINDS)
    next(training.records())
    again = saccade.Training(resume=tmp_path / "run")
    assert again.data.part == (tmp_path / "data" / "train").resolve()
    assert len(again.data.held) == 12
    held = sorted((tmp_path / "data" / "val").rglob("*.png"))
    held[0].unlink()
    with pytest.raises(InputError, match=r"are not those that run .* began with"):
        saccade.Training(resume=tmp_path / "run")


# What is refused, with nothing changed


def snapshot(run):
    return {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


REFUSED = {
    "a setting": ({"settings": {"train.epochs": 9}}, r"train\.epochs 4, this command says 9"),
    "a recipe": ({"recipe": saccade.Recipe()}, r"model\.width 8, this command says 32"),
    "a task": ({"task": "other"}, "task embed, this command says other"),
    "a folder to make": ({"out": "elsewhere"}, "--out and --resume exclude each other"),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED)
def test_what_a_resumed_run_cannot_change(stopped, given, said):
    before = snapshot(stopped)
    with pytest.raises(InputError, match=said):
        saccade.train(resume=stopped, **given)
    assert snapshot(stopped) == before


def test_the_same_settings_may_be_said_again(stopped):
    recipe = saccade.read_recipe(stopped / "recipe.toml")
    training = saccade.Training(resume=stopped, recipe=recipe, settings={"train.epochs": "4"})
    assert training.first_epoch == 1


def test_a_recipe_changed_since_is_refused(stopped):
    file = stopped / "recipe.toml"
    file.write_text(file.read_text().replace("epochs = 4", "epochs = 400"))
    with pytest.raises(SettingError, match=r"epochs 4, .*recipe\.toml says 400"):
        saccade.train(resume=stopped)


def test_other_pictures_are_refused(class_folders, stopped, tmp_path):
    shutil.copytree(class_folders, tmp_path / "other")
    pictures = sorted((tmp_path / "other").rglob("*.png"))
    same, other = pictures[0].read_bytes(), pictures[1].read_bytes()
    pictures[0].write_bytes(other)
    pictures[1].write_bytes(same)
    before = snapshot(stopped)
    with pytest.raises(InputError, match=r"are not those that run .* began with"):
        saccade.train(tmp_path / "other", resume=stopped)
    assert snapshot(stopped) == before


def test_a_class_that_was_renamed_is_refused(class_folders, stopped, tmp_path):
    shutil.copytree(class_folders, tmp_path / "other")
    trained = saccade.Training(resume=stopped).data.classes
    (tmp_path / "other" / trained[0]).rename(tmp_path / "other" / f"{trained[0]}s")
    with pytest.raises(InputError, match=r"are not those that run .* began with"):
        saccade.train(tmp_path / "other", resume=stopped)


def test_what_a_killed_process_left_half_written_is_removed(stopped):
    (stopped / ".model.json.abc.part").write_text("{")
    (stopped / "checkpoint.new").mkdir()
    saccade.train(resume=stopped)
    left = {path.name for path in stopped.iterdir()}
    assert not {name for name in left if name.endswith((".part", ".new"))}


def test_pictures_that_moved_are_named_anew(uninterrupted, class_folders, tmp_path):
    shutil.copytree(class_folders, tmp_path / "before")
    folder = stop_after(5, tmp_path / "before", tmp_path / "run")
    (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(InputError, match=r"which is not there; name .* DATA --resume"):
        saccade.train(resume=folder)
    saccade.train(tmp_path / "after", resume=folder)
    assert weights_of(folder) == weights_of(uninterrupted)
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["data"] == str((tmp_path / "after").resolve())


@pytest.mark.parametrize(
    "file", ["state.json", "task.safetensors", "average.safetensors", "optimiser.safetensors"]
)
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x10\0\0\0\0\0\0\0{}"])
def test_a_damaged_checkpoint_is_refused(stopped, file, content):
    place = stopped / "checkpoint" / file
    place.unlink() if content is None else place.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint.*start .* anew"):
        saccade.train(resume=stopped)


# On the command line


def test_a_finished_run_says_so(uninterrupted, capsys):
    before = snapshot(uninterrupted)
    assert main(["train", "--resume", str(uninterrupted)]) == 2
    assert capsys.readouterr().err.endswith("its model is in it; there is nothing to resume\n")
    assert snapshot(uninterrupted) == before


def test_resume_takes_settings_without_a_data_folder(stopped, capsys):
    assert main(["train", "--resume", str(stopped), "--train.epochs", "5"]) == 2
    assert "this command says 5" in capsys.readouterr().err
    assert main(["train", "--resume", str(stopped), "--train.epochs=4"]) == 0
    assert "1 of 4 epochs are done" in capsys.readouterr().out


def test_ctrl_c_before_the_first_checkpoint(class_folders, tmp_path, capsys, monkeypatch):
    def pressed(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(saccade.api.data.TrainingData, "digest", pressed)
    words = ["train", str(class_folders), "--out", str(tmp_path / "run"), *FLAGS]
    assert main(words) == 130
    assert capsys.readouterr().err == ("saccade: interrupted; start it anew; it had not begun\n")
