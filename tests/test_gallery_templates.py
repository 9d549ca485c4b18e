"""Identities compared by the mean of their pictures, against brute force in float64."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from saccade.errors import InputError, UnknownNameError
from saccade.gallery import Gallery, rows, templates
from saccade.gallery.near_copies import NEAR
from tests import coded
from tests.reference.gallery import as_stored

DIMENSION, PEOPLE, EACH = 8, 7, 6
DRAW = np.random.default_rng(3)
POOL = DRAW.standard_normal((PEOPLE, EACH, DIMENSION)).astype(np.float32)
POOL += 1.5 * DRAW.standard_normal((PEOPLE, 1, DIMENSION)).astype(np.float32)
NAMES = [f"person {number}" for number in range(PEOPLE)]
CLOSE = 1e-6

people = st.integers(0, PEOPLE - 1)
which = st.integers(0, 1)


def expected(enrolled, query, k, *, means=True):
    """The k best of picture id -> (identity, vector): [(similarity, picture id, identity)]."""
    unit = np.asarray(query, np.float64) / np.linalg.norm(query)
    mine = {}
    for number in sorted(enrolled):
        name, vector = enrolled[number]
        mine.setdefault(name, []).append((number, as_stored(vector)))
    answers = []
    for name, pictures in mine.items():
        cosines = [vector @ unit for _, vector in pictures]
        total = sum(vector for _, vector in pictures)
        length = np.linalg.norm(total)
        mean = total @ unit / length if length > 1e-9 else 0.0
        nearest = int(np.argmax(cosines))
        answers.append((mean if means else cosines[nearest], pictures[nearest][0], name))
    return sorted(answers, key=lambda item: (-item[0], item[1]))[:k]


def assert_right(found, enrolled, query, k, *, means=True):
    wanted = expected(enrolled, query, k, means=means)
    assert [(hit.identity, hit.picture_id) for hit in found.hits] == [
        (name, number) for _, number, name in wanted
    ]
    got = [hit.similarity for hit in found.hits]
    np.testing.assert_allclose(got, [item[0] for item in wanted], atol=CLOSE)


class TemplatesMachine(RuleBasedStateMachine):
    """The oracle: (person, row of the pool) -> picture id; merges; rejections of (row, whom)."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        first = Gallery.create(self.root / "g", fingerprint="f" * 64, dimension=DIMENSION)
        self.galleries = [first, Gallery.open(self.root / "g")]
        self.enrolled, self.merged, self.rejected = {}, {}, set()
        self.means = False

    def teardown(self):
        for gallery in self.galleries:
            gallery.close()
        shutil.rmtree(self.root)

    def kept(self, person):
        while person in self.merged:
            person = self.merged[person]
        return person

    def group(self, person):
        here = {owner for owner, _ in self.enrolled}
        return {one for one in here if self.kept(one) == self.kept(person)}

    @initialize()
    def begin(self):
        self.choose(0, True)
        for person in range(4):
            self.enrol(0, person, EACH)

    @rule(which=which, means=st.booleans())
    def choose(self, which, means):
        now = self.galleries[which].choose(templates="mean" if means else "best")
        assert now.choices["templates"] == ("mean" if means else "best")
        self.means = means

    @rule(which=which, person=people, count=st.integers(1, EACH))
    def enrol(self, which, person, count):
        outcomes = self.galleries[which].enrol_vectors(
            POOL[person, :count], [NAMES[person]] * count
        )
        for row, outcome in enumerate(outcomes):
            assert outcome.status in ("enrolled", "unchanged")
            self.enrolled[person, row] = outcome.picture_id

    @rule(which=which, person=people)
    def forget(self, which, person):
        group = self.group(person)
        if person not in group:
            with pytest.raises(UnknownNameError):
                self.galleries[which].forget(NAMES[person])
            return
        self.galleries[which].forget(NAMES[person])
        self.enrolled = {key: n for key, n in self.enrolled.items() if key[0] not in group}
        self.merged = {one: kept for one, kept in self.merged.items() if one not in group}
        self.rejected = {pair for pair in self.rejected if pair[1] not in group}

    @rule(which=which, kept=people, merged=people)
    def merge(self, which, kept, merged):
        if {kept, merged} <= {owner for owner, _ in self.enrolled}:
            if self.kept(kept) == self.kept(merged) or merged in self.merged:
                return
            self.galleries[which].merge(NAMES[kept], NAMES[merged])
            self.merged[merged] = kept

    @rule(which=which, seed=st.integers(0, 9), person=people)
    def reject(self, which, seed, person):
        """Say that a stranger is not somebody."""
        if any(owner == person for owner, _ in self.enrolled):
            self.galleries[which].reject(stranger(seed), NAMES[person])
            self.rejected.add((seed, person))

    @rule(which=which, cells=st.sampled_from([0, 2]))
    def index(self, which, cells):
        with coded.tuner(coded.scanning(cells=cells)):
            self.galleries[which].index()

    @rule(which=which, seed=st.integers(0, 99), k=st.integers(1, PEOPLE))
    def find(self, which, seed, k):
        query = stranger(seed)
        cosines = {one: as_stored(stranger(one)) @ query for one, _ in self.rejected}
        gone = {self.kept(whom) for one, whom in self.rejected if cosines[one] >= NEAR}
        left = {
            number: (NAMES[self.kept(person)], POOL[person, row])
            for (person, row), number in self.enrolled.items()
            if self.kept(person) not in gone
        }
        for exact in (False, True):
            (found,) = self.galleries[which].find_vectors([query], k, exact=exact)
            assert_right(found, left, query, k, means=self.means)


