"""Killed at every write of forget, index and corrections: nothing is half, the forgotten are gone.

A state is a set of names, ("merged", whom, into) and ("rejected", as whom).
"""

import numpy as np
import pytest

from saccade.gallery import Gallery
from tests import coded, gallery_victim
from tests.deaths import all_deaths, calls_of, killed, some
from tests.gallery_victim import DIMENSION, STEPS, people

EACH = 6
NAMES = [f"person {number}" for number in range(8)]
RENAMED = [names for action, *names in STEPS if action == "rename"]
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
        } | {"stranger": coded.traces(folder, people("stranger")[:1], [])}


@pytest.mark.parametrize("most", DEATHS)
def test_killed_at_each_write(tmp_path, most):
    traces = begun(tmp_path / "gallery")
    words = [gallery_victim.__file__, "die", tmp_path, "people"]
    calls = calls_of(words, tmp_path / "gallery", gallery_victim.POINTS)
    deaths = some(all_deaths(calls), most, seed=0)
    for at, line in enumerate(killed(words, tmp_path / "gallery", deaths)):
        done = (tmp_path / f"{at}.told").read_text().splitlines()
        check(tmp_path / str(at), done, traces, line)


def check(folder, done, traces, line):
    expected = states()[len(done) : len(done) + 2]
    for name in everyone() - named(expected[0]):  # acknowledged, before anybody opens it again
        assert name == "newcomer" or not coded.files_with(folder, traces[name]), (line, name)
    with Gallery.open(folder) as gallery, coded.tuner(coded.scanning()):
        gallery.check()
        assert gallery.stats().pending_forgets == 0, line
        state = found(gallery)
        assert state in expected, line
        infos = gallery.identities()
        assert all(info.pictures == EACH * (1 + len(info.also)) for info in infos), line
        search(gallery, state)
        assert gallery.forget("person 7").status == "forgotten", line
        search(gallery, state - {"person 7"})
        assert gallery.index().rows == EACH * (len(named(state)) - 1)
        search(gallery, state - {"person 7"})
    coded.assert_nothing_left(folder, range(1, 10**6))
    gone = everyone() - named(state) | {"person 7"}
    gone |= set() if any(one[0] == "rejected" for one in state) else {"stranger"}
    for name in gone:
        assert not coded.files_with(folder, traces[name]), (line, name)


def everyone():
    return {*NAMES, "loose", "newcomer"}


def named(state):
    """Whom of them the state holds, by their first names."""
    here = {one for one in state if isinstance(one, str)}
    return {next((old for old, new in RENAMED if new == one), one) for one in here}


def states():
    """The state after each number of steps: a death leaves that of the steps told, or one more."""
    state = {*NAMES, "loose"}
    states = [set(state)]
    for action, *names in STEPS:
        if action == "enrol":
            state = state | {*names}
        elif action == "merge":
            state = state | {("merged", names[1], names[0])}
        elif action == "unmerge":
            state = {one for one in state if one[:2] != ("merged", names[0])}
        elif action == "reject":
            state = state | {("rejected", names[0])}
        elif action == "unreject":  # of a name that it was merged into
            state = state - {("rejected", "person 3")}
        elif action == "rename":
            state = state - {names[0]} | {names[1]}
        elif action == "forget":
            group = {names[0], *(one[2] for one in state if one[:2] == ("merged", names[0]))}
            state = {one for one in state if one not in group and not group & {*one[1:]}}
        states.append(state)
    return states


def found(gallery):
    """The state of a gallery."""
    merged = {
        ("merged", one, info.name) for info in gallery.identities() for one in info.also
    }  # no chains here
    with gallery._database.reading() as connection:
        table = connection.execute(
            "SELECT n.content, r.number FROM identities i JOIN names n ON n.slot = i.name "
            "LEFT JOIN rejections r ON r.identity = i.number"
        ).fetchall()
    names = [(name.rstrip(b"\0").decode(), rejection) for name, rejection in table]
    rejected = {("rejected", name) for name, rejection in names if rejection is not None}
    return {name for name, _ in names} | merged | rejected


def search(gallery, state):
    query = people("anybody")[0]
    kept = {one[1]: one[2] for one in state if one[0] == "merged"}
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
    assert {name for name, _ in enrolled.values()} == {one for one in state if type(one) is str}
    for _, (name, vector) in enrolled.items():
        own = people(next((old for old, new in RENAMED if new == name), name))
        own = own / np.linalg.norm(own, axis=1, keepdims=True)
        assert (np.abs(own - vector).max(axis=1) < 1e-3).any()
    answered = {
        number: (kept.get(name, name), vector) for number, (name, vector) in enrolled.items()
    }
    (found,) = gallery.find_vectors([query], 5)
    coded.assert_right(found, answered, query, 5)
    wrong = {kept.get(one[1], one[1]) for one in state if one[0] == "rejected"}
    left = {number: it for number, it in answered.items() if it[0] not in wrong}
    (found,) = gallery.find_vectors(people("stranger")[:1], 5)
    coded.assert_right(found, left, people("stranger")[0], 5)
