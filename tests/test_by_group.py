"""Figures group by group, the alarm's threshold, and groups that are drawn together."""

import csv

import numpy as np
import pytest

import saccade
from saccade.cli.app import main
from saccade.errors import InputError, SettingError
from saccade.judge.by_group import judge_by_group
from saccade.judge.classification import judge_classification
from saccade.judge.operating_point import Wanted, operating_point
from saccade.judge.regression import judge_regression
from saccade.metrics.ranking import Ranking
from saccade.values import Interval

HOW = {"groups": None, "seed": 0, "resamples": 200, "level": 0.95}
KNN = {"model.name": "knn", "model.k": 1, "data.size": "16x16", "data.validation": 0.0}


def shares_of(rights):
    """Accuracy by group from counts (right, n), as a judge would tell it."""

    def judge(places, level):
        from saccade.intervals import wilson_interval

        return {
            "accuracy": wilson_interval(int(sum(rights[p] for p in places)), len(places), level)
        }

    return judge


def test_a_difference_that_is_there_is_found_and_one_that_is_not_is_not():
    rights = [True] * 95 + [False] * 5 + [True] * 60 + [False] * 40 + [True] * 5
    values = ["a"] * 100 + ["b"] * 100 + ["c"] * 5
    found = judge_by_group(shares_of(rights), values, column="city")
    assert (found.best, found.worst, found.pairs) == ("a", "b", 1)
    assert found.spread.value == pytest.approx(0.35) and found.spread.low > 0.2
    assert [one.too_few for one in found.groups] == [False, False, True]
    assert "accuracy differs by 0.350" in found.sentence
    alike = judge_by_group(shares_of(rights[:100] * 2), ["a", "b"] * 100, column="city")
    assert "no two groups of “city” are shown to differ" in alike.sentence
    few = judge_by_group(shares_of(rights), ["a"] * 5 + ["b"] * 6, column="city")
    assert few.spread is None and "nothing can be said" in few.sentence
    with pytest.raises(InputError, match="every picture has the same city, 'x'"):
        judge_by_group(shares_of(rights), ["x", "x"], column="city")


@pytest.mark.slow
def test_alike_groups_are_called_different_as_seldom_as_promised():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(2000):
        rights = rng.random(400) < 0.8
        found = judge_by_group(shares_of(rights), list("abcd") * 100, column="x")
        wrong += found.spread.low > 0
    assert wrong / 2000 <= 0.05


def test_lower_may_be_better():
    def judge(places, level):
        error = 1.0 if places[0] else 3.0
        return {"MAE": Interval(error, error - 0.1, error + 0.1, len(places), level)}

    found = judge_by_group(judge, ["a"] * 30 + ["b"] * 30, column="x", lower_is_better=True)
    assert (found.best, found.worst) == ("b", "a") and found.spread.value == pytest.approx(2.0)


