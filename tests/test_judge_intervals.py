"""Bootstrap intervals: what they hold, how they shrink, how often they cover the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from saccade.errors import InputError, SettingError
from saccade.judge.intervals import bootstrap_over_identities, paired_bootstrap

HITS = st.lists(
    st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=5).map(np.array),
    min_size=2,
    max_size=12,
)


@settings(deadline=None, max_examples=50)
@given(HITS)
def test_the_interval_holds_the_mean_over_all_searches(scores):
    found = bootstrap_over_identities(scores, resamples=200)
    assert found.value == pytest.approx(np.concatenate(scores).mean())
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert found.n == len(scores)


def simulated(rng, identities, searches=3):
    """Normal scores whose identities differ as much as their searches do; the true mean is 0."""
    own = rng.normal(size=(identities, 1))
    return list(own + rng.normal(size=(identities, searches)))


def test_it_shrinks_with_the_square_root_of_the_identities():
    rng = np.random.default_rng(1)
    widths = [
        (lambda found: found.high - found.low)(bootstrap_over_identities(simulated(rng, n)))
        for n in (50, 200, 800)
    ]
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.35)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.35)


def test_it_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(2)
    found = [
        bootstrap_over_identities(simulated(rng, 60), seed=run, resamples=400) for run in range(400)
    ]
    covered = np.mean([one.low <= 0.0 <= one.high for one in found])
    assert 0.91 <= covered <= 0.98
    # Drawing searches as if they were independent would be wrong: the width is that of identities.
    width = np.mean([one.high - one.low for one in found])
    assert width == pytest.approx(2 * 1.96 * np.sqrt((1 + 1 / 3) / 60), rel=0.05)


def test_a_paired_interval_covers_and_is_narrower_than_unpaired():
    rng = np.random.default_rng(3)
    truth = 0.095  # the mean of min(x + 0.1, 1) - x over x in [0, 1]
    covered = []
    for run in range(300):
        base = rng.random((50, 1))
        chance = np.clip(base + 0.1, 0, 1), np.clip(base, 0, 1)
        draws = rng.random((50, 4))  # the same luck for both: paired
        a, b = (list((draws < p).astype(float)) for p in chance)
        found = paired_bootstrap(a, b, seed=run, resamples=300)
        covered.append(found.low <= truth <= found.high)
        assert found.low <= found.value <= found.high
    assert 0.90 <= np.mean(covered) <= 0.99
    alone = bootstrap_over_identities(a)
    assert found.high - found.low < alone.high - alone.low


@given(HITS)
@settings(deadline=None, max_examples=30)
def test_paired_is_antisymmetric_and_zero_against_itself(scores):
    other = [1.0 - one for one in scores]
    there = paired_bootstrap(scores, other, resamples=100)
    back = paired_bootstrap(other, scores, resamples=100)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high)
    same = paired_bootstrap(scores, scores, resamples=100)
    assert same.low < same.value == 0.0 < same.high


@pytest.mark.parametrize("n", [2, 10, 40])
def test_without_a_mistake_the_exact_bound_is_given_instead_of_certainty(n):
    right = bootstrap_over_identities([np.ones(3)] * n)
    exact = binomtest(n, n).proportion_ci(0.95, method="exact")
    assert (right.value, right.high) == (1.0, 1.0)
    assert right.low == pytest.approx(exact.low)
    wrong = bootstrap_over_identities([np.zeros(3)] * n)
    assert (wrong.value, wrong.low) == (0.0, 0.0)
    assert wrong.high == pytest.approx(1 - exact.low)


def test_the_seed_decides_and_the_level_widens():
    scores = simulated(np.random.default_rng(4), 30)
    assert bootstrap_over_identities(scores, seed=5) == bootstrap_over_identities(scores, seed=5)
    assert bootstrap_over_identities(scores, seed=5) != bootstrap_over_identities(scores, seed=6)
    wide = bootstrap_over_identities(scores, level=0.99)
    narrow = bootstrap_over_identities(scores, level=0.8)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="no search"):
        bootstrap_over_identities([np.array([])])
    with pytest.raises(InputError, match="NaN"):
        bootstrap_over_identities([np.array([np.nan])])
    with pytest.raises(InputError, match="different searches"):
        paired_bootstrap([np.ones(2)], [np.ones(3)])
    with pytest.raises(SettingError, match="got 5"):
        bootstrap_over_identities([np.ones(2)], resamples=5)
    with pytest.raises(SettingError, match="got 95"):
        bootstrap_over_identities([np.ones(2)], level=95)


@pytest.mark.slow
@pytest.mark.parametrize(("identities", "searches", "share"), [(100, 5, 0.8), (200, 9, 0.97)])
def test_the_interval_holds_the_true_share_as_often_as_it_says(identities, searches, share):
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        own = rng.beta(3 * share, 3 * (1 - share), identities)  # some people are harder than others
        hits = [(rng.random(searches) < one).astype(float) for one in own]
        found = bootstrap_over_identities(hits, resamples=300)
        held += found.low <= share <= found.high
    assert 0.93 <= held / 2000 <= 0.97
