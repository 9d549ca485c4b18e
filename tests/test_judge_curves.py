"""Learning curves, gaps, bias and variance: against definitions, simulations, other libraries."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.stats import binom, binomtest, multinomial, ttest_1samp

from saccade.errors import InputError
from saccade.judge.bias_variance import judge_parts, squared_parts, zero_one_parts
from saccade.judge.curve_wording import remedy
from saccade.judge.learning_curve import OVER, UNDER, UNSURE, WELL, judge_curve
from saccade.judge.power_law import fit_power_law
from saccade.judge.repeats import alike, crossed, gap, number_interval, share_interval, summary
from saccade.values import Interval

# The interval of a score


def hits(right, n):
    return (np.arange(n) < right).astype(float)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (3, 10), (56, 70), (98, 98), (999, 1000)])
def test_the_share_of_one_training_has_the_interval_of_wilson(right, n):
    ours = share_interval(crossed(hits(right, n)[None]))
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (ours.value, ours.n) == (right / n, n)


NEWCOMBE = {  # Statistics in Medicine 17, 1998, table II, method 10
    (56, 70, 48, 80): (0.2, 0.0524, 0.3339),
    (9, 10, 3, 10): (0.6, 0.1705, 0.8090),
    (5, 56, 0, 29): (0.0893, -0.0381, 0.1926),
    (10, 10, 0, 20): (1.0, 0.6791, 1.0),
}


@pytest.mark.parametrize("counts", NEWCOMBE)
def test_the_gap_of_two_shares_is_that_of_newcombe(counts):
    a, m, b, n = counts
    one = share_interval(alike([summary(hits(a, m))]))
    found = gap(one, share_interval(crossed(hits(b, n)[None])))
    assert (found.value, found.low, found.high) == pytest.approx(NEWCOMBE[counts], abs=5e-5)


@pytest.mark.parametrize(("p", "q", "m", "n"), [(0.98, 0.85, 400, 100), (0.7, 0.65, 150, 120)])
def test_the_gap_holds_the_truth_95_times_in_100(p, q, m, n):
    draw = np.random.default_rng(0)
    inside = 0
    for a, b in zip(draw.binomial(m, p, 2000), draw.binomial(n, q, 2000), strict=True):
        found = gap(
            share_interval(alike([summary(hits(a, m))])),
            share_interval(crossed(hits(b, n)[None])),
        )
        inside += found.low <= p - q <= found.high
    assert 0.93 <= inside / 2000 <= 0.97


def by_definition(rows):
    """Mean squares of a table of trainings and pictures, cell by cell."""
    runs, n = rows.shape
    mean = sum(rows[r, u] for r in range(runs) for u in range(n)) / (runs * n)
    run = [sum(rows[r]) / n for r in range(runs)]
    unit = [sum(rows[:, u]) / runs for u in range(n)]
    ms_runs = n * sum((one - mean) ** 2 for one in run) / (runs - 1)
    ms_units = runs * sum((one - mean) ** 2 for one in unit) / (n - 1)
    rest = sum(
        (rows[r, u] - run[r] - unit[u] + mean) ** 2 for r in range(runs) for u in range(n)
    ) / ((runs - 1) * (n - 1))
    ms_runs = max(ms_runs, rest)
    total = ms_runs + max(ms_units - rest, 0)
    return mean, total / (runs * n), total**2 * (runs - 1) / ms_runs**2


@given(st.integers(2, 5), st.integers(2, 9), st.integers(0, 99))
@settings(max_examples=30)
def test_crossed_trainings_are_the_analysis_of_variance(runs, n, seed):
    rows = np.random.default_rng(seed).normal(size=(runs, n))
    found = crossed(rows)
    assert (found.value, found.variance, found.freedom) == pytest.approx(by_definition(rows))


def test_trainings_that_alone_differ_have_the_interval_of_t():
    scores = np.array([0.2, 0.5, 0.4, 0.9])
    found = number_interval(crossed(np.repeat(scores[:, None], 50, axis=1)))
    theirs = ttest_1samp(scores, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.slow
@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("spread", [(1.0, 0.0, 1.0), (1.0, 0.3, 0.3), (0.0, 0.0, 1.0)])
def test_the_mean_of_crossed_trainings_is_inside_at_least_92_times_in_100(runs, spread):
    draw = np.random.default_rng(1)
    of_unit, of_run, rest = spread
    inside = 0
    for _ in range(2000):
        rows = (
            of_unit * draw.normal(size=100)
            + of_run * draw.normal(size=(runs, 1))
            + rest * draw.normal(size=(runs, 100))
        )
        found = number_interval(crossed(rows))
        inside += found.low <= 0 <= found.high
    assert inside / 2000 >= 0.92


def test_trainings_that_agree_by_chance_are_no_more_certain_than_their_answers():
    rows = np.array([hits(8, 16), 1 - hits(8, 16), np.roll(hits(8, 16), 4)])
    assert np.ptp(rows.mean(axis=1)) == 0
    found = share_interval(crossed(rows))
    theirs = binomtest(24, 48).proportion_ci(method="wilson")
    assert found.low < theirs.low and found.high > theirs.high


def test_what_makes_no_score_is_refused():
    for rows in (np.zeros((1, 1)), np.zeros((0, 5)), np.zeros(5), np.full((2, 5), np.nan)):
        with pytest.raises(InputError, match="two finite units"):
            crossed(rows)


# The power law

SIZES = np.array([20, 50, 100, 300, 1000])


@pytest.mark.parametrize("law", [(0.1, 2.0, 0.5), (0.0, 0.9, 0.1), (0.02, 50.0, 1.6)])
def test_a_law_without_noise_is_found(law):
    a, b, c = law
    found = fit_power_law(SIZES, a + b * SIZES**-c, np.ones(5))
    assert (found.a, found.b, found.c) == pytest.approx(law, rel=0.01, abs=2e-3)
    assert found.error(2000) == pytest.approx(a + b * 2000**-c, abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_no_law_that_scipy_finds_fits_better(seed):
    draw = np.random.default_rng(seed)
    errors = 0.05 + 0.8 * SIZES**-0.4 + draw.normal(0, 0.02, 5)
    variances = draw.uniform(0.5, 2, 5)

    def lost(law):
        return (law[0] + law[1] * (SIZES / 20) ** -law[2] - errors) / np.sqrt(variances)

    bounds = ([0, 0, 0.02], [np.inf, np.inf, 4])
    theirs = min(
        2 * least_squares(lost, (0.01, 0.2, c), bounds=bounds, xtol=1e-12).cost
        for c in (0.1, 0.4, 1.0, 3.0)
    )
    found = fit_power_law(SIZES, errors, variances)
    ours = ((found.error(SIZES) - errors) ** 2 / variances).sum()
    assert ours <= theirs * (1 + 1e-5) + 1e-12


def test_scores_that_never_rise_have_a_level_law():
    found = fit_power_law([1, 2, 4], [[0.2, 0.2, 0.2], [0.1, 0.2, 0.3]], np.ones(3))
    assert found.error(8) == pytest.approx([0.2, 0.2])
    with pytest.raises(InputError, match="3 rising sizes"):
        fit_power_law([1, 2], [0.2, 0.1], np.ones(2))
    with pytest.raises(InputError, match="3 rising sizes"):
        fit_power_law([1, 2, 2], [0.2, 0.1, 0.1], np.ones(3))


# The curve

NAMES = ("accuracy", "pictures", "pictures")


def curve(held, train, counts, tmp_path, names=NAMES, validation=()):
    """Shares of 1,000 pictures for each size, three trainings alike."""
    rows = np.stack([np.stack([hits(1000 * p, 1000)] * 3) for p in held])
    own = [[[p, p * (1 - p), 1000]] * 3 for p in train]
    sizes = [count / counts[-1] for count in counts]
    return judge_curve(
        rows, own, validation, sizes=sizes, counts=counts, names=names, folder=tmp_path
    )


@pytest.mark.parametrize(
    ("held", "train", "fit", "rises", "helps"),
    [
        ((0.6, 0.7, 0.78, 0.84), (1, 1, 1, 1), OVER, True, "more pictures; stronger reg"),
        ((0.8, 0.84, 0.84, 0.84), (1, 1, 1, 1), OVER, False, "help: stronger regularisation"),
        ((0.7, 0.71, 0.71, 0.71), (0.73, 0.73, 0.72, 0.72), UNDER, False, "more capacity"),
        ((0.9, 0.95, 0.97, 0.98), (1, 1, 0.99, 0.99), WELL, True, "help: more pictures."),
        ((0.98, 0.98, 0.98, 0.98), (1, 1, 0.99, 0.99), WELL, False, "not shown to help"),
    ],
)
def test_the_verdict(held, train, fit, rises, helps, tmp_path):
    found = curve(held, train, [100, 200, 400, 800], tmp_path)
    assert (found.fit, found.rises) == (fit, rises)
    assert helps in remedy(found) and found.sentences[-1] == remedy(found)
    last = found.points[-1]
    assert found.gap.value == pytest.approx(last.train.value - last.held.value)
    assert found.rise.value == pytest.approx(held[-1] - held[-2])
    assert found.to_dict()["points"][0]["held"]["value"] == pytest.approx(held[0])


def test_few_pictures_tell_nothing(tmp_path):
    held = np.stack([np.stack([hits(5, 8)]), np.stack([hits(6, 8)])])
    found = judge_curve(
        held, [[[1.0, 0.0, 9]], [[1.0, 0.0, 18]]], [], sizes=[0.5, 1], counts=[9, 18],
        names=NAMES, folder=tmp_path,
    )  # fmt: skip
    assert (found.fit, found.rises, found.law_tells, found.twice) == (UNSURE, False, False, None)
    assert "cannot be told" in found.sentences[0] and "needs 3 sizes" in found.sentences[2]


def test_a_law_that_passes_through_every_size_tells_nothing(tmp_path):
    found = curve((0.6, 0.7, 0.8), (1, 1, 1), [100, 200, 400], tmp_path)
    assert found.twice is not None and not found.law_tells
    assert "passes through every size" in found.sentences[2]


def test_what_chose_the_epoch_flatters(tmp_path):
    chose = [[0.9, 0.09, 200]] * 3
    found = curve((0.6, 0.7), (1, 1), [100, 200], tmp_path, validation=chose)
    assert found.validation.value == pytest.approx(0.9)
    assert found.flattered.value == pytest.approx(0.2) and "20.0 points" in found.sentences[3]


@pytest.mark.slow
def test_what_is_expected_at_twice_the_pictures_is_inside_at_least_93_times_in_100(tmp_path):
    draw = np.random.default_rng(2)
    counts = [100, 200, 400, 800, 1600]
    truth = [1 - 0.05 - 2.0 * count**-0.5 for count in (*counts, 3200)]
    inside = 0
    for seed in range(200):
        hard = draw.random(500)
        shift = draw.normal(0, 0.01, (5, 3, 1))
        held = (hard[None, None] < np.array(truth[:5])[:, None, None] + shift).astype(float)
        train = [[[1.0, 0.0, 100]] * 3] * 5
        found = judge_curve(
            held, train, [], sizes=[1 / 16, 1 / 8, 1 / 4, 1 / 2, 1], counts=counts, names=NAMES,
            folder=tmp_path, seed=seed,
        )  # fmt: skip
        inside += found.twice.low <= truth[5] <= found.twice.high
    assert inside / 200 >= 0.93


# Bias and variance

MODELS = 4000


def test_least_squares_have_the_bias_and_variance_of_the_closed_form():
    """A line is fitted to a parabola: x at n points, noise of 0.5."""
    draw = np.random.default_rng(3)
    x, asked, sigma = np.linspace(-1, 1, 15), np.array([-1.0, -0.3, 0.0, 0.8]), 0.5
    design, rows = (np.stack([np.ones_like(at), at], axis=1) for at in (x, asked))
    solve = rows @ np.linalg.pinv(design)
    found = squared_parts((x**2 + draw.normal(0, sigma, (MODELS, 15))) @ solve.T, asked**2)
    bias, variance = (solve @ x**2 - asked**2) ** 2, sigma**2 * (solve**2).sum(axis=1)
    assert found.bias == pytest.approx(bias, abs=4 * sigma / math.sqrt(MODELS))
    assert found.variance == pytest.approx(variance, rel=0.1)


def test_nearest_neighbours_have_the_bias_and_variance_of_the_closed_form():
    """The mean of k neighbours: variance sigma² / k, bias their mean's distance from the truth."""
    draw = np.random.default_rng(4)
    x, asked, k, sigma = np.linspace(0, 1, 30), np.array([0.0, 0.4, 1.0]), 5, 0.3
    near = np.argsort(np.abs(asked[:, None] - x), axis=1, kind="stable")[:, :k]
    targets = np.sin(4 * x) + draw.normal(0, sigma, (MODELS, 30))
    found = squared_parts(targets[:, near].mean(axis=2), np.sin(4 * asked))
    bias = (np.sin(4 * x)[near].mean(axis=1) - np.sin(4 * asked)) ** 2
    assert found.bias == pytest.approx(bias, abs=0.01)
    assert found.variance == pytest.approx(np.full(3, sigma**2 / k), rel=0.1)


