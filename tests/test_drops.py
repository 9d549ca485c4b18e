"""How much worse: paired, unpaired, against SciPy, and what their intervals promise."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

from saccade.judge import drops
from saccade.judge.drops import drop_text, paired_drop, score_interval, unpaired_drop
from saccade.judge.intervals import paired_bootstrap
from saccade.values import Interval

ERROR = "mean absolute error"


def near(found, expected, abs_):
    assert found.low == pytest.approx(expected.low, abs=abs_)
    assert found.high == pytest.approx(expected.high, abs=abs_)


def apart_drop(before, after, figure):
    """The fall from one set of scores to another, of other pictures."""
    sets = (drops.score_interval(scores, figure=figure) for scores in (before, after))
    return unpaired_drop(*sets, figure=figure)


def test_of_errors_the_intervals_are_those_of_students_t():
    draw = np.random.default_rng(0)
    before = draw.exponential(1.0, 800)
    after = before + draw.normal(0.1, 0.5, 800)
    found = paired_drop(before, after, figure=ERROR)
    assert found.value == pytest.approx((after - before).mean(), abs=1e-12)
    near(found, ttest_rel(after, before).confidence_interval(), 0.006)
    other = draw.exponential(1.2, 600)
    apart = apart_drop(before, other, ERROR)
    assert apart.value == pytest.approx(other.mean() - before.mean(), abs=1e-12)
    near(apart, ttest_ind(other, before, equal_var=False).confidence_interval(), 0.01)
    assert (found.n, apart.n) == (800, 600)


def test_of_many_changes_the_added_two_hardly_count():
    draw = np.random.default_rng(1)
    before, after = (draw.random((2, 3000)) < [[0.9], [0.7]]).astype(float)
    found = paired_drop(before, after, figure="accuracy")
    expected = paired_bootstrap(list(before[:, None]), list(after[:, None]))
    assert found.value == pytest.approx(expected.value, abs=1e-12)
    near(found, expected, 0.003)


def test_searches_of_one_identity_stay_together():
    draw = np.random.default_rng(2)
    before = np.repeat((draw.random(40) < 0.9).astype(float), 5)
    after = np.repeat((draw.random(40) < 0.7).astype(float), 5)
    names = [f"p{place // 5}" for place in range(200)]
    whole = paired_drop(before, after, figure="rank-1", groups=names)
    parts = [list(values.reshape(40, 5)) for values in (before, after)]
    assert whole.value == paired_bootstrap(*parts).value and whole.n == 40
    near(whole, paired_bootstrap(*parts), 0.02)
    alone = paired_drop(before, after, figure="rank-1")
    width = [found.high - found.low for found in (alone, whole)]
    assert width[1] == pytest.approx(np.sqrt(5) * width[0], rel=0.15)


def test_worse_is_above_zero_for_shares_and_errors_alike():
    up, down = np.array([0.0, 1.0] * 60), np.zeros(120)
    assert paired_drop(up, down, figure="accuracy").low > 0
    assert paired_drop(down, up, figure="accuracy").high < 0
    assert paired_drop(down, 3 * up, figure=ERROR).low > 0
    assert apart_drop(up, down, "accuracy").low > 0
    assert apart_drop(down, up, "accuracy").high < 0
    assert apart_drop(down, up, ERROR).low > 0


def test_of_shares_apart_the_interval_is_newcombes():
    """R. G. Newcombe, 1998, table II: 56 of 70 and 48 of 80, method 10: 0.0524 to 0.3339."""
    before, after = (np.repeat([1.0, 0.0], [k, n - k]) for k, n in ((56, 70), (48, 80)))
    found = apart_drop(before, after, "accuracy")
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_nothing_that_changes_is_no_certainty():
    same = np.ones(50)
    for figure in ("accuracy", "rank-1"):
        found = paired_drop(same, same, figure=figure)
        assert found.value == 0 and found.low < -0.02 and found.high > 0.02
    assert apart_drop(same, same, "accuracy").high > 0.05
    assert score_interval(same, figure="accuracy").low < 0.95
    assert paired_drop(same, same, figure=ERROR) == Interval(0.0, 0.0, 0.0, 50)


def test_the_words():
    assert drop_text(Interval(0.121, 0.09, 0.152, 9), "accuracy") == (
        "falls by 12.1 points (9 to 15.2)"
    )
    assert drop_text(Interval(0.5, 0.25, 0.75, 9), ERROR) == "rises by 0.5 (0.25 to 0.75)"
    assert drop_text(Interval(0.1, 0.0, 0.2, 9), "rank-1") == (
        "is not shown to fall (0 to 20 points)"
    )
    assert (
        drop_text(Interval(-0.1, -0.2, -0.05, 9), ERROR) == "is not shown to rise (-0.2 to -0.05)"
    )


TIMES = 2000


@pytest.fixture
def fewer_draws(monkeypatch):
    """A quarter of the resamples, so that thousands of intervals can be made."""
    for name in ("bootstrap_over_identities", "paired_bootstrap"):
        monkeypatch.setattr(drops, name, partial(getattr(drops, name), resamples=500))


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize(("worse", "better"), [(0.06, 0.02), (0.15, 0.05), (0.4, 0.03), (0.1, 0.0)])
def test_a_paired_interval_holds_the_truth_19_times_of_20(n, worse, better):
    draw, held = np.random.default_rng(3), 0
    for _ in range(TIMES):
        kind = draw.choice(3, n, p=[worse, better, 1 - worse - better])
        stays = (draw.random(n) < 0.5).astype(float)
        before = np.where(kind == 0, 1.0, np.where(kind == 1, 0.0, stays))
        after = np.where(kind == 0, 0.0, np.where(kind == 1, 1.0, stays))
        found = paired_drop(before, after, figure="accuracy")
        held += found.low <= worse - better <= found.high
    assert 0.93 <= held / TIMES <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("figure", ["accuracy", ERROR])
@pytest.mark.parametrize(("n", "m"), [(100, 100), (100, 250)])
def test_an_unpaired_interval_holds_the_truth_19_times_of_20(figure, n, m, fewer_draws):
    draw, held = np.random.default_rng(4), 0
    for _ in range(TIMES):
        if figure == ERROR:
            before, after, truth = draw.gamma(2, 0.5, n), draw.gamma(2, 0.6, m), 0.2
        else:
            before, after, truth = draw.random(n) < 0.9, draw.random(m) < 0.75, 0.15
        found = apart_drop(before.astype(float), after.astype(float), figure)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / TIMES <= 0.97


@pytest.mark.slow
def test_a_paired_interval_of_errors_holds_the_truth_19_times_of_20(fewer_draws):
    draw, held = np.random.default_rng(5), 0
    for _ in range(TIMES):
        before = draw.exponential(1.0, 120)
        after = before * draw.uniform(0.9, 1.5, 120)
        found = paired_drop(before, after, figure=ERROR)
        held += found.low <= 0.2 <= found.high
    assert 0.93 <= held / TIMES <= 0.97
