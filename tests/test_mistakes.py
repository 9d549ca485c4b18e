"""Mistakes that people make with paths, terminals, rights and disks, and what they are told."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import saccade
from saccade.cli.app import main
from saccade.data.splits import hold_out_classes
from saccade.errors import InputError
from tests.runs import without_rights
from tests.writers import write_folders

LABELS = [label for label in ("ann", "bo", "cy", "di") for _ in range(3)]
SETTINGS = ["--train.epochs", "1", "--model.width", "4", "--model.dimension", "8"]
SACCADE = [sys.executable, "-m", "saccade"]


@pytest.fixture
def people(tmp_path, monkeypatch):
    """Class folders of four people, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    pictures = np.random.default_rng(3).integers(0, 256, (12, 16, 16), dtype=np.uint8)
    return write_folders(tmp_path / "people", pictures, LABELS)


def refused(capsys, *words):
    """Run a command that is refused; returns its one line."""
    capsys.readouterr()
    assert main([*map(str, words)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def run(*words, **more):
    return subprocess.run([*SACCADE, *map(str, words)], capture_output=True, text=True, **more)


@pytest.mark.slow
def test_a_class_folder_that_may_not_be_read_is_named_not_missed(people):
    (people / "bo").chmod(0)
    try:
        for words in (("train", people, *SETTINGS), ("evaluate", "pixels", people)):
            done = run(*words, preexec_fn=without_rights)
            assert done.returncode == 2
            assert "bo cannot be read: Permission denied" in done.stderr
            assert done.stderr.count("\n") == 1
    finally:
        (people / "bo").chmod(0o755)


def test_a_picture_that_may_not_be_read_is_not_called_broken(people):
    assert main(["create", "g", "--embedder", "pixels"]) == 0
    picture = next((people / "ann").iterdir())
    picture.chmod(0)
    done = run("find", "g", picture, preexec_fn=without_rights)
    assert done.returncode == 2 and "may not be read" in done.stderr


def test_a_terminal_with_few_letters_gets_escapes_and_the_right_code(people):
    assert main(["create", "g", "--embedder", "pixels"]) == 0
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    for words in (("enrol", "g", people / "ann", "--as", "Jürgen"), ("forget", "g", "Jürgen")):
        done = run(*words, env=ascii_only)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
    assert r"J\xfcrgen" in done.stdout


def test_pictures_are_never_overwritten_by_answers(people, capsys):
    picture = next((people / "ann").iterdir())
    before = picture.read_bytes()
    words = ("evaluate", "pixels", people, "--report", picture)
    assert "name an HTML file" in refused(capsys, *words)
    saccade.train(people, task="classify", out="run", settings={"train.epochs": 1})
    assert "name a file with --out" in refused(capsys, "predict", "run", picture, "--out", picture)
    assert picture.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["train", ""],
        ["evaluate", "pixels", ""],
        ["enrol", "g", ""],
        ["train", "people", "--out", ""],
        [""],
    ],
)
def test_an_empty_argument_is_not_the_folder_one_stands_in(people, capsys, words):
    assert main(["create", "g", "--embedder", "pixels"]) == 0
    assert "is empty" in refused(capsys, *words)
    assert sorted(item.name for item in people.parent.iterdir()) == ["g", "people"]


def test_a_disk_that_is_full_from_the_start_leaves_no_run_folder(people):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    words = ("train", people, "--out", "run", *SETTINGS)
    done = run(*words, preexec_fn=small_files)
    assert done.returncode == 2 and "start it anew" in done.stderr
    assert not (people.parent / "run").exists()
    assert main([*map(str, words)]) == 0


def test_a_gallery_on_a_full_disk_is_refused_in_one_line(people):
    def no_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = run("create", "g", "--embedder", "pixels", preexec_fn=no_files)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "cannot be made" in done.stderr
    assert [item.name for item in people.parent.iterdir()] == ["people"]


def test_the_cache_needs_a_whole_path_and_a_folder(people, capsys, monkeypatch):
    monkeypatch.setenv("SACCADE_CACHE", "cache")
    assert "whole path" in refused(capsys, "train", people, *SETTINGS)
    monkeypatch.setenv("SACCADE_CACHE", "~/cache")
    monkeypatch.setenv("HOME", str(people.parent / "home"))
    assert main(["info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["cache"]["folder"]
    assert told == str(people.parent / "home" / "cache")
    file = people.parent / "file"
    file.write_text("mine")
    monkeypatch.setenv("SACCADE_CACHE", str(file))
    assert "is a file" in refused(capsys, "info", "--clear-cache")
    assert file.read_text() == "mine"


def test_a_folder_given_as_recipe_is_called_a_folder(people, capsys):
    assert "is a folder" in refused(capsys, "train", people, "--recipe", people)


def test_a_report_that_cannot_be_written_is_named_itself(people):
    place = people.parent / "closed"
    place.mkdir(mode=0o555)
    words = ("evaluate", "pixels", people, "--report", place / "report.html")
    done = run(*words, preexec_fn=without_rights)
    assert done.returncode == 2
    assert f"{place}/report.html" in done.stderr and ".part" not in done.stderr


def test_a_termination_tells_how_to_go_on_and_has_its_own_code(people):
    words = ["train", people, "--out", "run", *SETTINGS, "--train.epochs", "5000"]
    training = subprocess.Popen([*SACCADE, *map(str, words)], stderr=subprocess.PIPE, text=True)
    history = people.parent / "run" / "history.jsonl"
    while not (history.exists() and history.stat().st_size) and training.poll() is None:
        time.sleep(0.05)
    training.terminate()
    said = training.communicate()[1]
    assert training.returncode == 143
    assert "saccade train --resume run" in said


def test_a_large_share_held_out_leaves_two_classes():
    labels = [f"person{n}" for n in range(10) for _ in range(3)]
    kept, held = hold_out_classes(labels, share=0.9, seed=0)
    assert len(kept) == 2 and len(held) == 8


def test_things_that_are_no_pictures_are_refused(people):
    picture = str(next((people / "ann").iterdir()))
    with saccade.Gallery.create("g", embedder="pixels", threshold=0.5) as gallery:
        assert gallery.verify(picture, picture).same
        with pytest.raises(InputError, match="path or a Sample"):
            gallery.find([np.zeros((4, 4, 3), np.uint8)])


def test_searching_does_not_load_the_charts():
    code = "import sys, saccade.api.gallery; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
