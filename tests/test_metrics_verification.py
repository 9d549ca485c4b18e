"""ROC, AUC, EER and thresholds, against scikit-learn, SciPy and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from saccade.errors import InputError, SettingError, UnknownNameError
from saccade.metrics import (
    METRICS,
    SIMILARITIES,
    auc,
    collect_pairs,
    equal_error_rate,
    error_rates,
    pair_scores,
    roc,
    threshold_at_false_accept_rate,
)
from tests.reference import metrics as reference

TIED = st.lists(st.integers(-4, 4).map(lambda n: n / 4), min_size=1, max_size=25)
FREE = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=25)
SCORES = TIED | FREE


def judged(genuine, impostor):
    truth = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    return truth, np.r_[genuine, impostor]


@given(SCORES, SCORES)
def test_roc_equals_scikit_learn(genuine, impostor):
    accept, true, thresholds = roc_curve(*judged(genuine, impostor), drop_intermediate=False)
    ours = roc(genuine, impostor)
    np.testing.assert_allclose(ours.false_accept_rate, accept, atol=1e-12)
    np.testing.assert_allclose(ours.true_accept_rate, true, atol=1e-12)
    np.testing.assert_array_equal(ours.thresholds, thresholds)


@given(SCORES, SCORES)
def test_auc_equals_scikit_learn_and_the_count_of_wins(genuine, impostor):
    ours = auc(genuine, impostor)
    assert ours == pytest.approx(roc_auc_score(*judged(genuine, impostor)), abs=1e-12)
    assert ours == pytest.approx(reference.auc(genuine, impostor), abs=1e-12)


@given(SCORES, SCORES)
def test_equal_error_rate_is_where_scipy_finds_the_crossing(genuine, impostor):
    # The ROC as a function of the share of its length: accept - reject is monotone along it.
    accept, true, _ = roc_curve(*judged(genuine, impostor), drop_intermediate=False)
    along = np.arange(len(accept))
    gap = lambda x: np.interp(x, along, accept) - (1 - np.interp(x, along, true))  # noqa: E731
    crossing = brentq(gap, 0, len(accept) - 1, xtol=1e-14)
    rate, threshold = equal_error_rate(genuine, impostor)
    assert rate == pytest.approx(np.interp(crossing, along, accept), abs=1e-9)
    assert min(genuine + impostor) <= threshold <= max(genuine + impostor)


def test_equal_error_rate_of_two_normals_is_the_known_one():
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(2, 1, 40_000), rng.normal(0, 1, 40_000)
    rate, threshold = equal_error_rate(genuine, impostor)
    assert rate == pytest.approx(norm.cdf(-1), abs=0.005)
    assert threshold == pytest.approx(1.0, abs=0.03)
    assert auc(genuine, impostor) == pytest.approx(norm.cdf(2 / np.sqrt(2)), abs=0.003)


def test_perfect_and_hopeless_scores():
    assert equal_error_rate([0.8, 0.9], [0.1, 0.2]) == (0.0, 0.8)
    assert error_rates([0.8, 0.9], [0.1, 0.2], 0.8) == (0.0, 0.0)
    assert equal_error_rate([0.1, 0.2], [0.8, 0.9])[0] == 1.0
    assert equal_error_rate([0.5] * 3, [0.5] * 9)[0] == pytest.approx(0.5)
    assert auc([0.5] * 3, [0.5] * 9) == 0.5


@given(SCORES, st.floats(0, 1))
def test_the_threshold_keeps_its_false_accept_rate_and_is_the_lowest(impostor, rate):
    threshold = threshold_at_false_accept_rate(impostor, rate)
    scores = np.array(impostor)
    assert np.mean(scores >= threshold) <= rate + 1e-9
    assert np.mean(scores.astype(np.float32) >= np.float32(threshold)) <= rate + 1e-9
    lower = scores[scores < threshold]
    if lower.size:  # one score lower would accept too many
        assert np.mean(scores >= lower.max()) > rate


def unit(seed, n, d=8):
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


LABELS = [list("aaabbc"), list("abcabc"), list("cabbaaaab")]


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    ("similarity", "score"),
    [("cosine", np.dot), ("negative_l2", lambda a, b: -np.linalg.norm(a - b))],
)
def test_pairs_are_all_pairs(labels, similarity, score):
    vectors = unit(1, len(labels)).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = reference.pair_scores(vectors, labels, score)
    found = pair_scores(vectors, labels, similarity=similarity)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.sort(ours), np.sort(theirs), atol=1e-12)


@pytest.mark.parametrize("limit", [1, 7, 50, 90])
def test_a_sample_of_pairs_is_seeded_distinct_and_from_the_right_kinds(limit):
    labels = [f"p{i % 7}" for i in range(60)]
    vectors = unit(2, 60)
    every = collect_pairs(vectors, labels)
    some = collect_pairs(vectors, labels, limit=limit, seed=3)
    again = collect_pairs(vectors, labels, limit=limit, seed=3)
    np.testing.assert_array_equal(some.impostor, again.impostor)
    assert len(some.impostor) == len(set(some.impostor.tolist())) == limit
    assert set(some.impostor.tolist()) <= set(every.impostor.tolist())
    assert set(some.genuine.tolist()) <= set(every.genuine.tolist())
    assert some.impostor_total == len(every.impostor)
    assert some.genuine_total == len(every.genuine)
    assert (some.impostor_identities[:, 0] != some.impostor_identities[:, 1]).all()


def test_sampling_is_uniform_over_pairs():
    labels = ["a"] * 10 + ["b"] * 20 + ["c"] * 70  # ab 200, ac 700, bc 1400 impostor pairs
    counts = np.zeros(3)
    for seed in range(60):
        drawn = collect_pairs(unit(4, 100), labels, limit=100, seed=seed).impostor_identities
        counts += np.bincount(drawn.sum(axis=1) - 1, minlength=3)
    np.testing.assert_allclose(counts / counts.sum(), np.array([2, 7, 14]) / 23, atol=0.03)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_equal_vectors_score_equal_within_the_tie_width(name):
    from saccade.metrics.similarity import compare

    vectors = np.repeat(unit(5, 1, 300), 37, axis=0)
    ready = compare(vectors, name)
    table = ready.matrix(np.arange(37), np.arange(37))
    assert np.ptp(table) <= ready.tie


@pytest.mark.parametrize(
    ("vectors", "labels", "message"),
    [
        (unit(0, 3), ["a"] * 3, "all 3 pictures show 'a'"),
        (unit(0, 3), ["a", "b", "c"], "has one picture"),
        (unit(0, 3), ["a", "b"], "3 vectors but 2 labels"),
        (unit(0, 3) * 2, ["a", "a", "b"], "length 2"),
        (unit(0, 3) * 0, ["a", "a", "b"], "length 0"),
        (unit(0, 3) * np.nan, ["a", "a", "b"], "NaN"),
        (np.ones(3), ["a", "a", "b"], "shape"),
    ],
)
def test_wrong_vectors_are_refused_with_the_reason(vectors, labels, message):
    with pytest.raises(InputError, match=message):
        collect_pairs(vectors, labels)


def test_wrong_settings_are_refused():
    with pytest.raises(SettingError, match="got 0"):
        collect_pairs(unit(0, 3), ["a", "a", "b"], limit=0)
    with pytest.raises(UnknownNameError, match="cosine"):
        collect_pairs(unit(0, 3), ["a", "a", "b"], similarity="cosin")
    with pytest.raises(SettingError, match="from 0 to 1"):
        threshold_at_false_accept_rate([0.1], 1.5)
    with pytest.raises(InputError, match="no genuine scores"):
        auc([], [0.1])
    with pytest.raises(InputError, match="NaN"):
        auc([np.nan], [0.1])


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_rises_as_its_row_says(name):
    metric = METRICS[name]
    good, bad = {
        "ranks": (([1, 1, 2],), ([9, 9, 3],)),
        "pair_scores": (([0.8, 0.9], [0.1]), ([0.1, 0.2], [0.9])),
        "confusion": (([[5, 0], [1, 4]],), ([[1, 4], [4, 1]],)),
        "values": (([1, 2, 3], [1, 2, 3.1]), ([1, 2, 3], [2, 2, 2])),
    }[metric.reads]
    difference = metric.compute(*good) - metric.compute(*bad)
    assert isinstance(metric.compute(*good), float)
    assert (difference > 0) == metric.rises
    assert metric.meaning