@pytest.fixture(scope="module")
def with_cities(class_folders, tmp_path_factory):
    place = tmp_path_factory.mktemp("cities") / "data.csv"
    with place.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label", "city", "person"))
        for number, one in enumerate(saccade.read_data(class_folders)):
            writer.writerow((one.path, one.label, ("Ulm", "<b>Bonn")[number % 2], number // 3))
    return place


def test_evaluate_tells_groups_and_draws_groups(with_cities, class_folders, tmp_path, capsys):
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=KNN).folder
    words = ["evaluate", str(run), str(with_cities), "--by", "city", "--groups", "person"]
    assert main([*words, "--alarm", "red-disc", "--false-alarms", "0.1"]) == 0
    told = capsys.readouterr().out
    assert "alarm for red-disc (at most 10 % false alarms): at a probability of 1 or more" in told
    assert "Ulm: 18 pictures (too few)  accuracy 1.000" in told and "12 groups of 36" in told
    page = (run / "evaluation.html").read_text()
    assert "By city" in page and "<b>Bonn" not in page and "Alarm for “<bdi>red-disc</bdi>”" in page
    scores = saccade.evaluate(run, with_cities, groups="person")
    assert scores.groups == 12 and scores.accuracy.n == 12
    assert main([*words[:3], "--by", "town"]) == 2
    assert "has no metadata 'town'" in capsys.readouterr().err
    embedder = ["evaluate", "pixels", str(with_cities), "--by", "city"]
    assert main(embedder) == 0 and "rank-1" in capsys.readouterr().out
    assert main([*embedder, "--groups", "person"]) == 2
    assert main([*embedder, "--alarm", "x", "--miss-cost", "2"]) == 2


def test_copies_of_a_picture_add_nothing_when_they_are_one_group():
    rng = np.random.default_rng(0)
    truth, shares = rng.integers(0, 3, 60), rng.dirichlet((1, 1, 1), 60)
    names = ["a", "b", "c"]
    single = judge_classification(shares, [names[t] for t in truth], classes=names)
    many = judge_classification(
        np.repeat(shares, 5, axis=0),
        [names[t] for t in np.repeat(truth, 5)],
        classes=names,
        groups=[str(number) for number in np.repeat(np.arange(60), 5)],
    )
    for name in ("accuracy", "macro_f1", "macro_auc", "matthews"):
        one, five = getattr(single, name), getattr(many, name)
        assert five.value == pytest.approx(one.value)
        assert five.high - five.low == pytest.approx(one.high - one.low, rel=0.12)
    loose = judge_regression(
        np.repeat(shares[:, :1], 5, axis=0), np.repeat(truth, 5)[:, None], targets=["t"]
    )
    tight = judge_regression(
        np.repeat(shares[:, :1], 5, axis=0),
        np.repeat(truth, 5)[:, None],
        targets=["t"],
        groups=[str(number) for number in np.repeat(np.arange(60), 5)],
    )
    ratio = (tight.mae.high - tight.mae.low) / (loose.mae.high - loose.mae.low)
    assert ratio == pytest.approx(5**0.5, rel=0.15)


def test_the_operating_point_is_that_of_a_slow_search():
    rng = np.random.default_rng(1)
    for _ in range(200):
        n = int(rng.integers(5, 60))
        shown, scores = rng.random(n) < 0.4, rng.integers(0, 12, n) / 11
        if shown.all() or not shown.any():
            continue
        rate, cost = float(rng.random()), float(rng.random() * 5 + 0.1)
        options = [np.inf, *sorted(set(scores), reverse=True)]
        counts = [((scores >= t) & shown).sum() for t in options]
        alarms = [((scores >= t) & ~shown).sum() for t in options]
        found = operating_point(shown, scores, Wanted("x", false_alarms=rate), **HOW)
        allowed = [c for c, a in zip(counts, alarms, strict=True) if a / (~shown).sum() <= rate]
        assert found.found.value == pytest.approx(max(allowed) / shown.sum())
        assert found.false_alarms.value <= rate + 1e-12
        found = operating_point(shown, scores, Wanted("x", cost=cost), **HOW)
        bills = [cost * (shown.sum() - c) + a for c, a in zip(counts, alarms, strict=True)]
        assert found.cost == pytest.approx(min(bills) / n)
        raised = scores >= float(f"{found.threshold:.16g}")  # As it is printed.
        assert (raised & shown).sum() == found.found.value * shown.sum()
        assert (raised & ~shown).sum() == pytest.approx(found.false_alarms.value * (~shown).sum())
    assert Ranking.of([True], [0.5]).curve().recall.tolist() == [1.0]


@pytest.mark.parametrize(
    ("scores", "told"),
    [([0.99996, 0.99991], "0.99996"), ([0.73458, 0.2], "0.7345"), ([1.0, 0.99999999], "1")],
)
def test_a_threshold_that_is_copied_does_the_same(scores, told):
    shown = np.array([True, False])
    found = operating_point(shown, np.array(scores), Wanted("x", cost=1.0), **HOW)
    assert (found.found.value, found.false_alarms.value) == (1, 0)
    assert f"at a probability of {told} or more" in found.sentence
    assert scores[1] < float(told) <= scores[0]


def test_bad_wishes_are_refused():
    for wrong in ({}, {"false_alarms": 0.1, "cost": 1.0}, {"false_alarms": 1.5}, {"cost": 0.0}):
        with pytest.raises(SettingError):
            Wanted("x", **wrong)
    with pytest.raises(InputError, match="2 of 2 show it"):
        operating_point(np.array([True, True]), np.ones(2), Wanted("x", cost=1.0), **HOW)
