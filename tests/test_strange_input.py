"""Strange input: one table, a row for each, with one outcome, for every task that has classes."""

import gzip
import json
import resource
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import saccade
from saccade.cli.app import main
from tests import strange
from tests.runs import TRAIN, environment, flags, weights_of, without_rights
from tests.strange import LABELS, crowd_in, people_in, pictures
from tests.test_bad_input import snapshot
from tests.writers import idx_bytes, write_arrays, write_folders, write_idx, write_table

SETTINGS = ["--train.epochs", "1", "--model.width", "4", "--model.dimension", "8"]
# A run that can be compared, of two steps an epoch and more, long enough to be interrupted.
LONGER = {
    "train.epochs": 20,
    "train.threads": 1,
    "train.precision": "float32",
    "train.batch_size": 6,
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 3,
    "model.width": 8,
    "model.dimension": 8,
    "optim.ema": 0.9,
}


@pytest.fixture
def people(tmp_path):
    return people_in(tmp_path)


@pytest.fixture
def crowd(tmp_path):
    return crowd_in(tmp_path)


def answer(capsys, *words):
    """Run a command with --json; returns its exit code and the document that it printed."""
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


@dataclass
class Place:
    """Where a row is tried: an empty folder, the task that is learned, what is printed."""

    root: Path
    task: str
    capsys: pytest.CaptureFixture

    def words(self, data, *more):
        return [str(word) for word in ("train", data, "--task", self.task, *SETTINGS, *more)]

    def long_run(self, data, name):
        """The words of a longer run in the folder ``name``, and that folder."""
        run = self.root / name
        return [*TRAIN, data, "--task", self.task, "--out", run, *flags(LONGER)], run

    def undisturbed(self, data):
        made = saccade.train(data, task=self.task, out=self.root / "whole", settings=LONGER)
        return made.folder


# The outcomes


def works(place, put, count):
    """Training and evaluation take it as any other; ``count`` pictures are judged."""
    data = people_in(place.root)
    put(data)
    code, done = answer(place.capsys, *place.words(data, "--out", place.root / "run"))
    assert (code, done["broken"]) == (0, [])
    code, scores = answer(place.capsys, "evaluate", place.root / "run", data)
    assert (code, scores["pictures"], scores["broken"]) == (0, count, [])
    assert "Zoë <b>" not in (place.root / "run" / "evaluation.html").read_text()


def left_out(place, contents, *more):
    """A few pictures of many: skipped, named, counted. Without content one is a link to nowhere."""
    data = crowd_in(place.root)
    for name, content in contents.items():
        bad = data / "person4" / f"{name}.png"
        if content is None:
            bad.symlink_to(data / "nowhere.png")
        else:
            bad.write_bytes(content)
    run = place.root / "run"
    code, done = answer(place.capsys, *place.words(data, "--out", run, *more))
    assert code == 0
    named = {item["picture"]: item["reason"] for item in done["broken"]}
    assert len(done["broken"]) == len(contents)
    assert set(named) == {str(data / "person4" / f"{name}.png") for name in contents}
    assert main(["evaluate", str(run), str(data), *more]) == 0
    text = place.capsys.readouterr().out
    for bad, reason in named.items():
        assert bad in reason and f"left out   {reason}\n" in text
    assert f"{len(contents)} pictures left out, unreadable\n" in text


def refused(place, make, expected):
    """One line that holds what is ``expected``, exit code 2, and nothing is written."""
    data = make(place.root)
    before = snapshot(place.root)
    code = main(place.words(data))
    said = place.capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert_one_line(said.err, expected)
    assert snapshot(place.root) == before


def refused_to_a_reader(place, expected):
    """The folder of the run can only be read."""
    data = people_in(place.root)
    (place.root / "locked").mkdir(mode=0o555)
    words = place.words(data, "--out", place.root / "locked" / "run")
    done = process([sys.executable, "-m", "saccade", *words], before=without_rights)
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, expected)
    assert list((place.root / "locked").iterdir()) == []


def interrupted(place):
    """Ctrl-C in the middle: exit code 130, one line; what it says goes on to the same weights."""
    data = people_in(place.root)
    words, run = place.long_run(data, "my run")
    history = run / "history.jsonl"
    # A shell that runs the tests in the background has made their children deaf to it.
    with subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as training:
        while training.poll() is None:
            if history.exists() and history.read_bytes().count(b"\n") >= 7:
                training.send_signal(signal.SIGINT)
                break
            time.sleep(0.001)
        error = training.stderr.read()
    assert training.returncode == 130, error
    assert_one_line(error, ["interrupted; go on with: saccade train --resume "])
    command = shlex.split(error.partition("go on with: ")[2])
    assert not (run / "model.json").exists() and main(command[1:]) == 0
    assert weights_of(run) == weights_of(place.undisturbed(data))


