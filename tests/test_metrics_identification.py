"""Ranks, rank-k accuracy and CMC, against a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.errors import InputError, SettingError
from saccade.metrics import cmc, rank_k_accuracy, ranks
from tests.reference import metrics as reference

NAMES = st.sampled_from(["ann", "bob", "cy", "dee"])


@st.composite
def searches(draw):
    query_labels = draw(st.lists(NAMES, min_size=1, max_size=6))
    gallery_labels = draw(st.lists(NAMES, min_size=1, max_size=8))
    row = st.lists(
        st.integers(0, 4).map(float),  # few values, so that ties are common
        min_size=len(gallery_labels),
        max_size=len(gallery_labels),
    )
    table = [draw(row) for _ in query_labels]
    return np.array(table), query_labels, gallery_labels


@given(searches())
def test_ranks_equal_the_reference_with_ties_and_absent_identities(search):
    assert ranks(*search).tolist() == reference.ranks(*search)


@given(searches(), st.randoms(use_true_random=False))
def test_the_order_of_the_gallery_does_not_matter(search, random):
    table, query_labels, gallery_labels = search
    order = list(range(len(gallery_labels)))
    random.shuffle(order)
    shuffled = ranks(table[:, order], query_labels, [gallery_labels[i] for i in order])
    assert shuffled.tolist() == ranks(*search).tolist()


def test_an_identity_counts_once_by_its_best_picture():
    table = np.array([[0.9, 0.8, 0.7, 0.6]])
    assert ranks(table, ["b"], ["a", "a", "b", "b"]).tolist() == [2]


def test_a_constant_embedder_earns_nothing():
    found = ranks(np.ones((3, 3)), ["a", "b", "c"], ["a", "b", "c"])
    assert found.tolist() == [3, 3, 3]
    nearly = np.ones((3, 3)) + np.random.default_rng(0).normal(0, 1e-9, (3, 3))
    assert ranks(nearly, ["a", "b", "c"], ["a", "b", "c"], tie=1e-6).tolist() == [3, 3, 3]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_cmc_is_the_rank_k_accuracy_for_every_k(found, max_rank):
    curve = cmc(found, max_rank)
    assert curve.tolist() == [rank_k_accuracy(found, k) for k in range(1, max_rank + 1)]
    assert (np.diff(curve) >= 0).all()


def test_absent_identities_are_misses():
    assert rank_k_accuracy([0, 1, 0, 2], 100) == 0.5


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match=r"shape \(2, 2\)"):
        ranks(np.ones((2, 2)), ["a"], ["a", "b"])
    with pytest.raises(InputError, match="NaN"):
        ranks(np.array([[np.nan]]), ["a"], ["a"])
    with pytest.raises(InputError, match="non-empty"):
        rank_k_accuracy([], 1)
    with pytest.raises(SettingError, match="got 0"):
        rank_k_accuracy([1], 0)
    with pytest.raises(SettingError, match="got 0"):
        cmc([1], 0)
