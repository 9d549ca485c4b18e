"""Pictures that come in groups: a figure stands on the groups, not on their pictures."""

import csv

import numpy as np
import pytest

import saccade
from saccade.class_tree import ClassTree
from saccade.cli.app import main
from saccade.intervals import wilson_interval
from saccade.judge.by_group import judge_by_group
from saccade.judge.class_figures import _units
from saccade.judge.classification import judge_classification
from saccade.judge.operating_point import Wanted
from saccade.judge.regression import judge_regression
from saccade.judge.resampling import logit_interval, share_intervals, spread

NAMES = ["a", "b", "c"]
HOW = {"seed": 0, "resamples": 1000, "level": 0.95}


def test_units_are_counted_as_by_hand():
    draw = np.random.default_rng(0)
    for _ in range(50):
        n = int(draw.integers(1, 30))
        numbers, groups = draw.integers(0, 4, n), [f"g{one}" for one in draw.integers(0, 6, n)]
        having, other = _units(numbers, groups, 4)
        pairs = list(zip(groups, numbers.tolist(), strict=True))
        for k in range(4):
            assert having[k] == len({group for group, one in pairs if one == k})
            assert other[k] == len({group for group, one in pairs if one != k})
    assert [list(one) for one in _units(np.array([0, 0, 2]), None, 3)] == [[2, 0, 1], [1, 3, 2]]


def test_a_class_that_few_groups_show_is_little_known_however_many_pictures_they_have():
    truth = [0] * 30 + [1] * 170
    groups = [f"g{n // 10}" for n in range(30)] + [f"h{n}" for n in range(170)]
    labels, shares = [NAMES[t] for t in truth], 0.02 + 0.94 * np.eye(3)[truth]
    rare = judge_classification(shares, labels, classes=NAMES, groups=groups).per_class[0]
    three, thirty = wilson_interval(3, 3), wilson_interval(30, 30)
    for found in (rare.recall, rare.precision):
        assert found.n == 3 and found.low < three.low < thirty.low
    assert rare.f1.low < three.low and rare.auc.low < three.low
    alone = judge_classification(shares, labels, classes=NAMES).per_class[0].recall
    assert (alone.low, alone.n) == (thirty.low, 30)


@pytest.fixture(scope="module")
def copied():
    """Scores of 80 pictures, and of five copies of each that are one group."""
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 3, 80)
    logits = draw.normal(size=(80, 3)) + 1.2 * np.eye(3)[truth]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    tree = ClassTree.nested({"ab": ["a", "b"], "others": ["c"]})
    how = {"classes": NAMES, "wanted": Wanted("a", false_alarms=0.2), "tree": tree}
    five = np.repeat(np.arange(80), 5)
    single = judge_classification(shares, [NAMES[t] for t in truth], **how)
    groups = [f"g{n}" for n in five]
    labels = [NAMES[t] for t in truth[five]]
    return single, judge_classification(shares[five], labels, groups=groups, **how)


def test_copies_in_a_group_make_no_interval_narrower(copied):
    def told(scores):
        point = scores.operating_point
        return {
            "found": point.found,
            "false alarms": point.false_alarms,
            "right among the alarms": point.precision,
            **{f"at {one.at_least}": one.accuracy for one in scores.abstention[:5]},
            **{f"bin {one.low:.2f}": one.right for one in scores.calibration.bins},
            "mistakes": scores.tree.mistakes,
            "answers": scores.tree.answers,
        }

    pairs = zip(told(copied[0]).items(), told(copied[1]).values(), strict=True)
    for (name, one), five in pairs:
        assert five.value == pytest.approx(one.value), name
        ratio = (five.high - five.low) / (one.high - one.low)
        few = max(one.n, 2) < 20  # Student's t in place of the normal
        assert 0.9 < ratio < (2.5 if few else 1.15), (name, ratio, one.n)
        assert five.n == one.n, name
    one, five = (scores.calibration for scores in copied)
    assert five.by_chance == pytest.approx(one.by_chance, rel=0.1)
    assert five.error == pytest.approx(one.error)


def test_shares_without_groups_are_wilsons_and_nothing_has_none():
    hits, of = np.array([[1, 0], [1, 1], [0, 1]], bool), np.array([[1, 0], [0, 0], [1, 0]], bool)
    assert share_intervals(hits, of, groups=None, **HOW) == [wilson_interval(1, 2), None]
    assert share_intervals(hits, of, groups=["x", "x", "y"], **HOW)[1] is None


