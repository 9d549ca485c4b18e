"""Random sequences of changes, searches and new indexes in two processes, against brute force.

Two open galleries on one folder stand for the processes: each keeps what it knew and has to learn
what the other did.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from saccade.errors import UnknownNameError
from saccade.gallery import Gallery
from tests import coded

DIMENSION, PEOPLE, EACH = 12, 7, 12
DRAW = np.random.default_rng(5)
POOL = DRAW.standard_normal((PEOPLE, EACH, DIMENSION)).astype(np.float32)
POOL[1, :6] = POOL[0, 0] * 2.0 ** np.arange(1, 7)[:, None]  # the same directions under another name
POOL[2, 3] = -POOL[0, 0]
ALIKE = (0, 1)
NAMES = [f"person {number}" for number in range(PEOPLE)]

which = st.integers(0, 1)
people = st.integers(0, PEOPLE - 1)
members = st.lists(st.integers(0, EACH - 1), min_size=1, max_size=EACH, unique=True)


class CodesMachine(RuleBasedStateMachine):
    """The oracle: (person, row of the pool) -> picture id."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "g"
        first = Gallery.create(self.folder, fingerprint="f" * 64, dimension=DIMENSION)
        self.galleries = [first, Gallery.open(self.folder)]
        self.enrolled = {}
        self.gone = {}  # person -> bytes that tell of whom was forgotten

    def teardown(self):
        self.close()
        shutil.rmtree(self.root)

    def close(self):
        for gallery in self.galleries:
            gallery.close()

    def names_of_files_with_the_forgotten(self):
        gone = set().union(*self.gone.values()) - self.present()
        return coded.files_with(self.folder, gone)

    def present(self):
        """Bytes of vectors that are enrolled: the same direction may have another name too."""
        rows = [POOL[person, row] for person, row in self.enrolled]
        return {(row / np.linalg.norm(row)).astype("<f2").tobytes() for row in rows}

    def numbered(self):
        return {
            number: (NAMES[person], POOL[person, row])
            for (person, row), number in self.enrolled.items()
        }

    @initialize(cells=st.sampled_from([0, 2]))
    def begin_with_an_index(self, cells):
        for person in range(4):
            self.enrol(0, person, list(range(EACH)))
        self.index(0, cells, 8)

    @rule(which=which, person=people, rows=members)
    def enrol(self, which, person, rows):
        self.seen_again(person)
        names = [NAMES[person]] * len(rows)
        outcomes = self.galleries[which].enrol_vectors(POOL[person, rows], names)
        for row, outcome in zip(rows, outcomes, strict=True):
            known = self.enrolled.get((person, row))
            assert outcome.status == ("enrolled" if known is None else "unchanged")
            assert known in (None, outcome.picture_id)
            self.enrolled[person, row] = outcome.picture_id

    @rule(which=which, persons=st.lists(people, min_size=1, max_size=3, unique=True))
    def bulk(self, which, persons):
        blocks = [(POOL[person], [NAMES[person]] * EACH, None) for person in persons]
        *_, counts = self.galleries[which].enrol_bulk(blocks)
        before = sum(person in persons for person, _ in self.enrolled)
        assert (counts.unchanged, counts.enrolled) == (before, EACH * len(persons) - before)
        for person in persons:
            self.seen_again(person)
            again = self.galleries[which].enrol_vectors(POOL[person], [NAMES[person]] * EACH)
            assert {outcome.status for outcome in again} == {"unchanged"}
            for row, outcome in enumerate(again):
                known = self.enrolled.setdefault((person, row), outcome.picture_id)
                assert known == outcome.picture_id

    def seen_again(self, person):
        """Bytes of the codes may come again with the person, or with the other of two alike."""
        for each in ALIKE if person in ALIKE else [person]:
            self.gone.pop(each, None)

    @rule(which=which, person=people)
    def forget(self, which, person):
        rows = [row for owner, row in self.enrolled if owner == person]
        if not rows:
            with pytest.raises(UnknownNameError):
                self.galleries[which].forget(NAMES[person])
            return
        pictures = {self.enrolled.pop((person, row)) for row in rows}
        traces = coded.traces(self.folder, POOL[person, rows], pictures)
        outcome = self.galleries[which].forget(NAMES[person])
        assert (outcome.status, outcome.pictures) == ("forgotten", len(rows))
        assert outcome.receipt.is_file()
        coded.assert_nothing_left(self.folder, self.enrolled.values())
        if person not in ALIKE or not any(owner in ALIKE for owner, _ in self.enrolled):
            self.gone[person] = traces

    @rule(which=which, cells=st.sampled_from([0, 0, 1, 3]), head_bytes=st.sampled_from([4, 8]))
    def index(self, which, cells, head_bytes):
        with coded.tuner(coded.scanning(cells=cells, head_bytes=head_bytes)):
            tuned = self.galleries[which].index()
        assert tuned.rows == len(self.enrolled)
        coded.assert_nothing_left(self.folder, self.enrolled.values())
        stats = self.galleries[1 - which].stats()
        assert (stats.indexed, stats.index) == (
            (len(self.enrolled), "scan") if self.enrolled else (0, "exact")
        )

    @rule(which=which, gone=people, come=people, cells=st.sampled_from([0, 2]))
    def index_while_another_forgets_and_enrols(self, which, gone, come, cells):
        """The other's forget waits for the new codes, which shall not hold what it forgot."""
        if not any(owner == gone for owner, _ in self.enrolled) or gone == come:
            return
        scan = coded.scanning(cells=cells)

        def meanwhile(truth, wish, build, **_):
            rows = [row for owner, row in self.enrolled if owner == gone]
            for row in rows:
                del self.enrolled[gone, row]
            outcome = self.galleries[1 - which].forget(NAMES[gone], wait_s=0.0)
            assert (outcome.status, outcome.pictures) == ("pending", len(rows))
            self.enrol(1 - which, come, [0, 1])
            return scan(truth, wish, build)

        with coded.tuner(meanwhile):
            self.galleries[which].index()
        coded.assert_nothing_left(self.folder, self.enrolled.values())
        assert self.galleries[which].stats().pending_forgets == 0

    @rule(which=which)
    def tune_again(self, which):
        """The tuner itself: a gallery so small is searched exactly."""
        tuned = self.galleries[which].index()
        assert (tuned.kind, tuned.rows) == ("exact", len(self.enrolled))

    @rule(
        which=which, seed=st.integers(0, 2**16), k=st.integers(1, PEOPLE + 1), exact=st.booleans()
    )
    def find(self, which, seed, k, exact):
        draw = np.random.default_rng(seed)
        queries = draw.standard_normal((2, DIMENSION)).astype(np.float32)
        queries[1] = POOL[draw.integers(PEOPLE), draw.integers(EACH)] + draw.normal() * 0.05
        found = self.galleries[which].find_vectors(queries, k, exact=exact)
        for query, answer in zip(queries, found, strict=True):
            coded.assert_right(answer, self.numbered(), query, k)

    @rule(which=which, lose=st.booleans())
    def reopen(self, which, lose):
        """Codes may be lost at any time: they are made of the truth."""
        self.galleries[which].close()
        if lose:
            (self.folder / "codes" / "scan").unlink(missing_ok=True)
        self.galleries[which] = Gallery.open(self.folder)

    @rule()
    def reopen_both_and_search_their_bytes(self):
        self.close()
        assert self.names_of_files_with_the_forgotten() == []
        self.galleries = [Gallery.open(self.folder) for _ in self.galleries]

    @invariant()
    def nobody_is_lost_and_nobody_else_there(self):
        counts = {}
        for person, _ in self.enrolled:
            counts[NAMES[person]] = counts.get(NAMES[person], 0) + 1
        for gallery in self.galleries:
            infos = gallery.identities()
            assert {info.name: info.pictures for info in infos} == counts
        self.galleries[0].check()


CodesMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=20)
TestCodesMachine = CodesMachine.TestCase


@pytest.mark.slow
def test_many_more_sequences():
    class Longer(CodesMachine.TestCase):
        settings = settings(max_examples=150, stateful_step_count=50)

    Longer().runTest()
