"""The bounds of the codes: no product lies outside of them, and they lie close."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from saccade.vectors.scan_coded import Coded
from saccade.vectors.scan_codes import SAMPLE_ROWS, fit
from saccade.vectors.scan_encode import encode

ROUNDING = 1e-5  # of sums of d products in float32


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def within(truth, queries, fitted):
    """Compare all products in float64 with their bounds; returns how far those lie apart (q, n)."""
    codes = encode(fitted, truth)
    coded = Coded(fitted, codes, None)
    apart = []
    for query in queries:
        low, high = coded.bounds(query, np.arange(len(truth)))
        product = truth.astype(np.float64) @ query.astype(np.float64)
        assert (low - ROUNDING <= product).all() and (product <= high + ROUNDING).all()
        apart.append(high - low)
    return np.array(apart), codes


@given(
    seed=st.integers(0, 2**16),
    n=st.integers(1, 60),
    d=st.sampled_from([2, 3, 24, 65]),
    fading=st.sampled_from([1.0, 0.8, 0.0]),
    aside=st.sampled_from([0.0, 0.5, 5.0]),
    known=st.integers(1, 60),
)
def test_no_product_is_outside(seed, n, d, fading, aside, known):
    """Rows that the codes were fitted to, and others; components that are nought in the sample."""
    draw = np.random.default_rng(seed)
    rows = draw.standard_normal((n, d)) * fading ** np.arange(d) + aside
    rows[: min(n, known), 1:] *= 0.1
    truth = unit(rows).astype(np.float16)
    queries = unit(draw.standard_normal((4, d))).astype(np.float32)
    within(truth, queries, fit(truth[:known], head_bytes=4))


def test_a_component_that_the_sample_lacks_is_reckoned_with():
    truth = np.eye(8, dtype=np.float16)[[0, 1, 0, 1, 7]]
    fitted = fit(truth[:4], head_bytes=4)
    assert (fitted.full_step == 0).any()
    within(truth, np.eye(8, dtype=np.float32), fitted)


def test_bounds_are_close_but_for_rows_that_escape():
    draw = np.random.default_rng(4)
    usual = unit(draw.standard_normal((4000, 64)) * np.linspace(1.5, 0.3, 64))
    strange = np.eye(64)[-8:]
    truth = np.vstack([usual, strange]).astype(np.float16)
    assert len(truth) < SAMPLE_ROWS
    apart, codes = within(truth, usual[:20].astype(np.float32), fit(truth[:4000], head_bytes=8))
    assert set(codes.escaped) >= set(range(4000, 4008))
    assert np.quantile(apart[:, :4000], 0.9) < 0.1
    assert (apart[:, 4000:].min(axis=1) > np.median(apart[:, :4000], axis=1)).all()
