"""Random sequences of enrol, find, forget and reopen against a plain dict."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from saccade.errors import UnknownNameError
from saccade.gallery import Gallery
from tests.reference import gallery as reference

DIMENSION = 8
POOL = np.random.default_rng(0).standard_normal((30, DIMENSION)).astype(np.float32)
NAMES = ["Anna", "Berta", "Zoë", "名前", "o'Neill"]

names = st.sampled_from(NAMES)
members = st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=6)


class GalleryMachine(RuleBasedStateMachine):
    """The oracle: pool row -> (identity, picture id)."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.gallery = Gallery.create(
            self.root / "g", fingerprint="f" * 64, dimension=DIMENSION, threshold=0.6
        )
        self.enrolled = {}
        self.ids_given = set()

    def teardown(self):
        self.gallery.close()
        shutil.rmtree(self.root)

    @rule(rows=members, name=names)
    def enrol(self, rows, name):
        outcomes = self.gallery.enrol_vectors(POOL[rows], [name] * len(rows))
        for row, outcome in zip(rows, outcomes, strict=True):
            if row not in self.enrolled:
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
        rows = [row for row, (owner, _) in self.enrolled.items() if owner == name]
        if not rows:
            with pytest.raises(UnknownNameError):
                self.gallery.forget(name)
            return
        outcome = self.gallery.forget(name)
        assert (outcome.status, outcome.pictures) == ("forgotten", len(rows))
        for row in rows:
            del self.enrolled[row]

    @rule(seed=st.integers(0, 2**16), k=st.integers(1, 7))
    def find(self, seed, k):
        query = np.random.default_rng(seed).standard_normal(DIMENSION)
        (found,) = self.gallery.find_vectors([query], k)
        enrolled = [(number, name, POOL[row]) for row, (name, number) in self.enrolled.items()]
        expected = reference.best_identities(enrolled, query, k)
        assert [(hit.picture_id, hit.identity) for hit in found.hits] == [
            (number, name) for _, number, name in expected
        ]
        np.testing.assert_allclose(
            [hit.similarity for hit in found.hits], [item[0] for item in expected], atol=1e-6
        )

    @precondition(lambda self: self.enrolled)
    @rule(data=st.data())
    def find_an_enrolled_one(self, data):
        row = data.draw(st.sampled_from(sorted(self.enrolled)))
        (found,) = self.gallery.find_vectors([POOL[row]], 1)
        assert (found.hits[0].identity, found.hits[0].picture_id) == self.enrolled[row]
        assert found.identity == self.enrolled[row][0]

    @rule()
    def reopen(self):
        self.gallery.close()
        self.gallery = Gallery.open(self.root / "g")

    @rule(name=names, row=st.integers(0, len(POOL) - 1))
    def another_connection_forgets_and_enrols(self, name, row):
        before, self.gallery = self.gallery, Gallery.open(self.root / "g")
        try:
            self.forget(name)
            self.enrol([row], name)
        finally:
            self.gallery.close()
            self.gallery = before

    @invariant()
    def lists_the_oracle(self):
        counts = {}
        for name, _ in self.enrolled.values():
            counts[name] = counts.get(name, 0) + 1
        infos = self.gallery.identities()
        assert [(info.name, info.pictures) for info in infos] == sorted(counts.items())
        self.gallery.check()


GalleryMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20)
TestGalleryMachine = GalleryMachine.TestCase