def stranger(seed):
    query = np.random.default_rng(1000 + seed).standard_normal(DIMENSION).astype(np.float32)
    return query / np.linalg.norm(query)


TemplatesMachine.TestCase.settings = settings(max_examples=6, stateful_step_count=14)
TestTemplatesMachine = TemplatesMachine.TestCase


@pytest.mark.slow
def test_many_more_sequences():
    longer = settings(max_examples=80, stateful_step_count=40)
    run_state_machine_as_test(TemplatesMachine, settings=longer)


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        yield made


def enrol(gallery, count=PEOPLE):
    enrolled = {}
    for turn in range(EACH):  # No identity's pictures stand one behind another.
        for person, one in enumerate(
            gallery.enrol_vectors(POOL[:count, turn], NAMES[:count], [f"{turn}"] * count)
        ):
            enrolled[one.picture_id] = (NAMES[person], POOL[person, turn])
    return enrolled


@pytest.mark.parametrize("size", [1, 2, 5, 8192])
def test_chunks_of_any_size_give_the_same(gallery, monkeypatch, size):
    monkeypatch.setattr(rows, "CHUNK_ROWS", size)
    monkeypatch.setattr(templates, "BLOCK_QUERIES", 3)
    enrolled = enrol(gallery)
    gallery.choose(templates="mean")
    gallery.merge(NAMES[5], NAMES[1])
    gallery.merge(NAMES[2], NAMES[5])
    joined = {NAMES[1]: NAMES[2], NAMES[5]: NAMES[2]}
    enrolled = {n: (joined.get(name, name), vector) for n, (name, vector) in enrolled.items()}
    queries = [stranger(seed) for seed in range(8)]
    for exact in (False, True):
        for query, found in zip(
            queries, gallery.find_vectors(queries, 4, exact=exact), strict=True
        ):
            assert_right(found, enrolled, query, 4)


@pytest.mark.parametrize("indexed", [False, True])
def test_only_pictures_that_may_be_hits_count(gallery, indexed):
    enrolled = enrol(gallery)
    gallery.choose(templates="mean")
    for person in range(5):
        gallery.describe(NAMES[person], {"site": "A" if person < 3 else "B"})
    gallery.set_terms(NAMES[1], expires="2020-01-01")
    if indexed:
        with coded.tuner(coded.scanning()):
            gallery.index()
    query = stranger(4)
    fits = {n: kept for n, kept in enrolled.items() if kept[0] in (NAMES[0], NAMES[2])}
    alive = {n: kept for n, kept in enrolled.items() if kept[0] != NAMES[1]}
    for exact in (False, True):
        (found,) = gallery.find_vectors([query], 5, exact=exact, where="site = A")
        assert_right(found, fits, query, 5)
        (found,) = gallery.find_vectors([query], PEOPLE, exact=exact)
        assert_right(found, alive, query, PEOPLE)


