"""The interval and the test of cross-validation, and what is called best."""

import math
import statistics

import numpy as np
import pytest
from scipy import stats

from saccade.errors import InputError
from saccade.judge.folds import fold_interval, paired_folds, paired_p
from saccade.judge.tuning import BEST, EVEN, FAILED, WORSE, Tuned, compare_trials
from saccade.judge.tuning_report import figure_rows, tuning_report, verdict

DRAW = np.random.default_rng(7)
SCORES = [DRAW.normal(0.8, 0.03, folds).tolist() for folds in (2, 3, 5, 10)]


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("scores", SCORES, ids=len)
def test_the_interval_is_the_corrected_t(scores, level):
    """By the paper's formula, in the standard library, with SciPy's distribution."""
    k = len(scores)
    test, training = 1 / k, 1 - 1 / k
    half = stats.t(k - 1).ppf((1 + level) / 2) * math.sqrt(
        (1 / k + test / training) * statistics.variance(scores)
    )
    found = fold_interval(scores, level)
    assert found.n == k and found.level == level
    assert found.value == pytest.approx(statistics.mean(scores), rel=1e-12)
    assert found.low == pytest.approx(found.value - half, rel=1e-9)
    assert found.high == pytest.approx(found.value + half, rel=1e-9)


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_the_paired_test_is_scipys_but_for_the_correction(k):
    a, b = DRAW.normal(0.8, 0.05, k).tolist(), DRAW.normal(0.75, 0.05, k).tolist()
    t = stats.ttest_rel(a, b).statistic * math.sqrt((1 / k) / (1 / k + 1 / (k - 1)))
    p = paired_p(a, b)
    assert p == pytest.approx(2 * stats.t(k - 1).sf(abs(t)), rel=1e-9)
    assert p > stats.ttest_rel(a, b).pvalue
    difference = paired_folds(a, b)
    assert (p < 0.05) == (difference.low > 0 or difference.high < 0)
    assert paired_p(b, a) == pytest.approx(p)


@pytest.mark.parametrize("k", [3, 5])
def test_it_holds_what_it_promises_for_scores_as_alike_as_the_pictures_shared(k):
    """Equally correlated normal scores with ρ = test / all: the case that the correction is for."""
    draw = np.random.default_rng(k)
    runs, rho = 4000, 1 / k
    common, own = draw.normal(size=(runs, 1)), draw.normal(size=(runs, k))
    rows = math.sqrt(rho) * common + math.sqrt(1 - rho) * own
    found = [fold_interval(row) for row in rows.tolist()]
    share = np.mean([one.low <= 0 <= one.high for one in found])
    plain = [stats.ttest_1samp(row, 0).pvalue >= 0.05 for row in rows[:1000]]
    assert abs(share - 0.95) < 4 * math.sqrt(0.95 * 0.05 / runs)
    assert np.mean(plain) < 0.9


def test_equal_scores():
    assert paired_p([0.5, 0.7], [0.5, 0.7]) == 1.0
    assert paired_p([0.75, 1.0], [0.5, 0.75]) == 0.0
    assert fold_interval([0.5, 0.5]).low == 0.5


@pytest.mark.parametrize("scores", [[], [0.5], [0.5, math.nan], [0.5, math.inf]])
def test_too_few_or_broken_scores_are_refused(scores):
    with pytest.raises(InputError, match="two folds or more"):
        fold_interval(scores)


def test_other_folds_are_refused():
    with pytest.raises(InputError, match="3 and 2 folds"):
        paired_folds([1, 2, 3], [1, 2])


def planted():
    values = [{"optim.lr": lr, "model.activation": "relu"} for lr in (0.1, 0.2, 0.3, 0.4)]
    scores = [
        [0.70, 0.71, 0.69, 0.70, 0.70],
        [0.90, 0.92, 0.88, 0.91, 0.89],
        [0.89, 0.93, 0.88, 0.90, 0.89],
        [0.5],
    ]
    return values, compare_trials(values, scores, {3: "fold 2: the loss is nan"})


def test_the_best_and_those_not_shown_to_be_worse():
    values, trials = planted()
    assert [trial.verdict for trial in trials] == [WORSE, BEST, EVEN, FAILED]
    assert [trial.values for trial in trials] == values
    behind = trials[0].behind
    assert behind is not None and behind.value == pytest.approx(0.2) and behind.low > 0
    assert trials[1].behind is None and trials[1].p is None
    assert trials[2].p == pytest.approx(paired_p(trials[1].scores, trials[2].scores))
    assert trials[3].mean is None and trials[3].failed.endswith("nan")


def test_of_equals_the_first_is_best():
    trials = compare_trials([{"a": 1}, {"a": 2}], [[0.5, 0.7], [0.7, 0.5]], {})
    assert [trial.verdict for trial in trials] == [BEST, EVEN]


def test_none_is_best_when_all_failed(tmp_path):
    trials = compare_trials([{"a": 1}], [[]], {0: "why"})
    tuned = Tuned(tmp_path, "accuracy", ("a",), 5, trials)
    assert tuned.best is None and "failed" in verdict(tuned)
    assert "why" in tuning_report(tuned, data="d")


def test_the_report_shows_every_choice(tmp_path):
    _, trials = planted()
    tuned = Tuned(tmp_path, "accuracy", ("optim.lr", "model.activation"), 5, trials)
    page = tuning_report(tuned, data="<people>")
    assert "<people>" not in page and "&lt;people&gt;" in page
    assert page.count('<svg class="chart"') == 1  # Only one setting has two values.
    assert "accuracy against optim.lr" in page
    for text in ("0.900", "not shown to be worse", "the loss is nan", "Nadeau and Bengio"):
        assert text in page
    assert verdict(tuned).startswith("Best: optim.lr 0.2, model.activation relu, accuracy 0.900 [")
    assert verdict(tuned).endswith("Not shown to be worse: optim.lr 0.3, model.activation relu.")
    assert len(figure_rows(tuned)) == 5


def test_the_charts_of_names_and_numbers(tmp_path):
    values = [
        {"model.activation": name, "optim.lr": lr, "model.mirror": mirror}
        for name in ("", "$relu$")
        for lr in (0.001, 0.01)
        for mirror in (False, True)
    ]
    scores = [DRAW.normal(0.8, 0.01, 3).tolist() for _ in values]
    tuned = Tuned(tmp_path, "accuracy", tuple(values[0]), 3, compare_trials(values, scores, {}))
    page = tuning_report(tuned, data="people")
    assert page.count('<svg class="chart"') == 3
    assert "accuracy for each model.activation" in page and "$relu$" in page
    assert "accuracy for each model.mirror" in page and ">true<" in page
