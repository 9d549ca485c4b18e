"""Random sequences of everything that a gallery can do, in two processes, against plain dicts.

Two open galleries on one folder stand for the processes. Now and then all files are searched for
the bytes of whatever the oracle does not hold.
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
    precondition,
    rule,
    run_state_machine_as_test,
)

from saccade.api.gallery import Gallery
from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, InputError, UnknownNameError
from saccade.gallery import terms
from saccade.gallery.near_copies import NEAR
from saccade.gallery.where import condition
from saccade.values import Sample
from tests import coded
from tests.gallery_victim import TinyEmbedder, make_pictures
from tests.reference.gallery import Centre, as_stored

DIMENSION, PICTURES, VECTORS = 16, 12, 12
NAMES = ["anna-5d0c", "berta-77e1", "zoë-名前-90ab", "o'neill-<b>-3c", "emil-4f22"]
DAYS = ["2030-01-01", "2030-01-02", "2030-01-03"]
CONDITIONS = ["site=A", "year > 1", "not site=A and year in (1, 2)", "site=B or year=3"]
EMBEDDERS = [TinyEmbedder(seed, DIMENSION) for seed in (0, 1)]
BORDER = 0.001  # nearer to the limit of rejections, rounding decides
TAIL_BYTES = 40

which = st.integers(0, 1)
names = st.sampled_from(NAMES)
rows = st.integers(0, PICTURES + VECTORS - 1)
pictures = st.lists(st.integers(0, PICTURES - 1), min_size=1, max_size=5, unique=True)
vectors = st.lists(st.integers(PICTURES, PICTURES + VECTORS - 1), min_size=1, unique=True)
days = st.none() | st.sampled_from(DAYS)
facts = st.fixed_dictionaries(
    {}, optional={"site": st.sampled_from("AB"), "year": st.sampled_from("123")}
)


class Pool:
    """Pictures as files, then vectors: what may be enrolled, by row."""

    def __init__(self, root):
        made = make_pictures(root, identities=1, each=PICTURES)
        self.paths = [sample.path for sample in made]
        shown = [read_picture(path) for path in self.paths]
        plain = np.random.default_rng(3).standard_normal((VECTORS, DIMENSION)).astype(np.float32)
        self.vectors = [np.concatenate([embed(shown), plain]) for embed in EMBEDDERS]
        for units in ([as_stored(one) for one in seed] for seed in self.vectors):
            alike = np.array(units) @ np.array(units).T - np.eye(len(units))
            assert alike.max() < NEAR - BORDER, "a rejection would hold for two rows"

    def traces(self, row, seed):
        """Bytes that stand in a gallery only with this row."""
        unit = self.vectors[seed][row] / np.linalg.norm(self.vectors[seed][row])
        found = {unit.astype("<f2").tobytes()}
        if row < PICTURES:
            found |= {self.paths[row].read_bytes()[-TAIL_BYTES:], self.paths[row].name.encode()}
        return found


@pytest.fixture(scope="module", autouse=True)
def pool(tmp_path_factory):
    WholeMachine.pool = Pool(tmp_path_factory.mktemp("pool"))


class WholeMachine(RuleBasedStateMachine):
    """The oracle, by names: what is enrolled, told, merged and rejected.

    ``enrolled``: row of the pool -> (own identity, picture id, facts); ``told``: name -> facts of
    it; ``expires``: name -> day; ``merged``: name -> name; ``rejected``: {(row, name)}; ``centre``:
    the mean in use, if any; ``sums``: the bytes that any sum and mean had.
    """

    pool: Pool

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.day, self.seed, self.moves, self.secrets = DAYS[0], 0, 0, 0
        self.plain_today, terms.today = terms.today, lambda: self.day
        self.enrolled, self.told, self.expires, self.merged = {}, {}, {}, {}
        self.rejected, self.given, self.archives = set(), set(), []
        self.centre, self.sums = None, set()
        self.galleries = []
        self.go_on_in(self.new())

    def teardown(self):
        terms.today = self.plain_today
        self.close()
        shutil.rmtree(self.root)

    def place(self, ending=""):
        self.moves += 1
        return self.root / f"g{self.moves}{ending}"

    def new(self):
        folder = self.place()
        embedder = EMBEDDERS[self.seed]
        Gallery.create(folder, embedder=embedder, keep_originals=True).close()
        return folder

    def opened(self, folder):
        return Gallery.open(folder, embedder=EMBEDDERS[self.seed])

    def go_on_in(self, folder):
        self.close()
        self.folder = folder
        self.galleries = [self.opened(folder), self.opened(folder)]

    def close(self):
        for gallery in self.galleries:
            gallery.close()

    # The oracle's own questions

    def here(self):
        return {name for name, *_ in self.enrolled.values()}

    def kept(self, name):
        while name in self.merged:
            name = self.merged[name]
        return name

    def roots(self):
        return {self.kept(name) for name in self.here()}

    def group(self, name):
        return {one for one in self.here() if self.kept(one) == self.kept(name)}

    def refused(self, row, name):
        return any((row, one) in self.rejected for one in self.group(name))

    def vector(self, row):
        return self.pool.vectors[self.seed][row]

    def all_vectors(self):
        return [self.vector(row) for row in self.enrolled]

    def grew(self, rows):
        if self.centre is not None and rows:
            self.centre.grow(self.all_vectors())

    def pointed(self, row):
        return self.pool.paths[row] if row < PICTURES else self.vector(row)

    def fits(self, row, where):
        name, _, own = self.enrolled[row]
        return where is None or condition(where)({**self.told.get(name, {}), **own})

    def has_expired(self, name):
        return self.expires.get(name, "9999") <= self.day

    def may_be_hits(self, query, where):
        """The pictures that may be hits, by number; None where rounding decides."""
        unit = query / np.linalg.norm(query)
        cosines = {row: float(as_stored(self.vector(row)) @ unit) for row, _ in self.rejected}
        if any(abs(cosine - NEAR) < BORDER for cosine in cosines.values()):
            return None
        left_out = {self.kept(one) for row, one in self.rejected if cosines[row] >= NEAR}
        return {
            number: (self.kept(name), self.vector(row))
            for row, (name, number, _) in self.enrolled.items()
            if self.fits(row, where)
            and not self.has_expired(name)
            and self.kept(name) not in left_out
        }

    # What changes it

    @initialize(cells=st.sampled_from([0, 2]))
    def begin_with_an_index(self, cells):
        self.enrol(0, [0, 1, 2, 3], NAMES[0], {"site": "A"}, None)
        self.enrol(0, [4, 5, 6], NAMES[1], {}, DAYS[1])
        self.index(0, cells)

    @rule(which=which, some=pictures, name=names, told=facts, expires=days)
    def enrol(self, which, some, name, told, expires):
        samples = [Sample(self.pool.paths[row], name, metadata=told) for row in some]
        outcomes = self.galleries[which].enrol(samples, expires=expires)
        self.enrolled_now(some, name, outcomes, told, expires)

    @rule(which=which, some=vectors, name=names, expires=days)
    def enrol_vectors(self, which, some, name, expires):
        given = np.array([self.vector(row) for row in some])
        labels = [name] * len(some)
        outcomes = self.galleries[which].enrol_vectors(given, labels, expires=expires)
        self.enrolled_now(some, name, outcomes, {}, expires)

    def enrolled_now(self, some, name, outcomes, told, expires):
        refused = {row for row in some if self.refused(row, name)}
        before = len(self.enrolled)
        for row, outcome in zip(some, outcomes, strict=True):
            owner, number, _ = self.enrolled.get(row, (None, None, None))
            if row in refused:
                assert outcome.status == "skipped" and "was rejected as" in outcome.reason
            elif owner is None:
                assert outcome.status == "enrolled" and outcome.picture_id not in self.given
                self.enrolled[row] = (name, outcome.picture_id, told)
                self.given.add(outcome.picture_id)
                if expires is not None:
                    self.expires[name] = expires
            elif owner == name:
                assert (outcome.status, outcome.picture_id) == ("unchanged", number)
            else:
                assert outcome.status == "skipped" and owner in outcome.reason
        self.grew(len(self.enrolled) - before)

    @rule(which=which, some=vectors, name=names)
    def bulk(self, which, some, name):
        refused = {row for row in some if self.refused(row, name)}
        fresh = [row for row in some if row not in self.enrolled and row not in refused]
        mine = [row for row in some if row not in refused and row not in fresh]
        same = [row for row in mine if self.enrolled[row][0] == name]
        given = np.array([self.vector(row) for row in some])
        *_, counts = self.galleries[which].enrol_bulk([(given, [name] * len(some), None)])
        skipped = len(some) - len(fresh) - len(same)
        expected = (len(fresh), len(same), skipped)
        assert (counts.enrolled, counts.unchanged, counts.skipped) == expected
        numbers = [one.picture_id for one in self.shown(name)] if fresh else []
        new = [number for number in numbers if number not in self.given]
        for row, number in zip(fresh, new, strict=True):
            self.enrolled[row] = (name, number, {})
            self.given.add(number)
        self.grew(len(fresh))

    def shown(self, name):
        return self.galleries[0].show(name).pictures

    @rule(which=which, name=names, told=facts, secret=st.booleans(), data=st.data())
    def describe(self, which, name, told, secret, data):
        if name not in self.here():
            with pytest.raises(UnknownNameError):
                self.galleries[which].describe(name, told)
            return
        held = self.told.get(name, {})
        remove = data.draw(st.lists(st.sampled_from(sorted(held)), unique=True)) if held else []
        if secret:
            self.secrets += 1
            told = told | {"secret": f"secret-{self.secrets:06}"}
        now = {key: value for key, value in held.items() if key not in remove} | told
        assert self.galleries[which].describe(name, told, remove=remove) == now
        self.told[name] = now

    @precondition(lambda self: self.enrolled)
    @rule(which=which, expires=st.sampled_from([*DAYS, "none"]), data=st.data())
    def set_terms(self, which, expires, data):
        name = data.draw(st.sampled_from(sorted(self.here())))
        self.galleries[which].set_terms(name, expires=expires)
        self.expires[name] = expires
        if expires == "none":
            del self.expires[name]

    @rule(day=st.sampled_from(DAYS))
    def another_day(self, day):
        self.day = day

    @rule(which=which, old=names, new=names)
    def rename(self, which, old, new):
        here = self.here()
        if old not in here or new in here:
            with pytest.raises(InputError):
                self.galleries[which].rename(old, new)
            return
        self.galleries[which].rename(old, new)

        def called(name):
            return new if name == old else name

        self.enrolled = {row: (called(it[0]), *it[1:]) for row, it in self.enrolled.items()}
        self.merged = {called(one): called(kept) for one, kept in self.merged.items()}
        self.rejected = {(row, called(one)) for row, one in self.rejected}
        for said in (self.told, self.expires):
            if old in said:
                said[new] = said.pop(old)

    @rule(which=which, kept=names, merged=names)
    def merge(self, which, kept, merged):
        if not self.may_be_one(kept, merged):
            with pytest.raises(InputError):
                self.galleries[which].merge(kept, merged)
            return
        assert self.galleries[which].merge(kept, merged).name == self.kept(kept)
        self.merged[merged] = kept

    def may_be_one(self, kept, merged):
        first, second = self.group(kept), self.group(merged)
        there = kept in first and merged in second
        clash = any(
            row in self.enrolled and {self.enrolled[row][0], one} & mine and not {one} & mine
            for row, one in self.rejected
            if row in self.enrolled and {self.enrolled[row][0], one} <= first | second
            for mine in (first, second)
        )
        return there and first != second and merged not in self.merged and not clash

    @precondition(lambda self: self.merged)
    @rule(which=which, data=st.data())
    def unmerge(self, which, data):
        name = data.draw(st.sampled_from(sorted(self.merged)))
        del self.merged[name]
        assert self.galleries[which].unmerge(name).name == name

    @rule(which=which, row=rows, name=names, by_number=st.booleans())
    def reject(self, which, row, name, by_number):
        number = self.enrolled[row][1] if row in self.enrolled else None
        picture = number if by_number and number is not None else self.pointed(row)
        group = self.group(name)
        if name not in group or (number is not None and self.enrolled[row][0] in group):
            with pytest.raises(InputError):
                self.galleries[which].reject(picture, name)
            return
        outcome = self.galleries[which].reject(picture, name)
        known = (row, name) in self.rejected
        assert outcome.status == ("unchanged" if known else "rejected")
        assert outcome.picture_id == number
        self.rejected.add((row, name))

    @precondition(lambda self: self.rejected)
    @rule(which=which, data=st.data())
    def take_a_rejection_back(self, which, data):
        row, name = data.draw(st.sampled_from(sorted(self.rejected)))
        assert self.galleries[which].reject(self.pointed(row), name, undo=True)
        self.rejected -= {(row, one) for one in self.group(name)}

    @rule(which=which, some=st.lists(names, min_size=1, max_size=3))
    def forget_many(self, which, some):
        if not set(some) <= self.here():
            with pytest.raises(UnknownNameError):
                self.galleries[which].forget_many(some)
            return
        groups = [self.group(name) for name in some]
        counts = [sum(it[0] in group for it in self.enrolled.values()) for group in groups]
        gone = self.galleries[which].forget_many(some)
        assert [(one.status, one.pictures) for one in gone] == [("forgotten", n) for n in counts]
        assert [len(one.receipts) for one in gone] == [len(group) for group in groups]
        for receipt in {receipt for one in gone for receipt in one.receipts}:
            assert self.galleries[1 - which].verify_receipt(receipt) == []
        self.gone(set().union(*groups))

    @rule(which=which)
    def forget_expired(self, which):
        expired = {name for name in self.here() if self.has_expired(name)}
        assert len(self.galleries[which].forget_expired()) == len(expired)
        self.gone(expired)

    def gone(self, some):
        rows = {row for row, it in self.enrolled.items() if it[0] in some}
        self.enrolled = {row: it for row, it in self.enrolled.items() if row not in rows}
        if self.centre is not None and rows:
            self.centre.renew(self.all_vectors())
        self.merged = {one: kept for one, kept in self.merged.items() if not {one, kept} & some}
        self.rejected = {
            (row, one) for row, one in self.rejected if one not in some and row not in rows
        }
        for said in (self.told, self.expires):
            for name in some:
                said.pop(name, None)

    @rule(which=which, centred=st.booleans())
    def choose_centred(self, which, centred):
        self.galleries[which].choose(centred="yes" if centred else "no")
        if centred != (self.centre is not None):
            self.centre = Centre(self.all_vectors()) if centred else None

    # Upkeep, and moves

    @rule(which=which)
    def compact(self, which):
        assert not self.galleries[which].compact().reason
        assert self.galleries[1 - which].stats().free_slots == 0

    @rule(which=which, cells=st.sampled_from([0, 2]))
    def index(self, which, cells):
        with coded.tuner(coded.scanning(cells=cells)):
            assert self.galleries[which].index().rows == len(self.enrolled)

    @rule(which=which, go_on=st.booleans())
    def backup(self, which, go_on):
        copy = self.place()
        made = self.galleries[which].backup(copy)
        assert (made.identities, made.pictures) == (len(self.roots()), len(self.enrolled))
        here = self.folder
        self.go_on_in(copy)
        self.shows_the_oracle()
        self.find(0, 0, 3, False, None)
        if not go_on:
            self.go_on_in(here)

    @rule(which=which, ending=st.sampled_from(["", ".zip"]))
    def export(self, which, ending):
        path = self.place(ending)
        done = self.galleries[which].export(path)
        files = sum(row < PICTURES for row in self.enrolled)
        expected = (len(self.here()), len(self.enrolled), files)
        assert (done.identities, done.pictures, done.originals) == expected
        assert (done.merges, done.rejections) == (len(self.merged), len(self.rejected))
        said = dict(self.told), dict(self.expires), dict(self.merged), set(self.rejected)
        self.archives.append((path, self.seed, dict(self.enrolled), *said))

    @precondition(lambda self: self.archives)
    @rule(which=which, into_a_new_one=st.booleans(), data=st.data())
    def import_(self, which, into_a_new_one, data):
        """Names come as they were, what the gallery says already stays."""
        path, seed, enrolled, told, expires, merged, rejected = data.draw(
            st.sampled_from(self.archives), label="archive"
        )
        if seed != self.seed:
            with pytest.raises(GalleryError, match="of embedder"):
                self.galleries[which].import_(path)
            return
        if into_a_new_one:
            self.enrolled, self.told, self.expires, self.merged = {}, {}, {}, {}
            self.rejected, self.given, self.centre = set(), set(), None
            self.go_on_in(self.new())
        fresh, same = [], 0
        for row in sorted(enrolled, key=lambda row: enrolled[row][1]):
            name = enrolled[row][0]
            if not self.refused(row, name) and row not in self.enrolled:
                fresh.append(row)
            elif self.enrolled.get(row, (None,))[0] == name:
                same += 1
        done = self.galleries[which].import_(path)
        counts = (len(fresh), same, len(enrolled) - len(fresh) - same)
        assert (done.enrolled, done.unchanged, done.skipped) == counts
        new = {name: self.new_numbers(name) for name in {enrolled[row][0] for row in fresh}}
        for row in fresh:
            name, _, own = enrolled[row]
            self.enrolled[row] = (name, new[name].pop(0), own)
            self.given.add(self.enrolled[row][1])
        for name in self.here():
            if told.get(name) and not self.told.get(name):
                self.told[name] = told[name]
            if name in expires:
                self.expires.setdefault(name, expires[name])
        self.grew(len(fresh))
        self.decide(merged, rejected, done)

    def decide(self, merged, rejected, done):
        """Merges by the name that is merged, then rejections; what cannot be is left out."""
        new, left_out = {"merges": 0, "rejections": 0}, 0
        for name, kept in sorted(merged.items()):
            one = {name, kept} <= self.here() and self.kept(name) == self.kept(kept)
            if self.may_be_one(kept, name):
                self.merged[name] = kept
                new["merges"] += 1
            elif not one:
                left_out += 1
        for row, name in rejected:
            mine = row in self.enrolled and self.enrolled[row][0] in self.group(name)
            if name not in self.here() or mine:
                left_out += 1
            elif (row, name) not in self.rejected:
                self.rejected.add((row, name))
                new["rejections"] += 1
        assert (done.merges, done.rejections, done.left_out) == (*new.values(), left_out)

    def new_numbers(self, name):
        """The pictures of a name that have a number which was not there before, by number."""
        numbers = [one.picture_id for one in self.shown(name)]
        return [number for number in numbers if number not in self.given]

    @rule(which=which)
    def re_embed(self, which):
        """Into a new gallery, which keeps the rejections of what is enrolled; then go on there."""
        place, gallery = self.place(), self.galleries[which]
        embedder = EMBEDDERS[1 - self.seed]
        if any(row >= PICTURES for row in self.enrolled):
            with pytest.raises(GalleryError, match="keeps the files of"):
                gallery.re_embed(place, embedder)
            assert not place.exists()
            return
        done = gallery.re_embed(place, embedder)
        again = {(row, name) for row, name in self.rejected if row in self.enrolled}
        counts = len(self.roots()), len(self.enrolled), len(self.rejected - again)
        assert (done.identities, done.pictures, done.rejections_lost) == counts
        self.seed = 1 - self.seed
        in_order = sorted(self.enrolled, key=lambda row: self.enrolled[row][1])
        for number, row in enumerate(in_order, 1):
            name, _, own = self.enrolled[row]
            self.enrolled[row] = (name, number, own)
        self.given, self.rejected = set(range(1, len(in_order) + 1)), again
        self.centre = self.centre and Centre(self.all_vectors())
        self.go_on_in(place)

    @rule(which=which)
    def reopen(self, which):
        self.galleries[which].close()
        self.galleries[which] = self.opened(self.folder)

    # What is seen of it

    @rule(
        which=which,
        seed=st.integers(0, 2**16),
        k=st.integers(1, 6),
        exact=st.booleans(),
        where=st.none() | st.sampled_from(CONDITIONS),
    )
    def find(self, which, seed, k, exact, where):
        draw = np.random.default_rng(seed)
        some = sorted({row for row, _ in self.rejected} | self.enrolled.keys())
        near = self.vector(draw.choice(some)) if some else draw.standard_normal(DIMENSION)
        noise = draw.standard_normal(DIMENSION)
        queries = np.array([noise, near, near + 0.05 * np.linalg.norm(near) * noise], np.float32)
        found = self.galleries[which].find_vectors(queries, k, exact=exact, where=where)
        for query, answer in zip(queries, found, strict=True):
            may_be = self.may_be_hits(query, where)
            if may_be is not None:
                coded.assert_right(answer, may_be, query, k, self.centre and self.centre.mean)

    @rule(which=which, where=st.sampled_from(CONDITIONS))
    def list_where(self, which, where):
        counts = {}
        for row, (name, *_) in self.enrolled.items():
            if self.fits(row, where):
                counts[self.kept(name)] = counts.get(self.kept(name), 0) + 1
        listed = [(info.name, info.pictures) for info in self.galleries[which].identities(where)]
        assert listed == sorted(counts.items())

    @rule()
    def nothing_else_stands_in_the_files(self):
        now = self.sum_and_mean()
        self.close()
        rows = {*self.enrolled, *(row for row, _ in self.rejected)}
        gone = {
            needle
            for seed in range(len(EMBEDDERS))
            for row in range(PICTURES + VECTORS)
            if row not in rows
            for needle in self.pool.traces(row, seed)
        }
        gone |= {name.encode() for name in set(NAMES) - self.here()}
        held = {said.get("secret") for said in self.told.values()}
        secrets = {f"secret-{number:06}" for number in range(1, self.secrets + 1)}
        gone |= {secret.encode() for secret in secrets - held}
        sums = {part for part in self.sums if part not in now}
        assert coded.files_with(self.folder, gone) == []
        # An index may hold the mean of the rows that it was made of, until the next one.
        assert set(coded.files_with(self.folder, sums)) <= {"scan"}
        coded.assert_nothing_left(self.folder, {it[1] for it in self.enrolled.values()})
        self.go_on_in(self.folder)

    def sum_and_mean(self):
        """The bytes of the sum of all vectors and of the mean in use; none where none is kept."""
        with self.galleries[0].database.reading() as connection:
            found = connection.execute(
                "SELECT v.content FROM centring c JOIN vectors v ON v.slot = c.content"
            ).fetchone()
        return b"" if found is None else found[0]

    @invariant()
    def keeps_the_mean(self):
        content = self.sum_and_mean()
        assert bool(content) == (self.centre is not None)
        if content:
            mean = np.frombuffer(content, "<f4", offset=8 * DIMENSION)
            np.testing.assert_array_equal(mean, self.centre.mean_of(DIMENSION))
            parts = {content[: 8 * DIMENSION], content[8 * DIMENSION :]}
            self.sums |= {part for part in parts if any(part)}

    @invariant()
    def shows_the_oracle(self):
        counts, also = {}, {}
        for name, *_ in self.enrolled.values():
            counts[self.kept(name)] = counts.get(self.kept(name), 0) + 1
            also.setdefault(self.kept(name), set()).add(name)
        for gallery in self.galleries:
            infos = gallery.identities()
            assert [(info.name, info.pictures) for info in infos] == sorted(counts.items())
            assert {info.name: {info.name, *info.also} for info in infos} == also
        for name in self.here():
            shown = self.galleries[0].show(name)
            said = self.told.get(name, {}), self.expires.get(name)
            assert (shown.facts, shown.expires) == said
            mine = {row: it for row, it in self.enrolled.items() if it[0] == name}
            assert {(one.picture_id, one.kept) for one in shown.pictures} == {
                (it[1], row < PICTURES) for row, it in mine.items()
            }
            own = {one.picture_id: one.facts for one in shown.pictures}
            assert own == {it[1]: it[2] for it in mine.values()}
        self.galleries[0].check()
        assert self.galleries[0].log().problem == ""


WholeMachine.TestCase.settings = settings(max_examples=4, stateful_step_count=14, deadline=None)
TestGalleryWholeMachine = WholeMachine.TestCase


@pytest.mark.slow
def test_many_more_sequences():
    longer = settings(max_examples=12, stateful_step_count=40)
    run_state_machine_as_test(WholeMachine, settings=longer)
