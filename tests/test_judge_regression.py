"""A regressor's scores and report: figures by scikit-learn, intervals that cover, what is said."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from scipy.stats import t as student
from sklearn import metrics as judge

from saccade.errors import InputError, SettingError
from saccade.judge.regression import WORST, judge_regression
from saccade.judge.regression_report import MOST_POINTS, regression_report

NAMES = ("age", "<b>height</b>")


def estimated(n=60, *, noise=0.3, seed=0):
    """Truth (n, 2) of two units, and estimates that are off by ``noise`` deviations."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=(n, 2)) * [10, 0.01] + [40, 1.7]
    return truth, truth + draw.normal(size=(n, 2)) * noise * [10, 0.01]


def judged(n=60, **changes):
    truth, estimates = estimated(n)
    return judge_regression(estimates, truth, targets=NAMES, resamples=200, **changes)


def pixels(n):
    return list(np.random.default_rng(1).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8))


def test_the_scores_are_those_of_scikit_learn():
    (truth, estimates), scores = estimated(), judged()
    for name, function in (
        ("mae", judge.mean_absolute_error),
        ("rmse", judge.root_mean_squared_error),
        ("r2", judge.r2_score),
    ):
        each = function(truth, estimates, multioutput="raw_values")
        found = [getattr(one, name).value for one in scores.per_target]
        assert found == pytest.approx(each)
        assert getattr(scores, name).value == pytest.approx(function(truth, estimates))
    assert [one.name for one in scores.per_target] == list(NAMES)
    assert [one.mean for one in scores.per_target] == pytest.approx(truth.mean(axis=0))
    assert [one.deviation for one in scores.per_target] == pytest.approx(truth.std(axis=0))


def test_the_intervals_come_from_the_spread_of_drawn_pictures():
    (truth, estimates), scores = estimated(), judged(seed=3)
    n, draw = len(truth), np.random.default_rng(3)
    figures = []
    for times in draw.multinomial(n, np.full(n, 1 / n), size=200):
        rows = np.repeat(np.arange(n), times)
        figures.append(judge.r2_score(truth[rows], estimates[rows]))
    lacks = 1 - judge.r2_score(truth, estimates)
    share = student.ppf(0.975, n - 1) * np.std(figures, ddof=1) / lacks / 1.5
    wanted = (1 - lacks / (1 - share) ** 1.5, 1 - lacks / (1 + share) ** 1.5)
    assert (scores.r2.low, scores.r2.high) == pytest.approx(wanted)
    assert (scores.r2.n, scores.r2.level) == (60, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 250])
def test_the_intervals_hold_the_true_figures_as_often_as_they_say(n):
    true = {"mae": 0.5 * np.sqrt(2 / np.pi), "rmse": 0.5, "r2": 1 - 0.25}
    draw, held = np.random.default_rng(1), dict.fromkeys(true, 0)
    for _ in range(2000):
        truth = draw.normal(size=(n, 1))
        scores = judge_regression(
            truth + draw.normal(0, 0.5, (n, 1)), truth, targets=["x"], resamples=200
        )
        for name, figure in true.items():
            held[name] += getattr(scores, name).low <= figure <= getattr(scores, name).high
    assert {name: count for name, count in held.items() if not 0.93 <= count / 2000 <= 0.97} == {}


def test_draws_without_variance_are_left_out():
    truth = np.array([[0.0], [0.0], [0.0], [1.0]])
    scores = judge_regression(truth + 0.1, truth, targets=["x"], resamples=500)
    assert scores.r2.value == pytest.approx(1 - 0.01 / 0.1875)
    assert scores.r2.low <= scores.r2.value <= scores.r2.high < 1


def test_truth_that_never_varies_has_errors_but_no_r2():
    scores = judge_regression([[1.0], [2.0], [4.0]], [[1.0]] * 3, targets=["x"])
    assert scores.r2 is None and scores.per_target[0].r2 is None
    assert scores.mae.value == pytest.approx(4 / 3)
    assert "x" in scores.warning
    assert json.loads(scores.to_json())["r2"] is None
    page = regression_report(scores, pictures=pixels(3))
    assert "Not shown to be better than always answering the mean: x; only 3 pictures" in page


def test_the_worst_come_first_whatever_their_unit():
    (truth, estimates), scores = estimated(), judged()
    sizes = (np.abs(estimates - truth) / truth.std(axis=0)).mean(axis=1)
    assert [one.picture for one in scores.worst] == np.argsort(-sizes)[:WORST].tolist()
    first = scores.worst[0]
    assert first.truth == tuple(truth[first.picture])
    assert first.estimate == tuple(estimates[first.picture])


def test_the_headline_names_every_target_where_there_are_several():
    names = [name for name, _ in judged().headline]
    assert names[0] == "R2, mean" and "RMSE of age" in names and len(names) == 7
    truth, estimates = estimated()
    alone = judge_regression(estimates[:, :1], truth[:, :1], targets=["age"])
    assert [name for name, _ in alone.headline] == ["MAE", "RMSE", "R2"]
    assert re.fullmatch(r"2\.\d+ \[\d\.\d+, \d\.\d+\]", alone.headline[0][1])
    assert alone.warning == ""


def test_json_holds_plain_figures():
    figures = json.loads(judged().to_json())
    assert figures["pictures"] == 60 and len(figures["per_target"]) == 2
    assert "truth" not in figures and len(figures["worst"]) == WORST


def test_the_report_says_what_was_found_and_escapes_names():
    scores = judged()
    page = regression_report(
        scores, pictures=pixels(60), note="Mind this.", about={"model": "tiny"}, history=[]
    )
    for words in ("Estimated and true", "The largest errors", "Mind this.", "60 pictures", "tiny"):
        assert words in page
    assert "<b>height" not in page and "&lt;b&gt;height" in page
    assert page.count('<svg class="chart"') == 4
    assert page.count("data:image/") == WORST
    assert "<script" not in page


def test_one_target_gets_a_sentence_and_tiles(tmp_path):
    truth, estimates = estimated()
    scores = judge_regression(estimates[:, :1], truth[:, :1], targets=["age"])
    file = tmp_path / "face & co.png"
    Image.fromarray(pixels(1)[0]).save(file)
    page = regression_report(scores, pictures=[file] * 60)
    assert "An estimate of “<bdi>age</bdi>” is wrong by" in page and "face &amp; co.png" in page
    assert "Mean absolute error (MAE)" in page and page.count('<svg class="chart"') == 2


def test_a_chart_of_many_pictures_stays_small():
    n = 5 * MOST_POINTS
    truth, estimates = estimated(n)
    scores = judge_regression(estimates, truth, targets=NAMES, resamples=100)
    page = regression_report(scores, pictures=pixels(1) * n)
    assert f"Shown are {MOST_POINTS:,} of the pictures" in page
    assert len(page) < 2_000_000


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match=r"two pictures or more\. Got 1"):
        judge_regression([[1.0]], [[1.0]], targets=["x"])
    with pytest.raises(InputError, match="a column a target"):
        judge_regression([[1.0], [2.0]], [[1.0], [2.0]], targets=["x", "y"])
    with pytest.raises(InputError, match="NaN"):
        judge_regression([[1.0], [np.nan]], [[1.0], [2.0]], targets=["x"])
    with pytest.raises(SettingError, match="resamples"):
        judge_regression([[1.0], [2.0]], [[1.0], [2.0]], targets=["x"], resamples=3)
    with pytest.raises(InputError, match="60 pictures, but 2 were given"):
        regression_report(judged(), pictures=pixels(2))
