"""Draws of pairs and triplets: what may be drawn, how often, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from saccade.data.pairs import SiameseDraws
from saccade.errors import InputError

TARGETS = np.array([3, 0, 0, 3, 3, 1, 0, 7, 3])
DRAWABLE = st.lists(st.integers(0, 4), min_size=3, max_size=12).filter(
    lambda found: 1 < len(set(found)) < len(found)
)


def generator(seed=0):
    return np.random.default_rng(seed)


@given(targets=DRAWABLE, count=st.integers(0, 30), seed=st.integers(0, 1000))
def test_pairs_are_what_they_say_and_balanced(targets, count, seed):
    labels = np.array(targets)
    first, second, same = SiameseDraws(labels).pairs(count, generator(seed))
    assert len(first) == len(second) == len(same) == count
    assert (first != second).all()
    np.testing.assert_array_equal(labels[first] == labels[second], same)
    assert same.sum() == count - count // 2


@given(targets=DRAWABLE, count=st.integers(0, 30), seed=st.integers(0, 1000))
def test_triplets_are_what_they_say(targets, count, seed):
    labels = np.array(targets)
    anchor, positive, negative = SiameseDraws(labels).triplets(count, generator(seed))
    assert len(anchor) == len(positive) == len(negative) == count
    assert (anchor != positive).all()
    assert (labels[anchor] == labels[positive]).all()
    assert (labels[anchor] != labels[negative]).all()


def test_every_pair_and_triplet_that_may_be_drawn_is_drawn():
    draws, rows = SiameseDraws(TARGETS), range(len(TARGETS))
    first, second, _ = draws.pairs(20_000, generator())
    allowed = {(a, b) for a in rows for b in rows if a != b}
    singles = {(a, b) for a, b in allowed if TARGETS[a] == TARGETS[b]}
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == allowed
    anchor, positive, negative = draws.triplets(20_000, generator())
    found = set(zip(anchor.tolist(), positive.tolist(), negative.tolist(), strict=True))
    assert found == {(a, p, n) for a, p in singles for n in rows if TARGETS[n] != TARGETS[a]}


def test_classes_and_their_pictures_are_drawn_evenly():
    draws = SiameseDraws(TARGETS)
    anchor, positive, negative = draws.triplets(20_000, generator())
    assert chisquare(np.bincount(TARGETS[anchor])[[0, 3]]).pvalue > 0.001
    for rows in (anchor, positive):
        assert chisquare(np.bincount(rows[TARGETS[rows] == 3])[[0, 3, 4, 8]]).pvalue > 0.001
    assert chisquare(np.bincount(TARGETS[negative[TARGETS[anchor] == 0]])[[1, 3, 7]]).pvalue > 0.001
    first, _, same = draws.pairs(20_000, generator())
    assert chisquare(np.bincount(TARGETS[first[~same]])[[0, 1, 3, 7]]).pvalue > 0.001


def test_the_same_generator_gives_the_same_draws():
    draws = SiameseDraws(TARGETS)
    for kind in (draws.pairs, draws.triplets):
        one, two, other = kind(50, generator(1)), kind(50, generator(1)), kind(50, generator(2))
        assert all((a == b).all() for a, b in zip(one, two, strict=True))
        assert any((a != b).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([5, 5, 5], "no pair of two classes: the pictures show 1; add pictures of another class"),
        ([], "no pair of two classes: the pictures show 0"),
        (
            [0, 1, 2],
            "no pair of one class: each of 3 classes has one picture; add a second of some",
        ),
    ],
)
def test_labels_without_pair_or_negative_are_refused(targets, said):
    with pytest.raises(InputError, match=said) as caught:
        SiameseDraws(np.array(targets, np.int64))
    assert "\n" not in str(caught.value)