def test_vectors_that_cancel_out_are_alike_to_nothing(gallery):
    gallery.enrol_vectors([POOL[0, 0], -POOL[0, 0], POOL[1, 0]], ["both", "both", "one"])
    gallery.choose(templates="mean")
    for exact in (False, True):
        hits = gallery.find_vectors([POOL[0, 0]], 2, exact=exact)[0].hits
        both = next(hit for hit in hits if hit.identity == "both")
        assert (both.similarity, both.picture_id) == (0.0, 1)


def test_codes_may_miss_an_identity_but_never_tell_a_wrong_similarity(gallery, monkeypatch):
    """Without spare candidates, the nearest mean is missed where a picture of others is nearer."""
    monkeypatch.setattr(templates, "MORE_FACTOR", 1)
    monkeypatch.setattr(templates, "MORE", 0)
    e = np.eye(DIMENSION, dtype=np.float32)
    wide = [e[0] + e[1], e[0] - e[1]]  # the mean is e[0], no picture is
    lucky = [0.9 * e[0] + 0.4 * e[2], e[3]]
    gallery.enrol_vectors([*wide, *lucky], ["wide", "wide", "lucky", "lucky"])
    gallery.choose(templates="mean")
    with coded.tuner(coded.scanning()):
        gallery.index()
    enrolled = dict(enumerate(zip(["wide"] * 2 + ["lucky"] * 2, [*wide, *lucky], strict=True), 1))
    (near,) = gallery.find_vectors([e[0]], 1)
    (true,) = gallery.find_vectors([e[0]], 1, exact=True)
    assert (near.hits[0].identity, true.hits[0].identity) == ("lucky", "wide")
    assert_right(true, enrolled, e[0], 1)
    alone = {n: one for n, one in enrolled.items() if one[0] == "lucky"}
    assert_right(near, alone, e[0], 1)


def test_a_change_drops_the_threshold_and_is_told(gallery):
    enrol(gallery, 2)
    gallery.set_threshold(0.5)
    assert gallery.choose().dropped is None
    assert gallery.choose(templates="best").dropped is None
    assert gallery.stats().threshold == 0.5
    assert gallery.choose(templates="mean").dropped == 0.5
    stats = gallery.stats()
    assert (stats.threshold, stats.templates, stats.mirrored) == (None, "mean", "no")
    assert gallery.log().entries[-1].words == "chose how similarities are taken"
    generation = gallery.stats().generation
    for wrong, message in [
        ({"templates": "men"}, "cannot be 'men'; did you mean 'mean'"),
        ({"template": "mean"}, "no choice 'template'; did you mean 'templates'"),
        ({"templates": "best", "mirrored": "yes"}, "chosen when one is made"),
    ]:
        with pytest.raises(InputError, match=message):
            gallery.choose(**wrong)
    assert (gallery.stats().generation, gallery.stats().templates) == (generation, "mean")
    gallery.check()


def test_an_empty_gallery_finds_nobody(gallery):
    gallery.choose(templates="mean")
    for exact in (False, True):
        assert gallery.find_vectors([stranger(1)], 3, exact=exact)[0].hits == ()
        assert gallery.find_vectors(np.zeros((0, DIMENSION)), 3, exact=exact) == []


def test_who_goes_between_the_steps_of_a_search_is_no_hit(gallery, monkeypatch):
    """Another process forgets whenever candidates were found: the search still ends, and well."""
    enrolled = enrol(gallery, 7)
    gallery.choose(templates="mean")
    waiting = NAMES[:4]  # as often as a search begins anew; then it reads one snapshot
    read = templates._read

    def interrupted(*given):
        if waiting:
            with Gallery.open(gallery.folder) as other:
                other.forget(waiting.pop(), wait_s=0.0)
        return read(*given)

    monkeypatch.setattr(templates, "_read", interrupted)
    (found,) = gallery.find_vectors([stranger(2)], 7)
    left = {n: kept for n, kept in enrolled.items() if kept[0] in NAMES[4:]}
    assert_right(found, left, stranger(2), 7)
