"""Similarities after the gallery's mean is subtracted, against brute force in float64."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from saccade.errors import GalleryError, InputError
from saccade.gallery import Gallery, centring, rows, whole
from saccade.gallery.rejections import NEAR
from tests import coded
from tests.reference.gallery import Centre, as_stored, mean_of, without

DIMENSION, PEOPLE, EACH = 16, 7, 6
DRAW = np.random.default_rng(3)
SHARED = 1.2 * DRAW.standard_normal(DIMENSION)
POOL = DRAW.standard_normal((PEOPLE, EACH, DIMENSION)) + DRAW.standard_normal(
    (PEOPLE, 1, DIMENSION)
)
POOL = (POOL + SHARED).astype(np.float32)
NAMES = [f"person {number}" for number in range(PEOPLE)]
CLOSE = 1e-6

people = st.integers(0, PEOPLE - 1)
which = st.integers(0, 1)


def unit(vector):
    return np.asarray(vector, np.float64) / np.linalg.norm(vector)


def stranger(seed):
    draw = np.random.default_rng(1000 + seed)
    return unit(draw.standard_normal(DIMENSION) + 0.5 * SHARED).astype(np.float32)


def expected(enrolled, query, k, mean, *, means=False):
    """The k best of picture id -> (identity, vector): [(similarity, picture id, identity)]."""
    asked, mine = without(mean, query), {}
    for number in sorted(enrolled):
        name, vector = enrolled[number]
        mine.setdefault(name, []).append((number, without(mean, as_stored(vector))))
    answers = []
    for name, pictures in mine.items():
        cosines = [vector @ asked for _, vector in pictures]
        nearest = int(np.argmax(cosines))
        total = unit(sum(vector for _, vector in pictures)) @ asked
        answers.append((total if means else cosines[nearest], pictures[nearest][0], name))
    return sorted(answers, key=lambda item: (-item[0], item[1]))[:k]


def assert_right(found, enrolled, query, k, mean, *, means=False):
    wanted = expected(enrolled, query, k, mean, means=means)
    told = [(hit.identity, hit.picture_id) for hit in found.hits]
    assert told == [(name, number) for _, number, name in wanted]
    got = [hit.similarity for hit in found.hits]
    np.testing.assert_allclose(got, [item[0] for item in wanted], atol=CLOSE)


class CentringMachine(RuleBasedStateMachine):
    """The oracle: (person, row of the pool) -> picture id; merges, rejections, the mean in use."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        first = Gallery.create(self.root / "g", fingerprint="f" * 64, dimension=DIMENSION)
        self.galleries = [first, Gallery.open(self.root / "g")]
        self.enrolled, self.merged, self.rejected = {}, {}, set()
        self.means, self.centre = False, None

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

    def vectors(self):
        return [POOL[key] for key in self.enrolled]

    @initialize(cells=st.sampled_from([None, 0, 2]))
    def begin(self, cells):
        for person in range(4):
            self.enrol(0, person, EACH)
        self.choose(0, True, False)
        if cells is not None:
            self.index(0, cells)

    @rule(which=which, centred=st.booleans(), means=st.booleans())
    def choose(self, which, centred, means):
        wanted = {"centred": "yes" if centred else "no", "templates": "mean" if means else "best"}
        assert self.galleries[which].choose(**wanted).choices == wanted | {"mirrored": "no"}
        if centred != (self.centre is not None):
            self.centre = Centre(self.vectors()) if centred else None
        self.means = means

    @rule(which=which, person=people, count=st.integers(1, EACH))
    def enrol(self, which, person, count):
        given = POOL[person, :count], [NAMES[person]] * count
        before = len(self.enrolled)
        for row, outcome in enumerate(self.galleries[which].enrol_vectors(*given)):
            self.enrolled[person, row] = outcome.picture_id
        if self.centre is not None and len(self.enrolled) > before:
            self.centre.grow(self.vectors())

    @rule(which=which, person=people)
    def forget(self, which, person):
        group = self.group(person)
        if person in group:
            self.galleries[which].forget(NAMES[person])
            self.enrolled = {key: n for key, n in self.enrolled.items() if key[0] not in group}
            self.merged = {one: kept for one, kept in self.merged.items() if one not in group}
            self.rejected = {pair for pair in self.rejected if pair[1] not in group}
            if self.centre is not None:
                self.centre.renew(self.vectors())

    @rule(which=which, person=people, row=st.integers(0, EACH - 1), to=people, stays=st.booleans())
    def one_picture(self, which, person, row, to, stays):
        """Remove it, or move it to another, whose number it gets."""
        others = sum(owner == person for owner, _ in self.enrolled) - 1
        if (person, row) not in self.enrolled or not others:
            return
        number = self.enrolled[person, row]
        if not stays:
            self.galleries[which].remove([number])
            del self.enrolled[person, row]
            if self.centre is not None:
                self.centre.renew(self.vectors())
        elif to != person and any(owner == to for owner, _ in self.enrolled):
            moved = self.galleries[which].move([number], NAMES[to])
            back = self.galleries[which].move(moved.now, NAMES[person])
            self.enrolled[person, row] = back.now[0]

    @rule(which=which, kept=people, merged=people)
    def merge(self, which, kept, merged):
        there = {kept, merged} <= {owner for owner, _ in self.enrolled}
        if there and self.kept(kept) != self.kept(merged) and merged not in self.merged:
            self.galleries[which].merge(NAMES[kept], NAMES[merged])
            self.merged[merged] = kept

    @rule(which=which, seed=st.integers(0, 9), person=people)
    def reject(self, which, seed, person):
        if any(owner == person for owner, _ in self.enrolled):
            self.galleries[which].reject(stranger(seed), NAMES[person])
            self.rejected.add((seed, person))

    @rule(which=which, cells=st.sampled_from([0, 2]))
    def index(self, which, cells):
        with coded.tuner(coded.scanning(cells=cells)):
            self.galleries[which].index()

    @rule(which=which)
    def compact(self, which):
        assert not self.galleries[which].compact().reason

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
        mean = np.zeros(DIMENSION) if self.centre is None else self.centre.mean
        for exact in (False, True):
            (found,) = self.galleries[which].find_vectors([query], k, exact=exact)
            assert_right(found, left, query, k, mean, means=self.means)

    @invariant()
    def keeps_its_mean(self):
        self.galleries[0].check()
        kept = [self.kept_mean(gallery) for gallery in self.galleries]
        if self.centre is None:
            assert kept == [None, None]
            return
        for one in kept:
            np.testing.assert_array_equal(one.mean, self.centre.mean_of(len(one.mean)))
            assert one.version == self.centre.version

    def kept_mean(self, gallery):
        with gallery.database.reading() as connection:
            return centring.read(connection)