def no_room_for_training(place):
    """A full disk: exit code 2, one line; the last checkpoint goes on to the same weights."""
    data = people_in(place.root)
    whole = place.undisturbed(data)
    sizes = {file.name: file.stat().st_size for file in (whole / "checkpoint").iterdir()}
    # The first checkpoint fits; that of the first epoch holds the optimiser's moments as well.
    limit = (sizes["average.safetensors"] + sizes["optimiser.safetensors"]) // 2
    assert sizes["average.safetensors"] < limit < sizes["optimiser.safetensors"]
    words, run = place.long_run(data, "run")
    done = process(words, before=full_at(limit))
    assert done.returncode == 2, done.stderr
    assert_one_line(done.stderr, ["saccade train --resume"])
    assert {path.name for path in run.glob("checkpoint*")} == {"checkpoint"}
    saccade.train(resume=run)
    assert weights_of(run) == weights_of(whole)


def no_room_for_enrolling(place, room):
    """A full disk: exit code 2, one line, the gallery as before; ``room`` in bytes beside it."""
    data = people_in(place.root)
    gallery = place.root / "gallery"
    with saccade.Gallery.create(gallery, embedder="pixels") as made:
        made.enrol([saccade.Sample(data / "ann" / "000.png", "ann")])
    before = snapshot(gallery)
    words = [sys.executable, "-m", "saccade", "enrol", gallery, data]
    done = process(words, before=full_at(room))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert_one_line(done.stderr, [str(gallery), "disk"])
    with saccade.Gallery.open(gallery) as opened:
        opened.check()
        assert [info.name for info in opened.identities()] == ["ann"]
    assert snapshot(gallery) == before
    with saccade.Gallery.open(gallery) as opened:
        assert [one.status for one in opened.enrol(saccade.read_data(data))][1:] == [
            "enrolled"
        ] * 11


def no_room_for_a_report(place):
    """A full disk: exit code 2, one line, the report of before."""
    data = people_in(place.root)
    report = place.root / "evaluation.html"
    saccade.evaluate("pixels", data, report=report)
    before = snapshot(place.root)
    words = [sys.executable, "-m", "saccade", "evaluate", "pixels", data, "--report", report]
    done = process(words, before=full_at(2000))
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, [str(report)])
    assert snapshot(place.root) == before


def assert_one_line(error, expected):
    assert error.startswith("saccade: ") and error.count("\n") == 1, error
    assert [words for words in expected if words not in error] == [], error


def process(words, *, before):
    """Run a command in its own process, which calls ``before`` first."""
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        env=environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=before,
        check=False,
    )


