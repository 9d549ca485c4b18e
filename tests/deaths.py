"""Victims that are killed at a given write: every write there is, and how each victim ends."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]


def told_to_die(words, lines):
    """The exit codes of the victims of these lines; ``words`` are the script that makes them."""
    made = subprocess.run(
        [sys.executable, *words],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert made.stderr == ""
    return [int(line) for line in made.stdout.split()]


def calls_of(words, gallery, points):
    """How often each of ``points`` is called: counted by a victim that is let live, in a copy."""
    shutil.copytree(gallery, gallery.with_name("living"))
    assert told_to_die(words, ["living 0 never -"]) == [0]
    calls = ast.literal_eval(gallery.with_name("living.calls").read_text())
    assert calls.keys() == points.keys()
    return calls


def all_deaths(calls):
    """(number of the call, before or after it, point) of every call."""
    return [
        (number, when, point)
        for point, count in calls.items()
        for number in range(1, count + 1)
        for when in ("before", "after")
    ]


def some(deaths, most, *, seed):
    """At most ``most`` of them, drawn; all of them where it is None."""
    if most is None:
        return deaths
    chosen = np.random.default_rng(seed).choice(len(deaths), most, replace=False)
    return [deaths[at] for at in sorted(chosen)]


def killed(words, gallery, deaths):
    """Kill a victim by each of ``deaths``, in a copy of its own; returns the line of each.

    The copies lie beside the gallery and are called by their place in the list.
    """
    lines = [f"{at} {number} {when} {point}" for at, (number, when, point) in enumerate(deaths)]
    for at in range(len(lines)):
        shutil.copytree(gallery, gallery.with_name(str(at)))
    assert told_to_die(words, lines) == [-signal.SIGKILL] * len(lines)
    return lines