CentringMachine.TestCase.settings = settings(max_examples=5, stateful_step_count=12, deadline=None)
TestCentringMachine = CentringMachine.TestCase


@pytest.mark.slow
def test_many_more_sequences():
    class Longer(CentringMachine.TestCase):
        settings = settings(max_examples=50, stateful_step_count=40, deadline=None)

    Longer().runTest()


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        yield made


def enrol(gallery, people=PEOPLE):
    enrolled = {}
    for turn in range(EACH):
        for person, one in enumerate(
            gallery.enrol_vectors(POOL[:people, turn], NAMES[:people], [f"{turn}"] * people)
        ):
            enrolled[one.picture_id] = (NAMES[person], POOL[person, turn])
    return enrolled


def stored(gallery):
    """The bytes of the sum and mean, as they stand."""
    with gallery.database.reading() as connection:
        return connection.execute(
            "SELECT v.content FROM centring c JOIN vectors v ON v.slot = c.content"
        ).fetchone()[0]


def mean_in(content):
    return np.frombuffer(content, "<f4", offset=8 * DIMENSION)


@pytest.mark.parametrize("means", ["best", "mean"])
@pytest.mark.parametrize("indexed", [False, True])
def test_only_pictures_that_may_be_hits_are_told_but_all_are_in_the_mean(gallery, means, indexed):
    enrolled = enrol(gallery)
    gallery.choose(centred="yes", templates=means)
    mean = mean_of([vector for _, vector in enrolled.values()])
    for person in range(5):
        gallery.describe(NAMES[person], {"site": "A" if person < 3 else "B"})
    gallery.set_terms(NAMES[1], expires="2020-01-01")
    if indexed:
        with coded.tuner(coded.scanning()):
            gallery.index()
    fits = {n: kept for n, kept in enrolled.items() if kept[0] in (NAMES[0], NAMES[2])}
    for exact in (False, True):
        (found,) = gallery.find_vectors([stranger(4)], 5, exact=exact, where="site = A")
        assert_right(found, fits, stranger(4), 5, mean, means=means == "mean")


