"""The commands on good input: what they print, their JSON, and their exit codes."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import saccade
from saccade.cli.app import main
from saccade.config import TrainSettings
from saccade.data.folders import read_class_folders

SETTINGS = ["--train.epochs", "2", "--model.width", "8", "--model.dimension", "16"]


@pytest.fixture(scope="module")
def run(class_folders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    words = ["train", str(class_folders), "--task", "embed", "--out", str(folder), *SETTINGS]
    assert main(words) == 0
    return folder


@pytest.fixture
def gallery(run, class_folders, tmp_path):
    folder = tmp_path / "gallery"
    assert main(["create", str(folder), "--embedder", str(run), "--threshold", "0.99"]) == 0
    picture = first(class_folders, "red-disc")
    assert main(["enrol", str(folder), str(picture), "--as", "red"]) == 0
    return folder


def first(folders: Path, label: str) -> Path:
    return sorted((folders / label).iterdir())[0]


def answer(capsys, *words: object) -> tuple[int, object]:
    """Run a command with --json; returns its exit code and the document it printed."""
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_explains_itself(run):
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "checkpoint",
        "environment.json",
        "history.jsonl",
        "model.json",
        "model.safetensors",
        "recipe.toml",
        "report.html",
    }
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert records[0].keys() >= {"loss", "gradient_norm", "wait_s", "pictures_per_s", "epoch"}
    assert saccade.read_recipe(run / "recipe.toml").train.epochs == 2
    card = json.loads((run / "model.json").read_text())
    assert card["threshold"]["criterion"] == "false accept rate of 0.01 on pairs"
    assert len(card["classes"]) == 4, "two of six classes are held out"


def test_the_same_seed_gives_the_same_model(class_folders, tmp_path):
    prints = []
    for name in ("a", "b"):
        settings = {"train.epochs": 1, "model.width": 4, "train.threads": 1}
        settings["train.precision"] = "float32"  # Auto measures, and may choose otherwise.
        made = saccade.train(class_folders, out=tmp_path / name, settings=settings)
        prints.append(made.model.fingerprint)
    assert prints[0] == prints[1]


def test_a_moved_run_answers_the_same(run, class_folders, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(run, moved)
    pictures = [first(class_folders, "red-disc"), first(class_folders, "blue-disc")]
    assert (saccade.load(run).embed(pictures) == saccade.load(moved).embed(pictures)).all()


def test_one_picture_in_every_class_works(class_folders, tmp_path):
    for folder in class_folders.iterdir():
        (tmp_path / "data" / folder.name).mkdir(parents=True)
        shutil.copy(first(class_folders, folder.name), tmp_path / "data" / folder.name)
    made = saccade.train(
        tmp_path / "data", out=tmp_path / "run", settings={"train.epochs": 1, "model.width": 4}
    )
    assert made.validation is None and made.model.threshold is None
    vectors = made.model.embed(sorted((tmp_path / "data").rglob("*.png")))
    assert vectors.shape == (6, 128) and abs((vectors**2).sum(1) - 1).max() < 1e-5


def test_train_takes_values_with_an_equals_sign_and_overrides_a_recipe(class_folders, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[train]\nepochs = 7\n[model]\nwidth = 4\n")
    words = ["train", class_folders, "--recipe", recipe, "--out", tmp_path / "run"]
    assert main([*map(str, words), "--train.epochs=1"]) == 0
    made = saccade.read_recipe(tmp_path / "run" / "recipe.toml")
    assert (made.train.epochs, made.model.width) == (1, 4)


@pytest.mark.parametrize("more", [[], ["--train.precision", "bfloat16"]])
def test_precision_is_a_flag_of_its_own(class_folders, tmp_path, more):
    words = ["train", class_folders, "--out", tmp_path / "run", *SETTINGS, *more]
    assert main([*map(str, words), "--precision", "bfloat16"]) == 0
    assert saccade.read_recipe(tmp_path / "run" / "recipe.toml").train.precision == "bfloat16"


def test_evaluate_says_its_figures_with_intervals(run, class_folders, capsys):
    code, figures = answer(capsys, "evaluate", run, class_folders)
    assert code == 0
    for name in ("rank_1", "rank_5", "auc", "equal_error_rate"):
        assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"]
    assert Path(figures["report"]).is_file()


def test_enrolling_twice_changes_nothing(gallery, class_folders, capsys):
    words = ("enrol", gallery, first(class_folders, "red-disc"), "--as", "red")
    code, done = answer(capsys, *words)
    assert code == 0 and (done["enrolled"], done["unchanged"]) == (0, 1)
    assert answer(capsys, "stats", gallery)[1]["pictures"] == 1


def test_find_knows_the_enrolled_picture(gallery, class_folders, capsys):
    code, (found,) = answer(capsys, "find", gallery, first(class_folders, "red-disc"))
    assert code == 0 and found["known"] and found["identity"] == "red"
    assert found["hits"][0]["similarity"] == pytest.approx(1, abs=1e-3)


def test_find_says_unknown_with_exit_code_1(gallery, class_folders, capsys):
    code, (found,) = answer(capsys, "find", gallery, first(class_folders, "blue-square"))
    assert code == 1 and not found["known"] and found["identity"] == "unknown"


def test_verify_answers_with_its_exit_code(gallery, class_folders, capsys):
    red, blue = first(class_folders, "red-disc"), first(class_folders, "blue-square")
    assert answer(capsys, "verify", gallery, red, red)[0] == 0
    code, verdict = answer(capsys, "verify", gallery, red, blue)
    assert code == 1 and verdict["same"] is False


def test_a_folder_of_identities_is_listed_and_forgotten(gallery, class_folders, capsys):
    code, done = answer(capsys, "enrol", gallery, class_folders)
    assert code == 1, "one was skipped"
    assert done["skipped"] == 1, "one picture is enrolled as 'red' already"
    _, listed = answer(capsys, "list", gallery)
    assert [row["name"] for row in listed] == sorted(
        [p.name for p in class_folders.iterdir()] + ["red"]
    )
    code, gone = answer(capsys, "forget", gallery, "red")
    assert code == 0 and gone["status"] == "forgotten" and Path(gone["receipt"]).is_file()
    _, listed = answer(capsys, "list", gallery)
    assert "red" not in [row["name"] for row in listed]


def test_a_gallery_moves_with_its_embedder(gallery, run, class_folders, tmp_path, capsys):
    moved = tmp_path / "moved"
    gallery.rename(moved)
    code, _ = answer(capsys, "find", moved, first(class_folders, "red-disc"))
    assert code == 0


def test_text_for_people(gallery, class_folders, capsys):
    main(["find", str(gallery), str(first(class_folders, "red-disc"))])
    main(["list", str(gallery)])
    main(["stats", str(gallery)])
    text = capsys.readouterr().out
    assert ": red\n" in text and "identity" in text and "fingerprint" in text


def test_names_cannot_steer_the_terminal(gallery, class_folders, tmp_path, capsys):
    strange = tmp_path / "a\x1b[31mred\n.png"
    shutil.copy(first(class_folders, "blue-disc"), strange)
    main(["find", str(gallery), str(strange)])
    assert "\x1b" not in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("saccade")


@pytest.mark.parametrize("command", ["train", "predict", "forget", "list", "merge", "check"])
def test_help_fits_one_screen(command, capsys):
    assert main([command, "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= 24


@pytest.mark.parametrize("command", ["evaluate", "find", "enrol", "create"])
def test_help_of_the_commands_with_most_options_stays_short(command, capsys):
    assert main([command, "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= 38


def test_one_broken_picture_costs_no_other_answer(gallery, class_folders, tmp_path, capsys):
    shutil.copy(first(class_folders, "red-disc"), tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    capsys.readouterr()
    code = main(["find", str(gallery), str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--json"])
    good, broken = json.loads(capsys.readouterr().out)
    assert code == 2
    assert good["identity"] == "red" and good["error"] is None
    assert broken["identity"] is None and "b.png" in broken["error"]


def test_the_threshold_can_be_changed(gallery, class_folders, capsys):
    assert answer(capsys, "threshold", gallery, "0.25") == (0, {"threshold": 0.25, "broken": []})
    assert answer(capsys, "stats", gallery)[1]["threshold"] == 0.25
    code, found = answer(capsys, "threshold", gallery, "--from", class_folders)
    assert code == 0 and -1 <= found["threshold"] <= 1
    assert answer(capsys, "stats", gallery)[1]["threshold"] == pytest.approx(found["threshold"])


def test_a_threshold_is_found_on_the_pictures_that_can_be_read(
    gallery, run, class_folders, tmp_path, capsys
):
    shutil.copytree(class_folders, tmp_path / "data")
    bad = first(tmp_path / "data", "red-disc")
    bad.write_text("no picture")
    shutil.copytree(tmp_path / "data", tmp_path / "rest")
    (tmp_path / "rest" / "red-disc" / bad.name).unlink()
    _, wanted = answer(capsys, "threshold", gallery, "--from", tmp_path / "rest")
    asked = ("--data.broken", "0.05")
    words = ("create", tmp_path / "new", "--embedder", run, "--threshold-from", tmp_path / "data")
    for command in (("threshold", gallery, "--from", tmp_path / "data"), words):
        code, found = answer(capsys, *command, *asked)
        assert code == 0 and found["threshold"] == wanted["threshold"]
        assert [item["picture"] for item in found["broken"]] == [str(bad)]
    shutil.rmtree(tmp_path / "new")
    assert main([*map(str, words), *asked]) == 0
    text = capsys.readouterr().out
    assert f"left out   {bad} cannot" in text and "1 pictures left out, unreadable\n" in text
    shutil.rmtree(tmp_path / "new")
    assert main([*map(str, words)]) == 2
    error = capsys.readouterr().err
    assert "1 of 36 pictures cannot be read" in error and error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_find_and_evaluate_show_how_far_they_are_on_a_terminal_only(
    gallery, class_folders, capsys, monkeypatch
):
    words = [["find", gallery, class_folders], ["evaluate", "pixels", class_folders]]
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        for line in words:
            main([*map(str, line)])
            plain = capsys.readouterr()
            main([*map(str, line), "--json"])
            assert capsys.readouterr().err == ""
            assert bool(plain.err) == terminal, line


def test_evaluate_says_when_the_identities_were_trained_on(run, class_folders, capsys):
    _, figures = answer(capsys, "evaluate", run, class_folders)
    assert len(figures["seen_in_training"]) == 4
    main(["evaluate", str(run), str(class_folders)])
    assert "the figures flatter" in capsys.readouterr().out


def started(*words: object, **options: object) -> subprocess.Popen:
    code = "from saccade.cli.app import main; import sys; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_traceback_and_no_success(gallery, class_folders):
    with started("enrol", gallery, class_folders) as process:
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in error
    with saccade.Gallery.open(gallery) as opened:
        opened.check()


def test_a_run_is_not_finished_before_its_last_step(class_folders, tmp_path):
    training = saccade.Training(class_folders, out=tmp_path / "run", settings={"model.width": 4})
    next(training.records())
    with pytest.raises(saccade.SaccadeError, match="all records"):
        training.finish()


def test_a_recipe_made_in_python_is_checked_too(class_folders, tmp_path):
    recipe = saccade.Recipe(train=TrainSettings(epochs=-1))
    with pytest.raises(saccade.InputError, match=r"train\.epochs"):
        saccade.train(class_folders, recipe=recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_hidden_files_are_no_pictures(class_folders, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(class_folders, data)
    before = len(read_class_folders(data))
    (data / "red-disc" / "._00.png").write_text("left by another system")
    (data / "red-disc" / ".thumbs").mkdir()
    shutil.copy(first(data, "blue-disc"), data / "red-disc" / ".thumbs")
    assert len(read_class_folders(data)) == before
