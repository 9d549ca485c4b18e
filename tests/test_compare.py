"""``compare``: the paired interval, McNemar's test, the sentence, and what is refused."""

import json
import math

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel

import saccade
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.intervals import wilson_interval
from saccade.judge.comparison import compare_scores, mcnemar_p
from saccade.judge.regression import judge_regression

KNN = {"model.name": "knn", "data.size": "16x16", "data.validation": 0.0}


@pytest.fixture(scope="module")
def runs(class_folders, tmp_path_factory):
    """Nearest neighbours that are right, and some that hardly ever are; an embedder."""
    place = tmp_path_factory.mktemp("runs")
    count = len(saccade.read_data(class_folders))
    for name, k in (("near", 1), ("far", count)):
        settings = KNN | {"model.k": k}
        saccade.train(class_folders, task="classify", out=place / name, settings=settings)
    small = {"train.epochs": 1, "train.threads": 1, "train.classes_per_batch": 2}
    saccade.train(class_folders, out=place / "embed", settings=small | {"model.width": 4})
    return place


@pytest.mark.parametrize("only_a", [0, 1, 3, 10, 40])
@pytest.mark.parametrize("only_b", [0, 2, 3, 25])
def test_mcnemar_is_the_binomial_test_with_half_of_what_was_seen(only_a, only_b):
    total, expected = only_a + only_b, 1.0
    if only_a != only_b:
        seen = math.comb(total, only_a) / 2**total
        expected = binomtest(only_a, total, 0.5).pvalue - seen
    assert mcnemar_p(only_a, only_b) == pytest.approx(expected, abs=1e-12)


def test_few_differing_pictures_show_nothing_whatever_resampling_says():
    a, b = np.ones(400), np.ones(400)
    a[:4] = 0
    found = compare_scores(a, b, figure="accuracy")
    assert (found.only_a, found.only_b, found.p) == (0, 4, pytest.approx(0.0625))
    assert found.difference.low <= 0 < found.difference.high and not found.better
    a[4] = 0
    assert compare_scores(a, b, figure="accuracy").better == "B"


def test_the_interval_is_that_of_paired_differences():
    draw = np.random.default_rng(0)
    a = draw.exponential(1.0, 400)
    b = a + draw.normal(0.1, 0.3, 400)
    found = compare_scores(a, b, figure="mean absolute error", resamples=10_000)
    expected = ttest_rel(b, a).confidence_interval()
    assert found.difference.value == pytest.approx((b - a).mean(), abs=1e-12)
    assert found.difference.low == pytest.approx(expected.low, abs=0.003)
    assert found.difference.high == pytest.approx(expected.high, abs=0.003)
    assert (found.better, found.p, found.units) == ("A", None, "pictures")
    assert found.sentence.startswith(f"A is better by {found.difference.value:.3g} (")


def test_who_is_which_changes_only_the_sign():
    draw = np.random.default_rng(1)
    a, b = (draw.random(300) < 0.6).astype(float), (draw.random(300) < 0.8).astype(float)
    there = compare_scores(a, b, figure="accuracy")
    back = compare_scores(b, a, figure="accuracy")
    assert (there.better, back.better) == ("B", "A")
    assert there.difference.value == -back.difference.value
    assert there.difference.low == pytest.approx(-back.difference.high, abs=0.01)
    assert there.p == back.p == mcnemar_p(there.only_a, there.only_b)
    gain = 100 * there.difference.value
    assert there.sentence.startswith(f"B is better by {gain:.3g} points (")


def test_each_mean_has_the_interval_that_evaluate_gives_it():
    draw = np.random.default_rng(4)
    right = (draw.random((2, 80)) < 0.9).astype(float)
    found = compare_scores(*right, figure="accuracy")
    assert [found.a, found.b] == [wilson_interval(int(one.sum()), 80) for one in right]
    errors = draw.exponential(0.01, (2, 80))  # Below 1, and no share.
    found = compare_scores(*errors, figure="mean absolute error")
    truth = np.zeros((80, 1))
    wanted = [judge_regression(one[:, None], truth, targets=["t"]).mae for one in errors]
    assert [found.a.high, found.b.high] == pytest.approx([one.high for one in wanted])
    metres, millimetres = (
        compare_scores(*(unit * errors), figure="mean absolute error") for unit in (1.0, 1000.0)
    )
    assert millimetres.a.low == pytest.approx(1000 * metres.a.low)