def test_few_models_have_the_squared_bias_of_many():
    """Averaged over many sets of three models, no bias is left in the bias."""
    draw = np.random.default_rng(5)
    found = squared_parts(draw.normal(0.5, 1, (3, 200_000)), np.zeros(200_000))
    assert found.bias.mean() == pytest.approx(0.25, abs=0.01)
    assert found.variance.mean() == pytest.approx(1, abs=0.01)


def test_answers_of_known_chance_have_the_bias_and_variance_of_domingos():
    draw = np.random.default_rng(6)
    chances = np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7], [1.0, 0.0, 0.0]])
    said = np.stack([draw.choice(3, MODELS, p=row) for row in chances], axis=1)
    found = zero_one_parts(said, np.zeros(4, int))
    assert found.bias.tolist() == [0, 1, 1, 0]
    assert found.error == pytest.approx(1 - chances[:, 0], abs=0.03)
    assert found.disagreement == pytest.approx(1 - chances.max(axis=1), abs=0.03)
    assert found.unbiased == pytest.approx([0.4, 0, 0, 0], abs=0.03)
    assert found.biased == pytest.approx([0, 0.3, 0.1, 0], abs=0.03)


def test_a_vote_of_two_kinds_is_the_binomial():
    """Majority of 3 neighbours, each right with 0.7: the error of one model is the binomial's."""
    draw = np.random.default_rng(7)
    votes = (draw.random((MODELS, 50, 3)) < 0.7).sum(axis=2)
    found = zero_one_parts((votes < 2).astype(int), np.zeros(50, int))
    wrong = binom.cdf(1, 3, 0.7)
    assert found.error.mean() == pytest.approx(wrong, abs=0.005)
    assert (found.bias == 0).all() and found.variance == pytest.approx(found.error)


