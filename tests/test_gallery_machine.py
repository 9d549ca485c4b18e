"""Random sequences of enrol, correct, find, forget and reopen against a plain dict."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from saccade.errors import InputError, UnknownNameError
from saccade.gallery import Gallery
from saccade.gallery.near_copies import NEAR
from tests.reference import gallery as reference

DIMENSION = 8
POOL = np.random.default_rng(0).standard_normal((30, DIMENSION)).astype(np.float32)
NAMES = ["Anna", "Berta", "Zoë", "名前", "o'Neill"]
BORDER = 0.001  # nearer to the limit, rounding decides

names = st.sampled_from(NAMES)
rows = st.integers(0, len(POOL) - 1)
members = st.lists(rows, min_size=1, max_size=6)


class GalleryMachine(RuleBasedStateMachine):
    """The oracle: pool row -> (own identity, picture id), merged -> kept, and rejections."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.gallery = Gallery.create(
            self.root / "g", fingerprint="f" * 64, dimension=DIMENSION, threshold=0.6
        )
        self.enrolled = {}
        self.merged = {}
        self.rejected = set()  # (pool row, own identity)
        self.ids_given = set()

    def teardown(self):
        self.gallery.close()
        shutil.rmtree(self.root)

    def here(self):
        return {name for name, _ in self.enrolled.values()}

    def kept(self, name):
        while name in self.merged:
            name = self.merged[name]
        return name

    def group(self, name):
        return {one for one in self.here() if self.kept(one) == self.kept(name)}

    def rows_of(self, group):
        return {row for row, (owner, _) in self.enrolled.items() if owner in group}

    @rule(rows=members, name=names)
    def enrol(self, rows, name):
        refused = {row for row, one in self.rejected if one in self.group(name)}
        outcomes = self.gallery.enrol_vectors(POOL[rows], [name] * len(rows))
        for row, outcome in zip(rows, outcomes, strict=True):
            if row in refused:
                assert outcome.status == "skipped" and "was rejected as" in outcome.reason
            elif row not in self.enrolled:
                assert outcome.status == "enrolled"
                assert outcome.picture_id not in self.ids_given
                self.enrolled[row] = (name, outcome.picture_id)
                self.ids_given.add(outcome.picture_id)
            elif self.enrolled[row][0] == name:
                assert (outcome.status, outcome.picture_id) == (
                    "unchanged",
                    self.enrolled[row][1],
                )
            else:
                assert outcome.status == "skipped"
                assert self.enrolled[row][0] in outcome.reason

    @rule(name=names)
    def forget(self, name):
        if name not in self.here():
            with pytest.raises(UnknownNameError):
                self.gallery.forget(name)
            return
        group = self.group(name)
        gone = self.rows_of(group)
        outcome = self.gallery.forget(name)
        assert (outcome.status, outcome.pictures) == ("forgotten", len(gone))
        assert len(set(outcome.receipts)) == len(group)
        assert all(receipt.is_file() for receipt in outcome.receipts)
        for row in gone:
            del self.enrolled[row]
        self.merged = {one: kept for one, kept in self.merged.items() if one not in group}
        self.rejected = {
            (row, one) for row, one in self.rejected if one not in group and row not in gone
        }

    @rule(old=names, new=names)
    def rename(self, old, new):
        if old not in self.here():
            with pytest.raises(UnknownNameError):
                self.gallery.rename(old, new)
            return
        if new in self.here():
            with pytest.raises(InputError, match="already"):
                self.gallery.rename(old, new)
            return
        self.gallery.rename(old, new)
        called = {old: new}
        self.enrolled = {
            row: (called.get(name, name), number) for row, (name, number) in self.enrolled.items()
        }
        self.merged = {
            called.get(one, one): called.get(kept, kept) for one, kept in self.merged.items()
        }
        self.rejected = {(row, called.get(one, one)) for row, one in self.rejected}

    @rule(kept=names, merged=names)
    def merge(self, kept, merged):
        if not {kept, merged} <= self.here():
            with pytest.raises(UnknownNameError):
                self.gallery.merge(kept, merged)
            return
        first, second = self.group(kept), self.group(merged)
        clash = any(
            (one in first and row in self.rows_of(second))
            or (one in second and row in self.rows_of(first))
            for row, one in self.rejected
        )
        if first == second or merged in self.merged or clash:
            with pytest.raises(
                InputError, match=r"one identity already|is merged into|rejected as"
            ):
                self.gallery.merge(kept, merged)
            return
        info = self.gallery.merge(kept, merged)
        self.merged[merged] = kept
        assert info.name == self.kept(kept)

    @rule(name=names)
    def unmerge(self, name):
        if name not in self.here():
            with pytest.raises(UnknownNameError):
                self.gallery.unmerge(name)
        elif name not in self.merged:
            with pytest.raises(InputError, match="is not merged"):
                self.gallery.unmerge(name)
        else:
            del self.merged[name]
            assert self.gallery.unmerge(name).name == name

    @rule(row=rows, name=names, by_number=st.booleans())
    def reject(self, row, name, by_number):
        picture = POOL[row]
        if by_number and row in self.enrolled:
            picture = self.enrolled[row][1]
        if name not in self.here():
            with pytest.raises(UnknownNameError):
                self.gallery.reject(picture, name)
        elif row in self.rows_of(self.group(name)):
            with pytest.raises(InputError, match="itself"):
                self.gallery.reject(picture, name)
        else:
            outcome = self.gallery.reject(picture, name)
            known = (row, name) in self.rejected
            assert outcome.status == ("unchanged" if known else "rejected")
            assert outcome.picture_id == self.enrolled.get(row, (None, None))[1]
            self.rejected.add((row, name))

    @precondition(lambda self: self.rejected)
    @rule(data=st.data(), name=names)
    def take_a_rejection_back(self, data, name):
        row = data.draw(st.sampled_from(sorted({row for row, _ in self.rejected})))
        if name not in self.here():
            return
        held = {(row, one) for one in self.group(name)} & self.rejected
        if held:
            assert self.gallery.reject(POOL[row], name, undo=True).status == "withdrawn"
            self.rejected -= held
        else:
            with pytest.raises(InputError, match="was not rejected"):
                self.gallery.reject(POOL[row], name, undo=True)

    @rule(seed=st.integers(0, 2**16), k=st.integers(1, 7), noise=st.floats(0, 1))
    def find(self, seed, k, noise):
        draw = np.random.default_rng(seed)
        near = sorted(row for row, _ in self.rejected) or range(len(POOL))
        query = POOL[draw.choice(near)] + noise * draw.standard_normal(DIMENSION)
        unit = query / np.linalg.norm(query)
        cosines = {row: float(reference.as_stored(POOL[row]) @ unit) for row, _ in self.rejected}
        if any(abs(cosine - NEAR) < BORDER for cosine in cosines.values()):
            return
        left_out = {self.kept(one) for row, one in self.rejected if cosines[row] >= NEAR}
        enrolled = [
            (number, self.kept(name), POOL[row])
            for row, (name, number) in self.enrolled.items()
            if self.kept(name) not in left_out
        ]
        expected = reference.best_identities(enrolled, query, k)
        for exact in (False, True):
            (found,) = self.gallery.find_vectors([query], k, exact=exact)
            assert [(hit.picture_id, hit.identity) for hit in found.hits] == [
                (number, name) for _, number, name in expected
            ]
            np.testing.assert_allclose(
                [hit.similarity for hit in found.hits], [item[0] for item in expected], atol=1e-6
            )

    @precondition(lambda self: self.enrolled)
    @rule(data=st.data())
    def find_an_enrolled_one(self, data):
        """No rejection takes an enrolled picture from its own identity."""
        row = data.draw(st.sampled_from(sorted(self.enrolled)))
        (found,) = self.gallery.find_vectors([POOL[row]], 1)
        name, number = self.enrolled[row]
        assert (found.hits[0].identity, found.hits[0].picture_id) == (self.kept(name), number)
        assert found.identity == self.kept(name)

    @rule()
    def reopen(self):
        self.gallery.close()
        self.gallery = Gallery.open(self.root / "g")

    @rule(name=names, other=names, row=rows)
    def another_connection_works(self, name, other, row):
        before, self.gallery = self.gallery, Gallery.open(self.root / "g")
        try:
            self.forget(name)
            self.enrol([row], name)
            self.merge(other, name)
            self.reject(row, other, False)
        finally:
            self.gallery.close()
            self.gallery = before

    @invariant()
    def lists_the_oracle(self):
        counts, also = {}, {}
        for name, _ in self.enrolled.values():
            counts[self.kept(name)] = counts.get(self.kept(name), 0) + 1
            also.setdefault(self.kept(name), set()).add(name)
        infos = self.gallery.identities()
        assert [(info.name, info.pictures) for info in infos] == sorted(counts.items())
        assert {info.name: {info.name, *info.also} for info in infos} == also
        stats = self.gallery.stats()
        assert (stats.identities, stats.pictures) == (len(counts), len(self.enrolled))
        self.gallery.check()
        assert self.gallery.log().problem == ""


GalleryMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20)
TestGalleryMachine = GalleryMachine.TestCase


@pytest.mark.slow
def test_many_more_sequences():
    longer = settings(max_examples=150, stateful_step_count=50)
    run_state_machine_as_test(GalleryMachine, settings=longer)