@pytest.mark.parametrize("size", [1, 3, 8192])
def test_chunks_of_any_size_give_the_same(gallery, monkeypatch, size):
    monkeypatch.setattr(rows, "CHUNK_ROWS", size)
    monkeypatch.setattr(centring, "BLOCK_ROWS", size)
    enrolled = enrol(gallery)
    gallery.choose(centred="yes")
    mean = mean_of([vector for _, vector in enrolled.values()])
    queries = [stranger(seed) for seed in range(5)]
    for exact in (False, True):
        found = gallery.find_vectors(queries, 4, exact=exact)
        for query, one in zip(queries, found, strict=True):
            assert_right(one, enrolled, query, 4, mean)
    gallery.check()


def test_the_mean_moves_with_growth_by_a_tenth_and_the_threshold_stays(gallery):
    draw = np.random.default_rng(0)
    many = draw.standard_normal((31, DIMENSION)) + 1
    gallery.enrol_vectors(many[:20], ["a"] * 20)
    gallery.set_threshold(0.5)
    assert gallery.choose(centred="yes").dropped == 0.5
    gallery.set_threshold(0.4)
    first = stored(gallery)
    gallery.enrol_vectors(many[20:21], ["b"])
    assert stored(gallery)[: 8 * DIMENSION] != first[: 8 * DIMENSION]
    assert (mean_in(stored(gallery)) == mean_in(first)).all()
    assert gallery.stats().mean_version == 1
    gallery.enrol_vectors(many[21:22], ["b"])
    np.testing.assert_array_equal(mean_in(stored(gallery)), mean_of(many[:22]).astype(np.float32))
    told = gallery.stats()
    assert (told.centred, told.mean_version, told.threshold) == ("yes", 2, 0.4)
    assert "made a new mean, of 22 pictures" in gallery.log().entries[-1].words
    gallery.enrol_vectors(many[22:24], ["b"] * 2)
    assert gallery.stats().mean_version == 2
    assert gallery.choose(centred="no").dropped == 0.4
    assert gallery.stats().mean_version is None
    gallery.check()


def test_fewer_than_two_rows_have_no_mean(gallery):
    gallery.choose(centred="yes")
    assert gallery.find_vectors([stranger(0)], 3)[0].hits == ()
    gallery.enrol_vectors([POOL[0, 0]], ["one"])
    for exact in (False, True):
        (hit,) = gallery.find_vectors([stranger(0)], 3, exact=exact)[0].hits
        assert hit.similarity == pytest.approx(as_stored(POOL[0, 0]) @ stranger(0), abs=CLOSE)
    gallery.enrol_vectors([POOL[1, 0]], ["two"])
    two = gallery.find_vectors([POOL[0, 0]], 3)[0].hits
    assert [round(hit.similarity, 5) for hit in two] == [1.0, -1.0]
    gallery.forget("one")
    (hit,) = gallery.find_vectors([stranger(0)], 3)[0].hits
    assert hit.similarity == pytest.approx(as_stored(POOL[1, 0]) @ stranger(0), abs=CLOSE)
    gallery.check()


def test_what_equals_the_mean_is_alike_to_nothing(gallery):
    """Also a row or query that differs from it by the rounding of stored rows alone."""
    gallery.enrol_vectors([POOL[0, 0]] * 1 + [POOL[0, 0] * 2, POOL[0, 0] * 3], ["a", "b", "c"])
    gallery.choose(centred="yes")
    with coded.tuner(coded.scanning()):
        gallery.index()
    for query in (POOL[0, 0], POOL[1, 1]):
        for exact in (False, True):
            hits = gallery.find_vectors([query], 3, exact=exact)[0].hits
            assert [(hit.similarity, hit.identity) for hit in hits] == [
                (0.0, "a"), (0.0, "b"), (0.0, "c")
            ]  # fmt: skip


def test_verify_is_as_find(tmp_path):
    class Given:
        fingerprint, dimension = "f" * 64, DIMENSION

        def __call__(self, pictures):
            return np.array([unit(POOL[int(one[0, 0, 0]) % 7, 0]) for one in pictures], np.float32)

    from PIL import Image

    paths = []
    for number in range(2):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(paths[-1])
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        enrolled = enrol(made)
        made.choose(centred="yes")
        made.set_threshold(0.0)
    with Gallery.open(tmp_path / "g", embedder=Given()) as opened:
        told = opened.verify(*paths)
        mean = mean_of([vector for _, vector in enrolled.values()])
        a, b = (without(mean, unit(POOL[number, 0])) for number in range(2))
        assert told.similarity == pytest.approx(a @ b, abs=CLOSE)
        assert told.same == (a @ b >= 0)