@settings(max_examples=30)
@given(st.integers(2, 7), st.integers(1, 12), st.integers(1, 5), st.integers(0, 99))
def test_error_is_bias_and_weighted_variance(models, n, classes, seed):
    draw = np.random.default_rng(seed)
    said, truth = draw.integers(0, classes, (models, n)), draw.integers(0, classes, n)
    found = zero_one_parts(said, truth)
    for unit in range(n):  # c2 by its definition
        counts = np.bincount(said[:, unit], minlength=classes)
        main = counts.argmax()
        differs = said[said[:, unit] != main, unit]
        right = (differs == truth[unit]).mean() if len(differs) else 0.0
        c2 = 1.0 if main == truth[unit] else -right
        bias, variance = float(main != truth[unit]), len(differs) / models
        assert abs((said[:, unit] != truth[unit]).mean() - bias - c2 * variance) < 1e-12
        assert found.bias[unit] == bias and found.disagreement[unit] == pytest.approx(variance)
    assert np.abs(found.error - found.bias - found.variance).max() < 1e-12
    numbers = draw.normal(size=(models, n))
    squares = squared_parts(numbers, draw.normal(size=n))
    assert np.abs(squares.error - squares.bias - squares.variance).max() < 1e-12


def test_the_intervals_are_over_whole_groups(tmp_path):
    said = np.repeat(multinomial.rvs(1, [0.5, 0.5], 60, random_state=8)[:, 0], 5)
    parts = zero_one_parts(np.stack([said, said]), np.zeros(300, int))
    groups = np.repeat(np.arange(60), 5)
    given = {"folder": tmp_path, "bags": 2}
    alone = judge_parts(parts, None, units="pictures", **given)
    whole = judge_parts(parts, groups, units="identities", **given)
    assert whole.error.value == alone.error.value and (whole.error.n, alone.error.n) == (60, 300)
    width = [each.error.high - each.error.low for each in (alone, whole)]
    assert width[1] == pytest.approx(math.sqrt(5) * width[0], rel=0.1)


def test_the_larger_part_is_said(tmp_path):
    draw = np.random.default_rng(9)
    given = {"groups": None, "folder": tmp_path, "bags": 5, "units": "pictures"}
    high = judge_parts(squared_parts(draw.normal(0, 1, (5, 200)), np.zeros(200)), **given)
    low = judge_parts(squared_parts(draw.normal(2, 0.1, (5, 200)), np.zeros(200)), **given)
    assert (high.larger, low.larger) == ("variance", "bias")
    assert "more pictures" in high.sentence and "more capacity" in low.sentence
    right = judge_parts(zero_one_parts(np.zeros((5, 9), int), np.zeros(9, int)), **given)
    assert right.sentence.startswith("No error") and right.larger == ""
    assert isinstance(right.error, Interval)


def test_what_cannot_be_taken_apart_is_refused():
    with pytest.raises(InputError, match="2 models or more; got 1"):
        squared_parts([[1.0, 2.0]], [1.0, 2.0])
    with pytest.raises(InputError, match=r"answers must be \(models, n\)"):
        zero_one_parts([[1, 2], [1, 2]], [1])
