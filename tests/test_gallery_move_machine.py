"""Random moves and removals of pictures between two processes, against brute force.

Two open galleries on one folder stand for the processes, as in ``test_gallery_codes_machine``.
"""

import json
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
from tests import coded

DIMENSION, PEOPLE, EACH = 12, 5, 6
POOL = np.random.default_rng(8).standard_normal((PEOPLE * EACH, DIMENSION)).astype(np.float32)
NAMES = [f"person {number}" for number in range(PEOPLE)]

which = st.integers(0, 1)
people = st.integers(0, PEOPLE - 1)
contents = st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=8, unique=True)


class MoveMachine(RuleBasedStateMachine):
    """The oracle: content -> (its picture's number, whose it is); whom each was merged into.

    ``past`` has all numbers that a content ever had, ``gone`` the bytes that tell of each forgotten
    one.
    """

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "g"
        first = Gallery.create(self.folder, fingerprint="f" * 64, dimension=DIMENSION)
        self.galleries = [first, Gallery.open(self.folder)]
        self.held = {}
        self.merged = {}
        self.past = {content: set() for content in range(len(POOL))}
        self.gone = {}
        self.receipts = []

    def teardown(self):
        self.close()
        shutil.rmtree(self.root)

    def close(self):
        for gallery in self.galleries:
            gallery.close()

    def numbers(self):
        return [number for number, _ in self.held.values()]

    def of(self, person):
        return [content for content, (_, owner) in self.held.items() if owner == person]

    def kept(self, person):
        while person in self.merged:
            person = self.merged[person]
        return person

    @initialize(cells=st.sampled_from([0, 2]))
    def begin_with_an_index(self, cells):
        for person in range(3):
            self.enrol(0, person, range(person * EACH, person * EACH + EACH))
        self.index(0, cells)

    @rule(which=which, person=people, wanted=contents)
    def enrol(self, which, person, wanted):
        rows = list(wanted)
        answers = self.galleries[which].enrol_vectors(POOL[rows], [NAMES[person]] * len(rows))
        for content, answer in zip(rows, answers, strict=True):
            number, owner = self.held.get(content, (None, None))
            expected = {None: "enrolled", person: "unchanged"}.get(owner, "skipped")
            assert answer.status == expected
            if number is None:
                self.held[content] = (answer.picture_id, person)
                self.past[content].add(answer.picture_id)
                self.gone.pop(content, None)
            elif owner == person:
                assert answer.picture_id == number

    @rule(which=which, wanted=contents, to=people)
    def move(self, which, wanted, to):
        mine = [content for content in wanted if content in self.held]
        going = [content for content in mine if self.held[content][1] != to]
        numbers = [self.held[content][0] for content in mine]
        new = not self.of(to)
        if not mine or self.empties(going):
            before = self.numbers()
            with pytest.raises(InputError):
                self.galleries[which].move(numbers, NAMES[to], new=new)
            assert self.numbers() == before
            return
        last = max(number for past in self.past.values() for number in past)
        answer = self.galleries[which].move(numbers, NAMES[to], new=new)
        assert set(answer.before) == {self.held[content][0] for content in going}
        assert answer.now == tuple(range(last + 1, last + 1 + len(going)))
        assert sorted([*answer.before, *answer.unchanged]) == sorted(numbers)
        now = dict(zip(answer.before, answer.now, strict=True))
        for content in going:
            number = now[self.held[content][0]]
            self.held[content] = (number, to)
            self.past[content].add(number)

    def empties(self, contents):
        """True when somebody would have no picture left without these."""
        owners = {self.held[content][1] for content in contents}
        return any(set(self.of(owner)) <= set(contents) for owner in owners)

    @rule(which=which, wanted=contents)
    def remove(self, which, wanted):
        mine = [content for content in wanted if content in self.held]
        numbers = [self.held[content][0] for content in mine]
        if not mine or self.empties(mine):
            with pytest.raises(InputError):
                self.galleries[which].remove(numbers)
            return
        answers = self.lost(mine, lambda: self.galleries[which].remove(numbers))
        assert {one.status for one in answers} == {"forgotten"}
        assert sum(one.pictures for one in answers) == len(mine)
        self.receipts += [one.receipt for one in answers]
        coded.assert_nothing_left(self.folder, self.numbers())

    def lost(self, contents, forget):
        for content in contents:
            traces = coded.traces(self.folder, POOL[[content]], self.past[content])
            self.gone[content] = traces
        answer = forget()
        for content in contents:
            del self.held[content]
        return answer

    @rule(which=which, person=people)
    def forget(self, which, person):
        if not self.of(person):
            with pytest.raises(UnknownNameError):
                self.galleries[which].forget(NAMES[person])
            return
        group = {one for one in range(PEOPLE) if self.kept(one) == self.kept(person)}
        mine = [content for one in group for content in self.of(one)]
        answer = self.lost(mine, lambda: self.galleries[which].forget(NAMES[person]))
        assert (answer.status, answer.pictures) == ("forgotten", len(mine))
        self.merged = {one: kept for one, kept in self.merged.items() if one not in group}
        coded.assert_nothing_left(self.folder, self.numbers())

    @rule(which=which, kept=people, merged=people)
    def merge(self, which, kept, merged):
        if not self.of(kept) or not self.of(merged) or merged in self.merged:
            return
        if self.kept(kept) != self.kept(merged):
            self.galleries[which].merge(NAMES[kept], NAMES[merged])
            self.merged[merged] = kept

    @rule(which=which, cells=st.sampled_from([0, 3]))
    def index(self, which, cells):
        with coded.tuner(coded.scanning(cells=cells)):
            assert self.galleries[which].index().rows == len(self.held)
        coded.assert_nothing_left(self.folder, self.numbers())

    @rule(which=which, moved=contents, to=people, removed=contents)
    def index_while_another_moves_and_removes(self, which, moved, to, removed):
        """The receipt waits for the new codes, which hold nothing of what went."""
        scan = coded.scanning(cells=2)

        def meanwhile(truth, wish, build, **_):
            self.move(1 - which, moved, to)
            mine = [content for content in removed if content in self.held]
            if mine and not self.empties(mine):
                numbers = [self.held[content][0] for content in mine]
                other = self.galleries[1 - which]
                answers = self.lost(mine, lambda: other.remove(numbers, wait_s=0.0))
                assert {one.status for one in answers} == {"pending"}
            return scan(truth, wish, build)

        with coded.tuner(meanwhile):
            self.galleries[which].index()
        coded.assert_nothing_left(self.folder, self.numbers())
        assert self.galleries[which].stats().pending_forgets == 0

    @rule(which=which, seed=st.integers(0, 2**16), k=st.integers(1, PEOPLE), exact=st.booleans())
    def find(self, which, seed, k, exact):
        draw = np.random.default_rng(seed)
        queries = draw.standard_normal((2, DIMENSION)).astype(np.float32)
        queries[1] = POOL[draw.integers(len(POOL))] + draw.normal() * 0.05
        may_be = {
            number: (NAMES[self.kept(owner)], POOL[content])
            for content, (number, owner) in self.held.items()
        }
        found = self.galleries[which].find_vectors(queries, k, exact=exact)
        for query, answer in zip(queries, found, strict=True):
            coded.assert_right(answer, may_be, query, k)

    @rule()
    def reopen_both_and_search_their_bytes(self):
        self.close()
        assert coded.files_with(self.folder, set().union(*self.gone.values())) == []
        self.galleries = [Gallery.open(self.folder) for _ in self.galleries]
        for receipt in self.receipts:
            gone = set(json.loads(receipt.read_text())["picture_ids"])
            again = any(self.past[content] & gone for content in self.held)
            assert bool(self.galleries[0].verify_receipt(receipt)) == again

    @invariant()
    def every_picture_is_whose_it_should_be(self):
        counts = {}
        for _, owner in self.held.values():
            name = NAMES[self.kept(owner)]
            counts[name] = counts.get(name, 0) + 1
        for gallery in self.galleries:
            assert {one.name: one.pictures for one in gallery.identities()} == counts
        self.galleries[0].check()
        with self.galleries[1]._database.reading() as connection:
            table = connection.execute(
                "SELECT p.number, n.content FROM pictures p JOIN identities i "
                "ON i.number = p.identity JOIN names n ON n.slot = i.name"
            ).fetchall()
        owners = {number: name.rstrip(b"\0").decode() for number, name in table}
        assert owners == {number: NAMES[owner] for number, owner in self.held.values()}


MoveMachine.TestCase.settings = settings(max_examples=5, stateful_step_count=18)
TestMoveMachine = MoveMachine.TestCase


@pytest.mark.slow
def test_many_more_sequences():
    longer = settings(max_examples=120, stateful_step_count=40)
    run_state_machine_as_test(MoveMachine, settings=longer)