def test_one_says_nothing_and_few_say_little():
    for how in ({}, {"groups": ["p", "p"]}):
        with pytest.raises(InputError, match=f"two {'groups' if how else 'pictures'} or more"):
            compare_scores([0.0] * (1 + len(how)), [1.0] * (1 + len(how)), figure="accuracy", **how)
    draw, false = np.random.default_rng(5), 0
    for seed in range(200):
        a, b = draw.normal(size=(2, 3)) + 9
        how = {"seed": seed, "resamples": 200}
        false += bool(compare_scores(a, b, figure="mean absolute error", **how).better)
    assert false / 200 <= 0.1, "of three pictures percentiles called every fourth pair different"


def test_errors_that_are_the_same_differ_by_nothing():
    found = compare_scores([3.0, 4.0] * 20, [3.0, 4.0] * 20, figure="mean absolute error")
    assert (found.difference.low, found.difference.high, found.better) == (0.0, 0.0, "")
    assert found.sentence == "B is not shown to be better or worse (0 to 0)"


def test_pictures_that_are_alike_tell_less_when_they_stand_together():
    draw = np.random.default_rng(2)
    a = np.repeat((draw.random(60) < 0.6).astype(float), 10)
    b = np.repeat((draw.random(60) < 0.7).astype(float), 10)
    sessions = [str(place // 10) for place in range(600)]
    alone = compare_scores(a, b, figure="accuracy")
    together = compare_scores(a, b, figure="accuracy", groups=sessions)
    width = [found.difference.high - found.difference.low for found in (alone, together)]
    assert width[1] == pytest.approx(np.sqrt(10) * width[0], rel=0.1)
    assert (together.difference.n, together.units, together.p) == (60, "groups", None)


def test_few_and_equal_are_said():
    same = compare_scores([1.0] * 10, [1.0] * 10, figure="accuracy")
    assert not same.better and same.p == 1.0
    assert same.difference.low < 0 < same.difference.high
    assert "not shown to be better" in same.sentence and "too few" in same.warning
    with pytest.raises(InputError, match="as many scores"):
        compare_scores([1.0], [1.0, 0.0], figure="accuracy")
    with pytest.raises(InputError, match="at least one"):
        compare_scores([], [], figure="accuracy")


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [False, True])
def test_two_that_are_equally_good_are_told_apart_once_in_twenty(grouped):
    draw = np.random.default_rng(3)
    false = 0
    for seed in range(2_000):
        if grouped:
            level = np.repeat(draw.normal(0, 1, (2, 100)), 3, axis=1)
            a, b = level + draw.normal(0, 1, (2, 300))
            groups = [str(place // 3) for place in range(300)]
        else:
            a, b = (draw.random((2, 200)) < 0.8).astype(float)
            groups = None
        figure = "mean absolute error" if grouped else "accuracy"
        found = compare_scores(a, b, figure=figure, groups=groups, seed=seed, resamples=500)
        false += bool(found.better)
    assert 0.03 <= false / 2_000 <= 0.07


def test_two_runs_on_the_same_pictures(runs, class_folders, capsys):
    found = saccade.compare(runs / "far", runs / "near", class_folders)
    assert (found.b.value, found.better, found.only_a) == (1.0, "B", 0)
    assert found.only_b == found.difference.n * (1 - found.a.value)
    words = ["compare", str(runs / "far"), str(runs / "near"), str(class_folders)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == found.sentence and "McNemar" in said
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**found.to_dict(), "report": None}
    assert main(["compare", words[2], words[1], words[3]]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("A is better by ")


def test_embedders_are_compared_by_their_searches(runs, class_folders):
    found = saccade.compare("pixels", runs / "embed", class_folders)
    assert (found.figure, found.units, found.p) == ("rank-1", "identities", None)
    for side, name in ((found.a, "pixels"), (found.b, runs / "embed")):
        other = saccade.evaluate(name, class_folders).rank_1
        assert (side.value, side.n) == (other.value, other.n)
        assert (side.low, side.high) == pytest.approx((other.low, other.high), abs=1e-9)


def test_what_cannot_be_compared_is_one_line(runs, class_folders, tmp_path, capsys):
    near = runs / "near"
    rows = [
        ([near, runs / "embed", class_folders], "A is a classifier and B an embedder"),
        ([near, near, tmp_path / "none"], "does not exist"),
        ([tmp_path / "none", near, class_folders], "does not exist"),
        ([near, near, class_folders, "--groups", "session"], "no metadata 'session'"),
        (["pixels", "pixels", class_folders, "--groups", "x"], "leave out groups"),
    ]
    for words, expected in rows:
        assert main(["compare", *map(str, words)]) == 2, words
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1
