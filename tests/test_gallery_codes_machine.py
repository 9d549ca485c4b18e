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
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from saccade.errors import InputError, UnknownNameError
from saccade.gallery import Gallery
from saccade.gallery.near_copies import NEAR
from tests import coded
from tests.reference.gallery import as_stored

DIMENSION, PEOPLE, EACH = 12, 7, 12
DRAW = np.random.default_rng(5)
POOL = DRAW.standard_normal((PEOPLE, EACH, DIMENSION)).astype(np.float32)
POOL[1, :6] = POOL[0, 0] * 2.0 ** np.arange(1, 7)[:, None]  # the same directions under another name
POOL[2, 3] = -POOL[0, 0]
ALIKE = (0, 1)
NAMES = [f"person {number}" for number in range(PEOPLE)]
BORDER = 0.001  # nearer to the limit of rejections, rounding decides

which = st.integers(0, 1)
people = st.integers(0, PEOPLE - 1)
members = st.lists(st.integers(0, EACH - 1), min_size=1, max_size=EACH, unique=True)


def stored(person, row):
    """The bytes that a gallery keeps of a vector of the pool."""
    vector = POOL[person, row]
    return (vector / np.linalg.norm(vector)).astype("<f2").tobytes()


class CodesMachine(RuleBasedStateMachine):
    """The oracle: (person, row of the pool) -> picture id; merges, and rejections.

    A rejection is (person, row of the pool, as whom).
    """

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "g"
        first = Gallery.create(self.folder, fingerprint="f" * 64, dimension=DIMENSION)
        self.galleries = [first, Gallery.open(self.folder)]
        self.enrolled = {}
        self.merged = {}
        self.rejected = set()
        self.gone = {}  # person -> bytes that tell of whom was forgotten
        self.gone_rejections = set()  # bytes of vectors

    def teardown(self):
        self.close()
        shutil.rmtree(self.root)

    def close(self):
        for gallery in self.galleries:
            gallery.close()

    def names_of_files_with_the_forgotten(self):
        gone = self.gone_rejections.union(*self.gone.values()) - self.present()
        return coded.files_with(self.folder, gone)

    def present(self):
        """Bytes of vectors that are enrolled or rejected: two may have the same direction."""
        rows = [*self.enrolled, *((person, row) for person, row, _ in self.rejected)]
        return {stored(*row) for row in rows}

    def numbered(self, query):
        """The pictures that may be hits of a query, by number; None where rounding decides."""
        unit = query / np.linalg.norm(query)
        cosines = {
            (person, row, whom): as_stored(POOL[person, row]) @ unit
            for person, row, whom in self.rejected
        }
        if any(abs(cosine - NEAR) < BORDER for cosine in cosines.values()):
            return None
        left_out = {self.kept(one[2]) for one, cosine in cosines.items() if cosine >= NEAR}
        return {
            number: (NAMES[self.kept(person)], POOL[person, row])
            for (person, row), number in self.enrolled.items()
            if self.kept(person) not in left_out
        }

    def kept(self, person):
        while person in self.merged:
            person = self.merged[person]
        return person

    def group(self, person):
        everyone = {owner for owner, _ in self.enrolled}
        return {one for one in everyone if self.kept(one) == self.kept(person)}

    def refused(self, person, row):
        return any((person, row, whom) in self.rejected for whom in self.group(person))

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
            if self.refused(person, row):
                assert outcome.status == "skipped"
                continue
            assert outcome.status == ("enrolled" if known is None else "unchanged")
            assert known in (None, outcome.picture_id)
            self.enrolled[person, row] = outcome.picture_id

    @rule(which=which, persons=st.lists(people, min_size=1, max_size=3, unique=True))
    def bulk(self, which, persons):
        blocks = [(POOL[person], [NAMES[person]] * EACH, None) for person in persons]
        *_, counts = self.galleries[which].enrol_bulk(blocks)
        before = sum(person in persons for person, _ in self.enrolled)
        refused = sum(self.refused(person, row) for person in persons for row in range(EACH))
        enrolled = EACH * len(persons) - before - refused
        assert (counts.unchanged, counts.skipped, counts.enrolled) == (before, refused, enrolled)
        for person in persons:
            self.seen_again(person)
            again = self.galleries[which].enrol_vectors(POOL[person], [NAMES[person]] * EACH)
            for row, outcome in enumerate(again):
                if self.refused(person, row):
                    assert outcome.status == "skipped"
                    continue
                assert outcome.status == "unchanged"
                known = self.enrolled.setdefault((person, row), outcome.picture_id)
                assert known == outcome.picture_id

    def seen_again(self, person):
        """Bytes of the codes may come again with the person, or with the other of two alike."""
        for each in ALIKE if person in ALIKE else [person]:
            self.gone.pop(each, None)

    @rule(which=which, person=people)
    def forget(self, which, person):
        group = self.group(person)
        if person not in group:
            with pytest.raises(UnknownNameError):
                self.galleries[which].forget(NAMES[person])
            return
        outcome = self.forgotten(group, lambda: self.galleries[which].forget(NAMES[person]))
        assert outcome.status == "forgotten"
        assert len(outcome.receipts) == len(group)
        assert all(receipt.is_file() for receipt in outcome.receipts)
        coded.assert_nothing_left(self.folder, self.enrolled.values())

    def forgotten(self, group, forget):
        """Forget a group, and whatever was rejected as one of them or is theirs."""
        mine = {row: number for row, number in self.enrolled.items() if row[0] in group}
        traces = {
            one: coded.traces(
                self.folder,
                np.array([POOL[row] for row in mine if row[0] == one]),
                {number for row, number in mine.items() if row[0] == one},
            )
            for one in group
        }
        outcome = forget()
        assert outcome.pictures == len(mine)
        for row in mine:
            del self.enrolled[row]
        self.merged = {one: kept for one, kept in self.merged.items() if one not in group}
        gone = {one for one in self.rejected if one[2] in group or one[:2] in mine}
        self.rejected -= gone
        self.gone_rejections |= {stored(*one[:2]) for one in gone}
        for one in group:
            if one not in ALIKE or not any(owner in ALIKE for owner, _ in self.enrolled):
                self.gone[one] = traces[one]
        return outcome

    @rule(which=which, kept=people, merged=people)
    def merge(self, which, kept, merged):
        first, second = self.group(kept), self.group(merged)
        if kept not in first or merged not in second:
            return
        clash = any(
            (whom in first and person in second and (person, row) in self.enrolled)
            or (whom in second and person in first and (person, row) in self.enrolled)
            for person, row, whom in self.rejected
        )
        if first == second or merged in self.merged or clash:
            with pytest.raises(InputError):
                self.galleries[which].merge(NAMES[kept], NAMES[merged])
            return
        self.galleries[which].merge(NAMES[kept], NAMES[merged])
        self.merged[merged] = kept

    @rule(which=which, person=people)
    def unmerge(self, which, person):
        if person in self.merged:
            del self.merged[person]
            self.galleries[which].unmerge(NAMES[person])

    @rule(which=which, person=people, row=st.integers(0, EACH - 1), whom=people)
    def reject(self, which, person, row, whom):
        group = self.group(whom)
        if whom not in group or (person in group and (person, row) in self.enrolled):
            return
        answer = self.galleries[which].reject(POOL[person, row], NAMES[whom])
        known = (person, row, whom) in self.rejected
        assert answer.status == ("unchanged" if known else "rejected")
        self.rejected.add((person, row, whom))
        self.gone_rejections.discard(stored(person, row))

    @rule(which=which, whom=people)
    def take_rejections_back(self, which, whom):
        """A rejection goes with those of near copies: the two alike."""
        group = self.group(whom)
        while held := {one for one in self.rejected if one[2] in group and whom in group}:
            person, row, _ = min(held)
            assert self.galleries[which].reject(POOL[person, row], NAMES[whom], undo=True)
            mine = as_stored(POOL[person, row])
            gone = {one for one in held if as_stored(POOL[one[:2]]) @ mine >= NEAR - BORDER}
            self.rejected -= gone
            self.gone_rejections |= {stored(*one[:2]) for one in gone}

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
        group = self.group(gone)
        if gone not in group or come in group:
            return
        scan = coded.scanning(cells=cells)

        def meanwhile(truth, wish, build, **_):
            outcome = self.forgotten(
                group, lambda: self.galleries[1 - which].forget(NAMES[gone], wait_s=0.0)
            )
            assert outcome.status == "pending"
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
            may_be = self.numbered(query)
            if may_be is not None:
                coded.assert_right(answer, may_be, query, k)

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
            name = NAMES[self.kept(person)]
            counts[name] = counts.get(name, 0) + 1
        for gallery in self.galleries:
            infos = gallery.identities()
            assert {info.name: info.pictures for info in infos} == counts
        self.galleries[0].check()


CodesMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=20)
TestCodesMachine = CodesMachine.TestCase


@pytest.mark.slow
def test_many_more_sequences():
    longer = settings(max_examples=150, stateful_step_count=50)
    run_state_machine_as_test(CodesMachine, settings=longer)