@pytest.mark.slow
def test_grouped_shares_hold_the_truth_as_often_as_they_say():
    draw, held = np.random.default_rng(2), 0
    groups = [str(number) for number in np.repeat(np.arange(80), 4)]
    for seed in range(2000):
        chance = np.repeat(draw.beta(4, 1, 80), 4)[:, None]
        of = draw.random((320, 1)) < 0.7
        how = {"seed": seed, "resamples": 300, "level": 0.95}
        found = share_intervals(draw.random((320, 1)) < chance, of, groups=groups, **how)[0]
        held += found.low <= 0.8 <= found.high
    assert 0.93 <= held / 2000 <= 0.97


def test_what_rounding_alone_makes_is_no_spread():
    assert spread(np.full((1999, 2), [1 / 3, 0.7])).tolist() == [0, 0]
    assert spread(np.array([[0.1], [0.2], [0.3]]))[0] == pytest.approx(0.1)
    truth = np.tile([0, 1, 2], 40)  # In every group one of three is right.
    found = judge_classification(
        np.eye(3)[np.zeros(120, int)],
        [NAMES[t] for t in truth],
        classes=NAMES,
        groups=[f"g{n // 3}" for n in range(120)],
    ).accuracy
    assert found.value == pytest.approx(1 / 3) and found.high - found.low > 0.2


def test_a_wide_interval_of_an_area_overflows_nothing():
    found = logit_interval(0.9999, 0.05, n=2, fewest=2, level=0.95)
    assert (found.low, found.high) == (0.0, 1.0)


def test_enough_are_units_not_pictures():
    def judge(places, level):
        return {"accuracy": wilson_interval(len(places) // 50, len(places) // 50)}

    found = judge_by_group(judge, ["x"] * 100 + ["y"] * 200, column="city", units="groups")
    assert [one.too_few for one in found.groups] == [True, True]
    assert found.sentence == "no two groups of “city” have 30 groups: nothing can be said"
    bare = judge_by_group(lambda places, level: {}, ["x", "y"], column="city")
    assert bare.spread is None and bare.groups[0].too_few and not bare.groups[0].figures


def test_a_value_that_cannot_be_judged_is_told_and_stops_nothing(class_folders, tmp_path, capsys):
    samples = saccade.read_data(class_folders)
    rows = [("path", "label", "size", "site", "person")]
    for number, one in enumerate(samples):
        site = "alone" if number == 0 else "both"
        rows.append((one.path, one.label, number % 7, site, number if number else "p"))
    rows.append((samples[0].path, "only one", 3, "lonely", "q"))
    for name, kept in (("all.csv", rows), ("numbers.csv", rows[:-1])):
        with (tmp_path / name).open("w", newline="") as stream:
            csv.writer(stream).writerows(kept)
    words = ["evaluate", "pixels", str(tmp_path / "all.csv"), "--by", "site"]
    assert main([*words, "--report", str(tmp_path / "e.html")]) == 0
    assert "lonely: 1 picture (too few)" in capsys.readouterr().out
    settings = {"data.target": "size", "model.backbone": "pixels", "data.size": "8x8"}
    settings |= {"data.validation": 0, "train.epochs": 0, "train.threads": 1}
    table = tmp_path / "numbers.csv"
    run = saccade.train(table, task="regress", out=tmp_path / "run", settings=settings).folder
    for more in ((), ("--groups", "person")):
        assert main(["evaluate", str(run), str(table), "--by", "site", *more]) == 0
        assert "alone: 1 picture (too few)" in capsys.readouterr().out


def test_a_regressor_s_basis_and_report_say_what_was_drawn():
    draw = np.random.default_rng(3)
    truth = draw.normal(size=(60, 1))
    said = truth + 0.1 * draw.normal(size=(60, 1))
    groups = [f"g{n // 5}" for n in range(60)]
    found = judge_regression(said, truth, targets=["size"], groups=groups)
    assert found.basis == "12 groups of 60 pictures" and found.groups == 12
    assert found.warning == "only 12 groups of 60 pictures: too few to tell much"
    alone = judge_regression(said, truth, targets=["size"])
    assert (alone.basis, alone.groups, alone.warning) == ("60 pictures", None, "")