def test_bounds_hold_and_rule_rows_out():
    """Of any rows whose products are known within ends, the similarity lies within."""
    draw = np.random.default_rng(1)
    for length in (0.0, 0.3, 0.9):
        mean = unit(draw.standard_normal(DIMENSION)) * length
        given = np.array([unit(v) for v in draw.standard_normal((500, DIMENSION)) + 3 * mean])
        centre = centring.Centre(mean.astype(np.float32), 1)
        query = without(mean, unit(draw.standard_normal(DIMENSION)))
        true = np.array([without(mean, row) @ query for row in given])
        ends = []
        for products in (given @ query, given @ mean):
            off = draw.uniform(0, 0.02, (2, 500))
            ends.append((products - off[0], products + off[1]))
        low, high = centre.within(query, *ends)
        assert (low <= true + 1e-9).all() and (true <= high + 1e-9).all()
        assert np.median(high - low) < 0.1 / np.sqrt(1 - length**2)


def test_the_codes_are_asked_for_what_is_sought():
    """Leaning queries rank rows by plain products better than any other that does not lean."""
    draw = np.random.default_rng(2)
    mean = unit(draw.standard_normal(64)) * 0.5
    given = np.array([unit(0.5 * mean + v / 8) for v in draw.standard_normal((2000, 64))])
    mean = given.mean(axis=0)
    centre = centring.Centre(mean.astype(np.float32), 1)
    near = np.array([unit(given[row] + draw.standard_normal(64) / 10) for row in range(100)])
    asked = centre.of(near.astype(np.float32))
    moved = given - mean
    true = asked @ (moved / np.linalg.norm(moved, axis=1, keepdims=True)).T
    best = true.argmax(axis=1)

    def rank(queries):
        products = queries @ given.T
        return (products > products[np.arange(100), best][:, None]).sum(axis=1).mean()

    assert rank(centre.leaning(asked)) <= min(rank(asked), rank(near))


def test_the_forgotten_leave_nothing(tmp_path):
    """No bytes of any sum or mean that they were in stand in the files, and the receipt is true."""
    seen = set()
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        enrol(made, 4)
        made.choose(centred="yes")
        seen.add(stored(made))
        gone = as_bytes(made, NAMES[2])
        for person in (4, 5):
            made.enrol_vectors(POOL[person], [NAMES[person]] * EACH)
            seen.add(stored(made))
        receipt = made.forget(NAMES[2]).receipt
        now = stored(made)
        picture = made.show(NAMES[3]).pictures[0].picture_id
        seen.add(now)
        (one,) = made.remove([picture])
        assert made.verify_receipt(receipt) == [] == made.verify_receipt(one.receipt)
        now = stored(made)
        made.check()
        with Gallery.create(tmp_path / "h", fingerprint="f" * 64, dimension=DIMENSION) as other:
            left = [(p, POOL[p, row]) for p in (0, 1, 3, 4, 5) for row in range(EACH)]
            left = [item for item in left if not np.array_equal(item[1], POOL[3, 0])]
            other.enrol_vectors([v for _, v in left], [NAMES[p] for p, _ in left])
            other.choose(centred="yes")
            assert stored(other) == now, "a gallery that never knew them has another mean"
    halves = {part for one in seen for part in (one[:48], one[-48:])}
    assert now[:48] not in halves and now[-48:] not in halves
    assert coded.files_with(tmp_path / "g", halves | gone) == []
    assert coded.files_with(tmp_path / "g", {now}) == ["gallery.db"]


def as_bytes(gallery, name):
    numbers = [one.picture_id for one in gallery.show(name).pictures]
    with gallery.database.reading() as connection:
        return set(rows.named(connection, numbers).contents)


def test_its_threshold_is_not_for_what_compares_plainly(gallery):
    enrol(gallery, 2)
    gallery.set_threshold(0.5)
    assert whole.read(gallery.database).threshold == 0.5
    gallery.choose(centred="yes")
    gallery.set_threshold(0.4)
    assert whole.read(gallery.database).threshold is None
    vectors = whole.read(gallery.database).vectors
    np.testing.assert_allclose(vectors[0], as_stored(POOL[0, 0]), atol=CLOSE)


