"""Killed at every write of moves and removals: each is done or not, and the removed are gone.

A state says of each name which pictures it has, told by whose they were first, and their row.
"""

import numpy as np
import pytest

from saccade.gallery import Gallery
from tests import coded, gallery_victim
from tests.deaths import all_deaths, calls_of, killed, some
from tests.gallery_victim import PICTURE_STEPS, people
from tests.test_gallery_codes_crash import EACH, NAMES, begun

FEW = 3  # deaths of the quick run
DEATHS = [
    pytest.param(FEW, id="few"),
    pytest.param(None, id="all", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("most", DEATHS)
def test_killed_at_each_write_of_a_picture(tmp_path, most):
    begun(tmp_path / "gallery")
    traces = traces_of_each(tmp_path / "gallery")
    words = [gallery_victim.__file__, "die", tmp_path, "pictures"]
    calls = calls_of(words, tmp_path / "gallery", gallery_victim.POINTS)
    deaths = some(all_deaths(calls), most, seed=1)
    for at, line in enumerate(killed(words, tmp_path / "gallery", deaths)):
        done = len((tmp_path / f"{at}.told").read_text().splitlines())
        check(tmp_path / str(at), states()[done : done + 2], traces, line)


def traces_of_each(folder):
    """The bytes that tell of each picture (name, row) of the first gallery."""
    with Gallery.open(folder) as gallery:
        numbers = {
            (name, row): one.picture_id
            for name in [*NAMES, "loose"]
            for row, one in enumerate(gallery.show(name).pictures)
        }
    return {
        (name, row): coded.traces(folder, people(name)[[row]], [number])
        for (name, row), number in numbers.items()
    }


def states():
    """The state after each number of steps."""
    state = {name: [(name, row) for row in range(EACH)] for name in [*NAMES, "loose"]}
    states = [state]
    for action, *what in PICTURE_STEPS:
        state = {name: list(held) for name, held in state.items()}
        if action == "move":
            count, owner, to = what
            state.setdefault(to, []).extend(state[owner][:count])
        if action in ("move", "remove"):
            state[what[1]] = state[what[1]][what[0] :]
        elif action == "forget":
            del state[what[0]]
        states.append(state)
    return states


def pictures(state):
    return {one for held in state.values() for one in held}


def check(folder, expected, traces, line):
    for one in traces.keys() - pictures(expected[0]):  # acknowledged, before anybody opens it again
        assert not coded.files_with(folder, traces[one]), (line, one)
    with Gallery.open(folder) as gallery, coded.tuner(coded.scanning()):
        gallery.check()
        assert gallery.stats().pending_forgets == 0, line
        for receipt in (folder / "receipts").glob("*.json"):
            assert gallery.verify_receipt(receipt) == [], line
        state, enrolled = found(gallery)
        assert state in expected, line
        query = people("anybody")[0]
        coded.assert_right(gallery.find_vectors([query], 5)[0], enrolled, query, 5)
        assert gallery.forget("person 7").status == "forgotten", line
        coded.assert_nothing_left(folder, enrolled)
        gallery.check()
    gone = traces.keys() - pictures(state) | {("person 7", 0)}
    for one in gone:
        assert not coded.files_with(folder, traces[one]), (line, one)


def found(gallery):
    """The state of a gallery, and its pictures by number: (name, vector)."""
    rows = {(name, row): one for name in [*NAMES, "loose"] for row, one in enumerate(people(name))}
    units = np.array([vector / np.linalg.norm(vector) for vector in rows.values()])
    state, enrolled = {}, {}
    with gallery._database.reading() as connection:
        table = connection.execute(
            "SELECT p.number, n.content, v.content FROM pictures p "
            "JOIN identities i ON i.number = p.identity JOIN names n ON n.slot = i.name "
            "JOIN vectors v ON v.slot = p.vector ORDER BY p.number"
        ).fetchall()
    for number, padded, content in table:
        name, vector = padded.rstrip(b"\0").decode(), np.frombuffer(content, "<f2")
        which = int(np.argmax(units @ vector.astype(np.float64)))
        assert np.abs(units[which] - vector).max() < 1e-3
        state.setdefault(name, []).append(list(rows)[which])
        enrolled[number] = (name, vector.astype(np.float64))
    return state, enrolled
