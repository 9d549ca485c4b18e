"""Verification intervals: every resample equals the plain figures on the pairs that were drawn."""

from dataclasses import replace

import numpy as np
import pytest

from saccade.errors import InputError
from saccade.judge.pair_intervals import _Ordered, bootstrap_verification
from saccade.metrics import auc, collect_pairs, equal_error_rate, error_rates, roc


def people(seed, identities, pictures=4, spread=0.8, d=16):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(identities, 1, d))
    rows = (centres + spread * rng.normal(size=(identities, pictures, d))).reshape(-1, d)
    labels = [f"p{i:03d}" for i in range(identities) for _ in range(pictures)]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels


RATES = (0.01, 0.1, 0.5)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_weights_equal_repeating_the_pairs(seed, ties):
    vectors, labels = people(seed, 6, spread=1.2)
    pairs = collect_pairs(vectors, labels)
    if ties:
        pairs.genuine.round(1, out=pairs.genuine)
        pairs.impostor.round(1, out=pairs.impostor)
    weights = np.random.default_rng(seed).integers(0, 4, 6)
    weights[:2] = 1, 2
    genuine = np.repeat(pairs.genuine, weights[pairs.genuine_identity])
    impostor = np.repeat(pairs.impostor, weights[pairs.impostor_identities].prod(axis=1))
    curve = roc(genuine, impostor)
    expected = [
        auc(genuine, impostor),
        equal_error_rate(genuine, impostor)[0],
        *error_rates(genuine, impostor, 0.3),
        *(curve.true_accept_rate[curve.false_accept_rate <= rate].max() for rate in RATES),
    ]
    found = _Ordered.of(pairs, RATES, 0.3).figures(weights.astype(np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_estimates_are_the_plain_figures_and_lie_inside():
    vectors, labels = people(7, 20, spread=1.2)
    pairs = collect_pairs(vectors, labels)
    found = bootstrap_verification(pairs, at=RATES, threshold=0.4, resamples=200)
    accept, reject = error_rates(pairs.genuine, pairs.impostor, 0.4)
    assert found.auc.value == pytest.approx(auc(pairs.genuine, pairs.impostor))
    rate, _ = equal_error_rate(pairs.genuine, pairs.impostor)
    assert found.equal_error_rate.value == pytest.approx(rate)
    assert found.false_accept_rate.value == pytest.approx(accept)
    assert found.false_reject_rate.value == pytest.approx(reject)
    for one in (
        found.auc,
        found.equal_error_rate,
        found.false_accept_rate,
        *found.true_accept_rate,
    ):
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.low < one.high
        assert one.n == 20


def test_it_covers_the_auc_of_the_whole_population():
    vectors, labels = people(0, 400, pictures=3, spread=1.5)
    truth = collect_pairs(vectors, labels)
    value = auc(truth.genuine, truth.impostor)
    covered, widths = [], []
    for run in range(120):
        vectors, labels = people(0, 400, pictures=3, spread=1.5)
        chosen = np.random.default_rng(run).choice(400, 30, replace=False)
        rows = (chosen[:, None] * 3 + np.arange(3)).ravel()
        pairs = collect_pairs(vectors[rows], [labels[row] for row in rows])
        found = bootstrap_verification(pairs, seed=run, resamples=200)
        covered.append(found.auc.low <= value <= found.auc.high)
        widths.append(found.auc.high - found.auc.low)
    assert 0.88 <= np.mean(covered) <= 0.995
    assert np.mean(widths) < 0.2


@pytest.mark.slow
def test_area_and_equal_error_rate_hold_the_truth_as_often_as_they_say():
    """Of 100 people, some harder than others, drawn anew each time."""

    def drawn(rng, people):
        own = np.exp(0.3 * rng.normal(size=(people, 1, 1)))
        rows = rng.normal(size=(people, 1, 16)) + own * rng.normal(size=(people, 2, 16))
        return rows / np.linalg.norm(rows, axis=2, keepdims=True)

    first, second = drawn(np.random.default_rng(99), 40_000).swapaxes(0, 1)
    genuine = (first * second).sum(axis=1)
    turned = (np.roll(second, by, axis=0) for by in range(1, 30))
    impostor = np.concatenate([(first * one).sum(axis=1) for one in turned])
    wanted = auc(genuine, impostor), equal_error_rate(genuine, impostor)[0]
    labels = [f"p{number:03d}" for number in np.repeat(np.arange(100), 2)]
    held = np.zeros(2)
    for run in range(2000):
        vectors = drawn(np.random.default_rng([1, run]), 100).reshape(-1, 16)
        found = bootstrap_verification(collect_pairs(vectors, labels), resamples=100)
        pairs = zip((found.auc, found.equal_error_rate), wanted, strict=True)
        held += [one.low <= true <= one.high for one, true in pairs]
    assert held.min() / 2000 >= 0.93 and held.max() / 2000 <= 0.97


def test_perfect_scores_get_the_exact_bound_for_their_identities():
    rows = np.repeat(np.eye(6), 2, axis=0)
    labels = [name for name in "abcdef" for _ in range(2)]
    pairs = collect_pairs(rows, labels)
    found = bootstrap_verification(pairs, threshold=0.5, resamples=100)
    bound = 0.025 ** (1 / 6)
    assert (found.auc.value, found.auc.high, found.auc.n) == (1.0, 1.0, 6)
    assert found.auc.low == pytest.approx(bound)
    for error in (found.equal_error_rate, found.false_accept_rate, found.false_reject_rate):
        assert (error.value, error.low, error.n) == (0.0, 0.0, 6)
        assert error.high == pytest.approx(1 - bound)


def test_identities_with_one_picture_do_not_count_for_genuine_figures():
    rows = np.concatenate([np.repeat(np.eye(12)[:2], 2, axis=0), np.eye(12)[2:]])
    labels = ["a", "a", "b", "b", *(f"single{i}" for i in range(10))]
    pairs = collect_pairs(rows, labels)
    found = bootstrap_verification(pairs, threshold=0.5, resamples=100)
    assert (found.auc.n, found.false_reject_rate.n, found.false_accept_rate.n) == (2, 2, 12)


def test_two_identities_are_enough_and_no_threshold_gives_no_rates():
    pairs = collect_pairs(*people(3, 2))
    found = bootstrap_verification(pairs, resamples=100)
    assert found.false_accept_rate is None and found.false_reject_rate is None


def test_no_pair_of_one_kind_is_refused():
    pairs = collect_pairs(*people(3, 2))
    with pytest.raises(InputError, match="genuine and an impostor"):
        bootstrap_verification(
            replace(
                pairs,
                impostor=pairs.impostor[:0],
                impostor_identities=pairs.impostor_identities[:0],
            )
        )
