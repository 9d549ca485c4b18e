"""Training of every task, killed at random moments and resumed, ends as if nothing had happened."""

import json
import random
import signal
import subprocess
import time

import pytest

from saccade.tasks import TASKS
from saccade.training.run import read_history
from tests.runs import OF_TASK, TRAIN, environment, flags, what_is_the_same

# Three steps an epoch, whichever way the batches are drawn.
SETTINGS = {
    "train.epochs": 40,
    "train.threads": 1,
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 4,
    "train.batch_size": 10,
    "train.precision": "float32",
    "model.width": 8,
    "model.dimension": 8,
    "optim.ema": 0.9,
    "optim.schedule": "one_cycle",
}
STEPS = 3 * SETTINGS["train.epochs"]
KILLS = 5
LONGEST_WAIT_S = 0.05  # between the line of history that was waited for and the kill
# Two threads: of ten runs, stopped or not, every loss was the same to the last digit of the history
# (two cores, 21 November). Nothing promises that, for sums may be taken in another order. What an
# order does is seen between one thread and two: at most 2e-6 of a loss within these twelve steps;
# each step multiplies it, so that after sixty it is half the loss, and a long run could not be
# compared. An optimiser that lost its moments is off by 0.12 of a loss and more.
SHORT = {"train.epochs": 4, "train.threads": 2}
FLOAT_NOISE = 1e-4


def words_of(task, data, folder, **changes):
    settings = SETTINGS | OF_TASK[task] | changes
    return [*TRAIN, data, "--task", task, *flags(settings), "--out", folder]


def run_whole(words):
    done = subprocess.run(words, env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def kill_when(words, folder, lines, wait_s):
    """Run a command, kill it ``wait_s`` after its history has so many lines; its exit code.

    The history of an earlier process does not count: whoever resumes puts a new file in its place.
    """
    history = folder / "history.jsonl"
    former = history.stat().st_ino if history.exists() else None
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    )
    while process.poll() is None:
        known = history.exists() and history.stat().st_ino != former
        if known and history.read_bytes().count(b"\n") >= lines:
            time.sleep(wait_s)
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    return process.wait()


def moments(seed):
    """Lines to wait for, one drawn from each part of the run, and the seconds to wait then."""
    draw = random.Random(seed)
    part = STEPS // (KILLS - 1)
    lines = [draw.randrange(start, start + part) for start in range(0, STEPS, part)]
    # The last one is that of the last checkpoint, or of the model and its report.
    return [(line, draw.uniform(0, LONGEST_WAIT_S)) for line in (*lines, STEPS)]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_run_killed_five_times_is_the_uninterrupted_one(data_of_task, tmp_path, task):
    whole, folder = tmp_path / "whole", tmp_path / "run"
    run_whole(words_of(task, data_of_task, whole))
    assert len(read_history(whole)) == STEPS
    begin, resume = words_of(task, data_of_task, folder), [*TRAIN, "--resume", folder]
    codes = [
        kill_when(resume if number else begin, folder, line, wait_s)
        for number, (line, wait_s) in enumerate(moments(seed=0))
    ]
    assert codes[:-1] == [-signal.SIGKILL] * (KILLS - 1)
    # A kill that came too late left a finished run.
    if codes[-1] == -signal.SIGKILL:
        run_whole(resume)
    assert what_is_the_same(folder) == what_is_the_same(whole)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_with_two_threads_the_losses_go_on_within_float_noise(data_of_task, tmp_path, task):
    whole, folder = tmp_path / "whole", tmp_path / "run"
    run_whole(words_of(task, data_of_task, whole, **SHORT))
    code = kill_when(words_of(task, data_of_task, folder, **SHORT), folder, 5, 0)
    assert code == -signal.SIGKILL
    run_whole([*TRAIN, "--resume", folder])
    assert json.loads((folder / "environment.json").read_text())["threads"] == 2
    losses = [[record["loss"] for record in read_history(run)] for run in (folder, whole)]
    assert len(losses[0]) == 3 * SHORT["train.epochs"]
    assert losses[0] == pytest.approx(losses[1], rel=FLOAT_NOISE)
