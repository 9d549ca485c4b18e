"""Random sequences of telling, forgetting, compacting and moving in two processes, against a dict.

Two open galleries on one folder stand for the processes.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from saccade.gallery import Gallery, terms
from saccade.gallery.where import condition
from tests.reference import gallery as reference

DIMENSION, EACH = 8, 3
NAMES = ["Anna", "Berta", "Zoë", "名前", "o'Neill", "<b>"]
POOL = np.random.default_rng(0).standard_normal((len(NAMES), EACH, DIMENSION)).astype(np.float32)
DAYS = ["2030-01-01", "2030-01-02", "2030-01-03"]
CONDITIONS = ["site=A", "year > 1", "not site=A and year in (1, 2)", "site=B or year=3"]

which = st.integers(0, 1)
people = st.integers(0, len(NAMES) - 1)
facts = st.fixed_dictionaries(
    {}, optional={"site": st.sampled_from("AB"), "year": st.sampled_from("123")}
)


class KeepMachine(RuleBasedStateMachine):
    """The oracle: person -> {"facts", "expires", "pictures": picture ids by row of the pool}."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "g"
        self.known = {}
        self.day = DAYS[0]
        self.plain_today, terms.today = terms.today, lambda: self.day
        first = Gallery.create(self.folder, fingerprint="f" * 64, dimension=DIMENSION)
        self.galleries = [first, Gallery.open(self.folder)]
        self.moves = 0

    def teardown(self):
        terms.today = self.plain_today
        for gallery in self.galleries:
            gallery.close()
        shutil.rmtree(self.root)

    @rule(which=which, person=people, expires=st.none() | st.sampled_from(DAYS))
    def enrol(self, which, person, expires):
        outcomes = self.galleries[which].enrol_vectors(
            POOL[person], [NAMES[person]] * EACH, expires=expires
        )
        if person in self.known:
            assert {one.status for one in outcomes} == {"unchanged"}
            return
        pictures = [one.picture_id for one in outcomes]
        self.known[person] = {"facts": {}, "expires": expires, "pictures": pictures}

    @precondition(lambda self: self.known)
    @rule(which=which, told=facts, data=st.data())
    def describe(self, which, told, data):
        person = data.draw(st.sampled_from(sorted(self.known)))
        held = self.known[person]["facts"]
        remove = data.draw(st.lists(st.sampled_from(sorted(held)), unique=True)) if held else []
        now = {key: value for key, value in held.items() if key not in remove} | told
        assert self.galleries[which].describe(NAMES[person], told, remove=remove) == now
        self.known[person]["facts"] = now

    @precondition(lambda self: self.known)
    @rule(which=which, expires=st.sampled_from([*DAYS, "none"]), data=st.data())
    def set_terms(self, which, expires, data):
        person = data.draw(st.sampled_from(sorted(self.known)))
        self.galleries[which].set_terms(NAMES[person], expires=expires)
        self.known[person]["expires"] = None if expires == "none" else expires

    @rule(day=st.sampled_from(DAYS))
    def another_day(self, day):
        self.day = day

    @precondition(lambda self: self.known)
    @rule(which=which, data=st.data())
    def forget_many(self, which, data):
        some = data.draw(st.lists(st.sampled_from(sorted(self.known)), min_size=1, unique=True))
        gone = self.galleries[which].forget_many([NAMES[person] for person in some])
        assert [(one.status, one.pictures) for one in gone] == [("forgotten", EACH)] * len(some)
        for one in gone:
            assert self.galleries[1 - which].verify_receipt(one.receipt) == []
        for person in some:
            del self.known[person]

    @rule(which=which)
    def forget_expired(self, which):
        expired = [person for person in self.known if self.has_expired(person)]
        assert len(self.galleries[which].forget_expired()) == len(expired)
        for person in expired:
            del self.known[person]

    @rule(which=which)
    def compact(self, which):
        assert not self.galleries[which].compact().reason
        assert self.galleries[1 - which].stats().free_slots == 0

    @rule(which=which, archive=st.booleans())
    def move(self, which, archive):
        """Into a backup, or through an archive into a new gallery; then go on there."""
        self.moves += 1
        target = self.root / f"g{self.moves}"
        if archive:
            self.galleries[which].export(self.root / f"{self.moves}.zip")
            with Gallery.create(target, fingerprint="f" * 64, dimension=DIMENSION) as made:
                made.import_(self.root / f"{self.moves}.zip")
        else:
            self.galleries[which].backup(target)
        for gallery in self.galleries:
            gallery.close()
        self.folder = target
        self.galleries = [Gallery.open(target), Gallery.open(target)]
        for person, held in self.known.items():
            shown = self.galleries[0].show(NAMES[person])
            moved = [picture.picture_id for picture in shown.pictures]
            assert archive or moved == held["pictures"]
            held["pictures"] = moved

    @rule(which=which, seed=st.integers(0, 99), k=st.integers(1, 7), exact=st.booleans())
    def find(self, which, seed, k, exact):
        self.assert_found(which, seed, k, None, exact)

    @rule(
        which=which,
        seed=st.integers(0, 99),
        where=st.sampled_from(CONDITIONS),
        exact=st.booleans(),
    )
    def find_where(self, which, seed, where, exact):
        self.assert_found(which, seed, 3, where, exact)
        fits = condition(where)
        listed = [info.name for info in self.galleries[which].identities(where)]
        wanted = [NAMES[p] for p, held in self.known.items() if fits(held["facts"])]
        assert listed == sorted(wanted)

    def assert_found(self, which, seed, k, where, exact):
        query = np.random.default_rng(seed).standard_normal(DIMENSION)
        fits = (lambda _: True) if where is None else condition(where)
        rows = [
            (number, NAMES[person], POOL[person, row])
            for person, held in self.known.items()
            if fits(held["facts"]) and not self.has_expired(person)
            for row, number in enumerate(held["pictures"])
        ]
        (found,) = self.galleries[which].find_vectors([query], k, exact=exact, where=where)
        wanted = reference.best_identities(rows, query, k)
        assert [(hit.picture_id, hit.identity) for hit in found.hits] == [
            (number, name) for _, number, name in wanted
        ]

    def has_expired(self, person):
        expires = self.known[person]["expires"]
        return expires is not None and expires <= self.day

    @invariant()
    def both_show_the_oracle(self):
        for gallery in self.galleries:
            assert [info.name for info in gallery.identities()] == sorted(
                NAMES[person] for person in self.known
            )
            for person, held in self.known.items():
                shown = gallery.show(NAMES[person])
                assert (shown.facts, shown.expires) == (held["facts"], held["expires"])
        self.galleries[0].check()


KeepMachine.TestCase.settings = settings(max_examples=3, stateful_step_count=12, deadline=None)
TestGalleryKeepMachine = KeepMachine.TestCase
