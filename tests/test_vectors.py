"""The exact index against plain loops, and the contract that every index kind keeps."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.errors import InputError
from saccade.vectors import INDEXES
from saccade.vectors.exact import ExactIndex
from tests.reference import gallery as reference

TOLERANCE = dict.fromkeys(INDEXES, 1e-6) | {"scan": 1e-3}  # which answers with half-float rows
KINDS = [
    pytest.param(
        kind,
        marks=[
            pytest.mark.skipif(kind == "trees" and not find_spec("annoy"), reason="needs annoy")
        ],
    )
    for kind in INDEXES
]


def unit_rows(rng, n, d):
    rows = rng.standard_normal((n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def found(index, queries, k):
    return index.find(queries, k)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(0, 60),
    d=st.integers(1, 9),
    q=st.integers(0, 7),
    k=st.integers(1, 70),
    block_rows=st.integers(1, 20),
    block_queries=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_exact_index_equals_brute_force(n, d, q, k, block_rows, block_queries, seed):
    rng = np.random.default_rng(seed)
    # Quarters: every dot product is exact in float32, so that ties are real and many.
    vectors = rng.integers(-4, 5, (n, d)).astype(np.float32) / 4
    queries = rng.integers(-4, 5, (q, d)).astype(np.float32) / 4
    index = ExactIndex(vectors, block_rows=block_rows, block_queries=block_queries)
    similarities, rows = index.find(queries, k)
    assert similarities.shape == rows.shape == (q, min(k, n))
    assert similarities.dtype == np.float32
    assert rows.dtype == np.int64
    expected = reference.nearest_rows(vectors, queries, k)
    got = [
        list(zip(scores, ids, strict=True))
        for scores, ids in zip(similarities.tolist(), rows.tolist(), strict=True)
    ]
    assert got == expected


@pytest.mark.parametrize("kind", KINDS)
def test_every_index_finds_unit_rows(kind):
    rng = np.random.default_rng(5)
    vectors, queries = unit_rows(rng, 500, 32), unit_rows(rng, 40, 32)
    similarities, rows = found(INDEXES[kind](vectors), queries, 7)
    for query, (scores, ids) in enumerate(zip(similarities, rows, strict=True)):
        expected = reference.nearest_rows(vectors, queries[query : query + 1], 7)[0]
        allowed = 1e-6
        np.testing.assert_allclose(scores, [score for score, _ in expected], atol=allowed)
        exact = vectors[ids].astype(np.float64) @ queries[query].astype(np.float64)
        np.testing.assert_allclose(scores, exact, atol=allowed)
        assert len(set(ids.tolist())) == 7


@pytest.mark.parametrize("kind", KINDS)
def test_every_index_answers_when_empty(kind):
    similarities, rows = found(INDEXES[kind](np.empty((0, 3), np.float32)), np.ones((2, 3)), 4)
    assert similarities.shape == rows.shape == (2, 0)


def test_ascending_scores_survive_every_block():
    """The worst order: each block beats all before it."""
    angles = np.linspace(np.pi / 2, 0.1, 300)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    similarities, rows = ExactIndex(vectors, block_rows=7).find(np.array([[1.0, 0.0]]), 5)
    assert rows.tolist() == [[299, 298, 297, 296, 295]]
    assert (np.diff(similarities) < 0).all()


def test_minus_zero_ties_with_zero():
    vectors = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]], dtype=np.float32)
    _, rows = ExactIndex(vectors).find(np.array([[-1.0, 0.0]], dtype=np.float32), 3)
    assert rows.tolist() == [[0, 1, 2]]


BAD = np.array([[1.0, 0.0], [np.nan, 0.0]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("vectors", "queries", "k", "words"),
    [
        (BAD, np.ones((1, 2)), 1, "vectors row 1 holds NaN"),
        (np.array([[np.inf, 0.0]]), np.ones((1, 2)), 1, "vectors row 0 holds NaN or infinity"),
        (np.array([[1e300, 0.0]]), np.ones((1, 2)), 1, "vectors row 0"),
        (np.ones(2), np.ones((1, 2)), 1, "two-dimensional"),
        (np.array([["a", "b"]]), np.ones((1, 2)), 1, "numbers"),
        (np.ones((3, 2)), BAD, 1, "queries row 1 holds NaN"),
        (np.ones((3, 2)), np.ones((1, 3)), 1, "queries have 3 columns"),
        (np.ones((3, 2)), np.ones(2), 1, "two-dimensional"),
        (np.ones((3, 2)), np.ones((1, 2)), 0, "k must be 1 or more"),
    ],
)
def test_every_index_refuses(kind, vectors, queries, k, words):
    with pytest.raises(InputError, match=words):
        found(INDEXES[kind](vectors), queries, k)
