"""Killed at every write of forget and index: nobody is lost, the forgotten are gone."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from saccade.gallery import Gallery
from tests import coded, gallery_victim
from tests.gallery_victim import DIMENSION, STEPS, people

ROOT = Path(__file__).parents[1]
EACH = 6
NAMES = [f"person {number}" for number in range(8)]
FEW = 6  # deaths of the quick run

DEATHS = [
    pytest.param(FEW, id="few"),
    pytest.param(None, id="all", marks=pytest.mark.slow),
]


def begun(folder):
    """A gallery of eight people in codes, and a loose one; returns the bytes that tell of each."""
    gallery = Gallery.create(folder, fingerprint="f" * 64, dimension=DIMENSION)
    with gallery, coded.tuner(coded.scanning(cells=2)):
        numbers = {}
        for name in NAMES:
            outcomes = gallery.enrol_vectors(people(name), [name] * EACH)
            numbers[name] = [outcome.picture_id for outcome in outcomes]
        gallery.index()
        gallery.enrol_vectors(people("loose"), ["loose"] * EACH)
        return {
            name: coded.traces(folder, people(name), numbers.get(name, []))
            for name in [*NAMES, "loose", "newcomer"]
        }


def told_to_die(folder, lines):
    """The exit codes of the victims of these lines."""
    victim = subprocess.run(
        [sys.executable, gallery_victim.__file__, "die", folder],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert victim.stderr == ""
    return [int(line) for line in victim.stdout.split()]


def all_deaths(folder):
    """Every call of every point, as one that is let live counts them."""
    shutil.copytree(folder / "gallery", folder / "living")
    assert told_to_die(folder, ["living 0 never -"]) == [0]
    calls = ast.literal_eval((folder / "living.calls").read_text())
    assert calls.keys() == gallery_victim.POINTS.keys()
    return [
        (number, when, point)
        for point, count in calls.items()
        for number in range(1, count + 1)
        for when in ("before", "after")
    ]


@pytest.mark.parametrize("most", DEATHS)
def test_killed_at_each_write(tmp_path, most):
    traces = begun(tmp_path / "gallery")
    deaths = all_deaths(tmp_path)
    if most is not None:
        chosen = np.random.default_rng(0).choice(len(deaths), most, replace=False)
        deaths = [deaths[at] for at in sorted(chosen)]
    lines = [f"{at} {number} {when} {point}" for at, (number, when, point) in enumerate(deaths)]
    for at in range(len(deaths)):
        shutil.copytree(tmp_path / "gallery", tmp_path / str(at))
    assert told_to_die(tmp_path, lines) == [-signal.SIGKILL] * len(deaths)
    for at, line in enumerate(lines):
        done = (tmp_path / f"{at}.told").read_text().splitlines()
        check(tmp_path / str(at), done, traces, line)


def check(folder, done, traces, line):
    expected = states(len(done))
    forgotten = [told.removeprefix("forget ") for told in done if told.startswith("forget")]
    for name in forgotten:
        assert not coded.files_with(folder, traces[name]), (line, name)
    with Gallery.open(folder) as gallery, coded.tuner(coded.scanning()):
        gallery.check()
        assert gallery.stats().pending_forgets == 0, line
        infos = gallery.identities()
        here = {info.name for info in infos}
        assert here in expected, line
        assert all(info.pictures == EACH for info in infos), line
        search(gallery, here)
        assert gallery.forget("person 7").status == "forgotten", line
        search(gallery, here - {"person 7"})
        assert gallery.index().rows == EACH * (len(here) - 1)
        search(gallery, here - {"person 7"})
    coded.assert_nothing_left(folder, range(1, 10**6))
    for name in {*NAMES, "loose"} - here | {"person 7"}:
        assert not coded.files_with(folder, traces[name]), (line, name)


def states(done):
    """Who may be there when so many steps were told: those, or one more was done untold."""
    here = {*NAMES, "loose"}
    states = [set(here)]
    for action, name in STEPS:
        here = here | {name} if action == "enrol" else here - {name}
        states.append(here)
    return states[done : done + 2]


def search(gallery, names):
    query = people("anybody")[0]
    with gallery._database.reading() as connection:
        table = connection.execute(
            "SELECT p.number, n.content, v.content FROM pictures p "
            "JOIN identities i ON i.number = p.identity JOIN names n ON n.slot = i.name "
            "JOIN vectors v ON v.slot = p.vector"
        ).fetchall()
    enrolled = {
        number: (name.rstrip(b"\0").decode(), np.frombuffer(content, "<f2").astype(np.float64))
        for number, name, content in table
    }
    assert {name for name, _ in enrolled.values()} == names
    for _, (name, vector) in enrolled.items():
        own = people(name) / np.linalg.norm(people(name), axis=1, keepdims=True)
        assert (np.abs(own - vector).max(axis=1) < 1e-3).any()
    (found,) = gallery.find_vectors([query], 5)
    coded.assert_right(found, enrolled, query, 5)
