"""FNIR at FPIR against a slow loop, and how often its interval holds the truth."""

import numpy as np
import pytest

from saccade.judge.open_set import judge_open_set
from saccade.judge.protocol import OneShot, one_shot


def searched(rng, identities, of_each):
    """A run whose similarities are drawn: own from one hill, the best rival from another."""
    n = identities * of_each
    person = np.repeat(np.arange(identities), of_each)
    own = rng.normal(0.6, 0.1, identities)[person] + rng.normal(0, 0.1, n)
    rival = rng.normal(0.3, 0.08, identities)[person] + rng.normal(0, 0.08, n)
    zeros = np.zeros(n, int)
    names = tuple(f"p{number}" for number in range(identities))
    rank = np.where(own > rival, 1, 2)
    return OneShot(zeros, np.arange(n), person, rank, zeros, own, zeros, rival, names, 1)


def test_the_rates_are_those_of_a_slow_loop():
    rng = np.random.default_rng(0)
    for _ in range(30):
        run = searched(rng, int(rng.integers(5, 40)), 4)
        found = judge_open_set(run, seed=0, resamples=100, level=0.95)
        assert found.points and found.enrolled == len(run.names) - 1
        for point in found.points:
            alarms = np.mean(run.rival_similarity > point.threshold)
            assert alarms <= point.fpir
            lower = [t for t in run.rival_similarity if t < point.threshold]
            assert not lower or np.mean(run.rival_similarity > max(lower)) > point.fpir
            missed = (run.rank > 1) | (run.similarity <= point.threshold)
            assert point.fnir.value == pytest.approx(np.mean(missed))
            assert point.fnir.low <= point.fnir.value <= point.fnir.high


def test_real_vectors_and_too_few_of_them():
    rng = np.random.default_rng(1)
    vectors = np.repeat(rng.normal(size=(30, 16)), 4, axis=0) + rng.normal(0, 0.6, (120, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = [f"p{number // 4}" for number in range(120)]
    found = judge_open_set(one_shot(vectors, labels), seed=0, resamples=200, level=0.95)
    shares = [point.fnir.value for point in found.points]
    assert shares == sorted(shares) and "FNIR" in found.sentence
    few = judge_open_set(one_shot(vectors[:8], labels[:8]), seed=0, resamples=100, level=0.95)
    assert all(point.fpir >= 0.2 for point in few.points)


@pytest.mark.slow
def test_the_interval_holds_the_true_rate_as_often_as_it_says():
    rng = np.random.default_rng(2)
    whole = judge_open_set(searched(rng, 50_000, 2), seed=0, resamples=1, level=0.95)
    true = {point.fpir: point.fnir.value for point in whole.points}
    held, asked = 0, 0
    for _ in range(2000):
        found = judge_open_set(searched(rng, 150, 2), seed=0, resamples=200, level=0.95)
        point = next(one for one in found.points if one.fpir == 0.1)
        held += point.fnir.low <= true[0.1] <= point.fnir.high
        asked += 1
    assert 0.93 <= held / asked <= 0.97