def full_at(size):
    """What keeps the files of a process below ``size`` bytes."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


# The table: what is strange, its outcome, and what that outcome is given

PACKED = gzip.compress(idx_bytes(pictures(4)))
BROKEN = {
    "truncated JPEG": strange.encoded("JPEG")[:-60],
    "truncated PNG": strange.encoded("PNG")[:-60],
    "text": b"this is no picture\n",
    "zero bytes": b"",
    "GIF": strange.encoded("GIF"),
    "30,000 x 30,000 PNG": strange.huge_png(30_000, 30_000),
    "11,000 x 10,000 PNG": strange.huge_png(11_000, 10_000),
    "link that leads nowhere": None,
}
STRANGE = {
    "grey pictures of every kind": (works, strange.grey_ones, 18),
    "CMYK JPEG": (works, strange.cmyk, 13),
    "strange class name": (works, strange.odd_class, 12),
    "names that are no UTF-8": (works, strange.not_utf8, 12),
    "one picture in a class": (works, strange.one_picture, 13),
    "symbolic links": (works, strange.links, 16),
    "one broken of many": (left_out, {"zero bytes": b""}),
    "broken in every way": (left_out, BROKEN, "--data.broken", "0.1"),
    "missing path": (refused, strange.nothing, ["missing", "does not exist"]),
    "empty folder": (refused, strange.empty, ["empty", "sub-folder"]),
    "one of twelve broken": (
        refused,
        strange.too_many_broken,
        ["1 of 12", "data.broken", "000.png"],
    ),
    "label missing": (
        refused,
        strange.table_of("path,label\na.png,x\nb.png,\n"),
        ["line 3", "label is empty"],
    ),
    "cell missing": (refused, strange.table_of("path,label\na.png\n"), ["line 2", "Got 1"]),
    "unknown column": (refused, strange.table_of("path,lable\na.png,x\n"), ["'label'", "'lable'"]),
    "one class": (refused, strange.table_of("path,label\na.png,x\n"), ["one class, 'x'"]),
    "files missing": (refused, strange.table_without_files, ["000.png", "does not exist"]),
    "wrong axes": (
        refused,
        strange.idx_of(gzip.compress(idx_bytes(pictures(4)[0]))),
        ["in 2 axes", "3 axes"],
    ),
    "counts differ": (
        refused,
        strange.idx_of(gzip.compress(idx_bytes(pictures(3)))),
        ["3 pictures", "4 labels"],
    ),
    "gz cut short": (
        refused,
        strange.idx_of(PACKED[: len(PACKED) // 2]),
        ["images-idx3", "cut short"],
    ),
    "gz is no gz": (refused, strange.idx_of(b"text"), ["images-idx3", "damaged"]),
    "labels cut": (
        refused,
        strange.idx_of(b"", "labels-idx1-ubyte.gz"),
        ["labels-idx1", "cut short"],
    ),
    "npz cut": (refused, strange.archive_cut, ["data.npz", "damaged"]),
    "npz of objects": (
        refused,
        strange.archive_of(pictures=pictures(2), labels=np.array([{}, {}])),
        ["x.npz", "object"],
    ),
    "npz of floats": (
        refused,
        strange.archive_of(pictures=pictures(2) / 2, labels=[0, 1]),
        ["float64"],
    ),
    "more than its parts": (refused, strange.both_parts_and_more, ["train, test", "'more'"]),
    "no train": (refused, strange.no_train, ["no part train", "only test"]),
    "read-only output": (refused_to_a_reader, ["run", "cannot be written"]),
    "Ctrl-C": (interrupted,),
    "full disk, training": (no_room_for_training,),
    "full disk, enrolling": (no_room_for_enrolling, 60_000),
    "full disk, a report": (no_room_for_a_report,),
}
# A gallery and a report know no task.
OF_NO_TASK = (no_room_for_enrolling, no_room_for_a_report)
TWICE = (interrupted, no_room_for_training)  # slow, and much the same for either task
CASES = [
    pytest.param(
        row,
        task,
        id=f"{row}-{task}",
        marks=[pytest.mark.slow] if task == "classify" and outcome in TWICE else [],
    )
    for row, (outcome, *_) in STRANGE.items()
    for task in ([None] if outcome in OF_NO_TASK else ("classify", "embed"))
]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("row", "task"), CASES)
def test_strange_input_has_its_outcome(tmp_path, capsys, monkeypatch, row, task):
    monkeypatch.chdir(tmp_path)
    outcome, *given = STRANGE[row]
    outcome(Place(tmp_path, task, capsys), *given)


# More of the same


def test_ten_are_named_and_all_are_counted(crowd, tmp_path, capsys):
    for file in sorted(crowd.rglob("*.png"))[:100:7]:
        file.write_bytes(b"x")
    words = ["train", crowd, "--out", tmp_path / "run", *SETTINGS, "--data.broken", "0.2"]
    assert main([*map(str, words)]) == 0
    text = capsys.readouterr().out
    assert text.count("left out   ") == 10 and "15 pictures left out, unreadable\n" in text
    code, scores = answer(capsys, "evaluate", tmp_path / "run", crowd, "--data.broken", "0.2")
    assert (code, len(scores["broken"]), scores["pictures"]) == (0, 15, 105)
    assert "15 pictures" in (tmp_path / "run" / "evaluation.html").read_text()


def test_a_name_cannot_break_the_line_or_steer_the_terminal(tmp_path, capsys):
    source = write_folders(tmp_path / "people", pictures(12), LABELS)
    (source / "ann" / "000.png").rename(source / "ann" / "0\n\x1b[31m\udcff.png")
    (source / "ann" / "0\n\x1b[31m\udcff.png").write_bytes(b"")
    assert main(["train", str(source), *SETTINGS]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and r"0\n\x1b[31m\udcff.png" in error and "\x1b" not in error


@pytest.mark.parametrize("form", ["csv", "idx", "npz"])
def test_a_gallery_takes_every_form(tmp_path, capsys, form):
    names = [str(n // 3) for n in range(12)]
    source = {"csv": write_table, "idx": write_idx, "npz": write_arrays}[form](
        tmp_path / "data", pictures(12), names
    )
    words = ("create", tmp_path / "g", "--embedder", "pixels", "--threshold-from", source)
    assert answer(capsys, *words)[0] == 0
    code, done = answer(capsys, "enrol", tmp_path / "g", source)
    assert (code, done["enrolled"]) == (0, 12)
    assert answer(capsys, "enrol", tmp_path / "g", source)[1]["unchanged"] == 12
    assert [row["name"] for row in answer(capsys, "list", tmp_path / "g")[1]] == list("0123")


def test_a_file_where_the_run_should_be_is_refused(people, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main(["train", str(people), "--out", str(tmp_path / "file" / "run"), *SETTINGS]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"