def test_no_longer_chosen_leaves_zeros(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        enrol(made, 3)
        made.choose(centred="yes")
        before = stored(made)
        made.choose(centred="no")
        made.check()
        made.choose(centred="yes")
        assert stored(made) == before
        made.choose(centred="no")
        assert made.stats().free_slots == 1
        made.forget(NAMES[0])
    assert coded.files_with(tmp_path / "g", {before[:48], before[-48:]}) == []


def test_it_goes_along_with_a_backup_and_not_with_an_export(gallery, tmp_path):
    enrolled = enrol(gallery)
    gallery.choose(centred="yes")
    gallery.backup(tmp_path / "copy")
    gallery.export(tmp_path / "out")
    with Gallery.open(tmp_path / "copy") as copy:
        assert stored(copy) == stored(gallery)
        copy.check()
    with Gallery.create(tmp_path / "n", fingerprint="f" * 64, dimension=DIMENSION) as new:
        new.choose(centred="yes")
        new.import_(tmp_path / "out")
        assert stored(new) == stored(gallery)
        query = stranger(3)
        wanted = expected(enrolled, query, 3, mean_of([v for _, v in enrolled.values()]))
        hits = new.find_vectors([query], 3)[0].hits
        assert [hit.identity for hit in hits] == [name for _, _, name in wanted]
        new.check()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE vectors SET content = zeroblob(192) WHERE slot = :slot", "the sum of its vectors"),
        ("UPDATE vectors SET content = zeroblob(8) WHERE slot = :slot", "cannot be read"),
        ("UPDATE vectors SET content = :nan WHERE slot = :slot", "mean of its vectors cannot be"),
        ("UPDATE centring SET pictures = pictures + 1", "gallery holds 42"),
        ("DELETE FROM choices WHERE name = 'centred'", "where none is chosen"),
        ("UPDATE choices SET value = 'maybe'", "choice centred cannot be read"),
    ],
)
def test_a_check_finds_what_is_wrong(gallery, damage, message):
    enrol(gallery)
    gallery.choose(centred="yes")
    gallery.check()
    with gallery.database.writing() as connection:
        (slot,) = connection.execute("SELECT content FROM centring").fetchone()
        connection.execute(damage, {"slot": slot, "nan": b"\xff" * 12 * DIMENSION})
    with pytest.raises(GalleryError, match=message):
        gallery.check()


def test_who_cannot_be_read_can_be_forgotten(gallery):
    """The others are counted again, so that nothing of the damaged one stays in the sum."""
    enrolled = enrol(gallery)
    gallery.choose(centred="yes")
    with gallery.database.writing() as connection:
        connection.execute(
            "UPDATE vectors SET content = ? WHERE slot = (SELECT vector FROM pictures "
            "WHERE identity = (SELECT identity FROM pictures WHERE number = ?))",
            (
                b"\xff" * 2 * DIMENSION,
                next(k for k, (name, _) in enrolled.items() if name == NAMES[0]),
            ),
        )
    with pytest.raises(GalleryError):
        gallery.check()
    assert gallery.forget(NAMES[0]).status == "forgotten"
    gallery.check()
    left = mean_of([vector for name, vector in enrolled.values() if name != NAMES[0]])
    np.testing.assert_allclose(mean_in(stored(gallery)), left, atol=1e-6)


def test_a_change_that_fails_changes_nothing(gallery, monkeypatch):
    enrol(gallery, 2)
    for wrong in ({"centred": "maybe"}, {"centered": "yes"}):
        with pytest.raises(InputError, match=r"did you mean|it is one of"):
            gallery.choose(**wrong)

    def broken(*_):
        raise sqlite3.OperationalError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(centring, "_content", broken)
        with pytest.raises(GalleryError, match="no more"):
            gallery.choose(centred="yes")
    assert gallery.stats().centred == "no"
    gallery.choose(centred="yes")
    before = stored(gallery)
    with monkeypatch.context() as patch:
        patch.setattr(centring, "_content", broken)
        for change in (
            lambda: gallery.forget(NAMES[0]),
            lambda: gallery.enrol_vectors(POOL[3], [NAMES[3]] * EACH),
        ):
            with pytest.raises(GalleryError, match="no more"):
                change()
    assert stored(gallery) == before
    gallery.check()
