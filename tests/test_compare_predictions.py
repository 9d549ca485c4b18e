"""``compare --predictions``: boxes, masks and classes of two programs, picture by picture."""

import json

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

import saccade
from saccade.boxes import FoundBoxes
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.judge.comparison import compare_scores
from saccade.judge.comparison_report import comparison_report
from saccade.judge.mask_counts import FIGURES, count_masks
from saccade.judge.paired_figures import compare_boxes, compare_counts, differences
from saccade.judge.segmentation import judge_counts
from saccade.metrics.coco import FIRST_FIGURES, match_coco
from tests.test_judge_columns import slow_subset, table
from tests.test_judge_detection import scene
from tests.test_judge_segmentation import pairs, save

SETTINGS = {"seed": 0, "level": 0.95}


def two(seed, pictures, *, rate=(0.7, 0.7), noise=0.08):
    """True boxes, and what two detectors found of them, alike but for their rates."""
    true, a = scene(seed, pictures, rate=rate[0], many=2, noise=noise, wrong=1.0)
    rng = np.random.default_rng([seed, 1])
    hit = np.flatnonzero(rng.random(len(true.area)) < rate[1])
    own = true.xywh[hit] + rng.normal(0, noise, (len(hit), 4)) * np.tile(true.xywh[hit, 2:], 2)
    far = np.flatnonzero(a.xywh[:, 0] == 500.0)
    b = FoundBoxes(
        np.concatenate([true.picture[hit], rng.integers(0, pictures, len(far))]),
        np.concatenate([true.category[hit], rng.integers(0, 2, len(far))]),
        np.concatenate([own, a.xywh[far]]),
        np.concatenate([rng.beta(5, 2, len(hit)), rng.beta(2, 3, len(far))]),
    )
    return true, a, b


def means(scores):
    return lambda weights: (weights @ scores / weights.sum(axis=1))[:, None]


def test_of_means_the_test_is_student_s_paired_test_but_for_its_degrees():
    rng = np.random.default_rng(0)
    a = rng.random(60)
    b = a + rng.normal(0.02, 0.1, 60)
    gap, p = differences(means(a), means(b), np.arange(60), cells=1, **SETTINGS)[0]
    expected = ttest_rel(b, a)
    gaps = b - a
    kurtosis = ((gaps - gaps.mean()) ** 4).mean() / gaps.var() ** 2
    freedom = min(59, 2 * 60 / (kurtosis - 1))
    assert p == pytest.approx(2 * t.sf(abs(expected.statistic), freedom), rel=1e-9)
    error = gaps.std(ddof=1) / np.sqrt(60)
    reach = t.ppf(0.975, freedom) * error
    ends = gaps.mean() + np.array([-reach, reach])
    np.testing.assert_allclose([gap.low, gap.high], ends, atol=1e-12)


def test_few_differing_pictures_show_as_little_as_mcnemar_s_test_says():
    for many in (1, 4, 5, 9):
        a, b = np.zeros(400), np.zeros(400)
        b[:many] = 1
        gap, p = differences(means(a), means(b), np.arange(400), cells=1, **SETTINGS)[0]
        other = compare_scores(a, b, figure="accuracy")
        assert (gap.low > 0) == (p < 0.05)
        # 400 pictures are left out two at a time, so only which side of 5 % it lies is compared.
        assert (gap.low > 0) == bool(other.better) == (many >= 5)


def test_boxes_are_compared_as_a_slow_loop_does():
    true, a, b = two(0, 24)
    names = [f"film {p % 12}" for p in range(24)]
    films = sorted(set(names))

    def slow(chosen):
        places = [p for p in range(24) if names[p] in chosen]
        known = slow_subset(true, places)
        return [
            match_coco(known, slow_subset(one, places), categories=2, areas=("all",)).first()[0]
            for one in (a, b)
        ]

    whole = slow(films)
    left = np.array([np.subtract(*slow([f for f in films if f != out])[::-1]) for out in films])
    error = np.sqrt(11 / 12 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    found = compare_boxes(true, a, b, pictures=24, categories=2, groups=names, resamples=100)
    assert tuple(one.figure for one in found.figures) == FIRST_FIGURES
    for k, one in enumerate(found.figures):
        assert (one.a.value, one.b.value) == pytest.approx((whole[0][k], whole[1][k]), abs=1e-12)
        value = whole[1][k] - whole[0][k]
        centred = left[:, k] - left[:, k].mean()
        freedom = min(11, 24 / ((centred**4).mean() / (centred**2).mean() ** 2 - 1))
        reach = t.ppf(0.975, freedom) * error[k]
        assert (one.difference.low, one.difference.high) == pytest.approx(
            (value - reach, value + reach), abs=1e-9
        )
        assert one.p == pytest.approx(2 * t.sf(abs(value) / error[k], freedom), rel=1e-6)
    assert (found.units, found.difference.n) == ("groups", 12)
    assert "only 12 groups: too few" in found.warning


def test_masks_are_compared_as_a_slow_loop_does():
    masks = pairs(10)
    other = [(truth, np.roll(answer, 1, 0)) for truth, answer in masks]
    a, b = (count_masks(one, classes=3, ignore=255) for one in (masks, other))
    found = compare_counts(a, b)

    def slow(places):
        both = ([one[p] for p in places] for one in (masks, other))
        each = [count_masks(one, classes=3, ignore=255) for one in both]
        return [judge_counts(one, classes="abc").figures["mean IoU"].value for one in each]

    left = np.array([np.subtract(*slow([p for p in range(10) if p != out])) for out in range(10)])
    value, error = -np.subtract(*slow(range(10))), np.sqrt(9 * left.var())
    assert tuple(one.figure for one in found.figures) == FIGURES
    assert found.difference.value == pytest.approx(value, abs=1e-12)
    freedom = min(9, 20 / (((left - left.mean()) ** 4).mean() / left.var() ** 2 - 1))
    reach = t.ppf(0.975, freedom) * error
    assert found.difference.high == pytest.approx(value + reach, abs=1e-9)
    whole = judge_counts(a, classes="abc").figures
    assert found.a == whole["mean IoU"] and found.others[0].a == whole["pixel accuracy"]


def test_who_is_which_changes_only_the_sign_and_the_same_differ_in_nothing():
    true, a, b = two(1, 40, rate=(0.3, 0.9))
    settings = {"pictures": 40, "categories": 2, "resamples": 100}
    there = compare_boxes(true, a, b, **settings)
    back = compare_boxes(true, b, a, **settings)
    assert (there.better, back.better) == ("B", "A") and there.p == back.p < 0.001
    assert there.difference.low == pytest.approx(-back.difference.high, abs=1e-12)
    assert there.sentence.startswith("B is better by ") and " points (" in there.sentence
    same = compare_boxes(true, a, a, **settings)
    assert (same.better, same.p, same.difference.value) == ("", 1.0, 0.0)
    assert same.difference.low == -same.difference.high < -0.05
    perfect = FoundBoxes(true.picture, true.category, true.xywh, np.full(len(true.area), 0.9))
    none = perfect.take(np.zeros(0, np.int64))
    sure = compare_boxes(true, none, perfect, **settings)
    assert (sure.better, sure.difference.value) == ("B", 1.0) and 0.8 < sure.difference.low < 1
    few = np.flatnonzero(true.picture < 4)
    true = type(true)(*(getattr(true, one)[few] for one in type(true).__dataclass_fields__))
    small = compare_boxes(true, none, perfect.take(few), pictures=4, categories=2, resamples=100)
    assert not small.better and small.p == 0.125


@pytest.mark.slow
def test_two_that_are_equally_good_are_told_apart_once_in_twenty():
    false = 0
    for seed in range(400):
        true, a, b = two(seed, 100)
        found = compare_boxes(true, a, b, pictures=100, categories=2, seed=seed, resamples=100)
        false += bool(found.better)
    assert 0.02 <= false / 400 <= 0.08, false  # 0.05 and three standard errors


@pytest.mark.slow
def test_the_interval_holds_a_difference_that_is_there():
    rate = (0.6, 0.8)
    true, a, b = two(10_000, 20_000, rate=rate)
    first, second = (match_coco(true, one, categories=2).first()[0] for one in (a, b))
    held = np.zeros(4)
    for seed in range(300):
        true, a, b = two(seed, 100, rate=rate)
        found = compare_boxes(true, a, b, pictures=100, categories=2, seed=seed, resamples=100)
        for k, one in enumerate(found.figures):
            held[k] += one.difference.low <= second[k] - first[k] <= one.difference.high
    assert ((held / 300 >= 0.91) & (held / 300 <= 0.99)).all(), held / 300


@pytest.fixture
def boxes(tmp_path):
    """COCO's truth, and two results."""
    true, *both = two(0, 40, rate=(0.4, 0.9))

    def rows(one):
        columns = (one.picture.tolist(), one.category.tolist(), one.xywh.tolist())
        return [
            {"image_id": p, "category_id": k, "bbox": box}
            for p, k, box in zip(*columns, strict=True)
        ]

    whole = {
        "images": [{"id": p, "file_name": f"{p}.jpg", "film": p // 2} for p in range(40)],
        "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
        "annotations": [{"id": n} | row for n, row in enumerate(rows(true))],
    }
    (tmp_path / "truth.json").write_text(json.dumps(whole))
    for name, one in zip("ab", both, strict=True):
        scored = zip(rows(one), one.score.tolist(), strict=True)
        given = [row | {"score": score} for row, score in scored]
        (tmp_path / f"{name}.json").write_text(json.dumps(given))
    return tmp_path


def words_of(place, a, b, truth, *more):
    sides = [str(place / one) for one in (a, b)]
    return ["compare", "--predictions", *sides, "--truth", str(place / truth), *more]


def test_the_command_compares_boxes(boxes, capsys):
    page = boxes / "page.html"
    words = words_of(boxes, "a.json", "b.json", "truth.json", "--report", str(page))
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "B is better by " in said and "p of the difference in AP" in said
    assert "AR@100 A 0." in said and "40 pictures, left out of both alike" in said
    text = page.read_text()
    assert "B is better by" in text and "B less A" in text and "AP50" in text
    assert main([*words, "--json", "--groups", "film"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = saccade.compare_predictions(
        boxes / "a.json", boxes / "b.json", boxes / "truth.json", groups="film"
    )
    assert told == {**found.to_dict(), "report": str(page)} and told["difference"]["n"] == 20
    assert main(words_of(boxes, "b.json", "a.json", "truth.json")) == 1
    assert "A is better by " in capsys.readouterr().out.splitlines()[-1]


def test_the_command_compares_masks_and_classes(tmp_path, class_folders, capsys):
    for side in ("truth", "a", "b"):
        (tmp_path / side).mkdir()
    for number, (truth, answer) in enumerate(pairs(32)):
        sides = (("truth", truth), ("a", answer), ("b", np.where(truth == 255, 0, truth)))
        for side, mask in sides:
            save(tmp_path / side / f"{number:02}.png", mask)
    table(tmp_path / "t.csv", [(f"{p:02}.jpg", p // 4) for p in range(32)], ("path", "patient"))
    words = words_of(tmp_path, "a", "b", "truth", "--ignore", "255")
    assert main(words) == 0 and "A mean IoU" not in capsys.readouterr().err
    more = ["--groups", "patient", "--metadata", str(tmp_path / "t.csv"), "--json"]
    assert main([*words, *more]) == 0
    assert json.loads(capsys.readouterr().out)["b"]["value"] == 1.0
    samples = saccade.read_data(class_folders)
    for name, wrong in (("right", 0), ("wrong", 9)):
        other = samples[-1].label
        rows = [
            (one.path, other if place < wrong else one.label) for place, one in enumerate(samples)
        ]
        table(tmp_path / f"{name}.csv", rows, ("path", "label"))
    sides = [tmp_path / f"{name}.csv" for name in ("wrong", "right")]
    found = saccade.compare_predictions(*sides, class_folders, report=tmp_path / "page.html")
    assert (found.figure, found.better, found.only_a, found.only_b) == ("accuracy", "B", 0, 9)
    assert "B alone on 9" in (tmp_path / "page.html").read_text()


def test_what_cannot_be_compared_is_one_line(boxes, tmp_path, capsys):
    def said(*words):
        assert main(list(map(str, words))) == 2, words
        told = capsys.readouterr().err
        assert told.count("\n") == 1, told
        return told

    good = words_of(boxes, "a.json", "b.json", "truth.json")
    assert "none.json do not exist" in said(*words_of(boxes, "a.json", "none.json", "truth.json"))
    assert "A holds boxes and B masks" in said(*words_of(boxes, "a.json", ".", "truth.json"))
    assert "must be a list" in said(*words_of(boxes, "a.json", "truth.json", "truth.json"))
    assert "--ignore is not for predictions of boxes" in said(*good, "--ignore", 3)
    assert "no metadata 'town'" in said(*good, "--groups", "town")
    assert "--open-test is for runs" in said(*good, "--open-test")
    assert "folder that exists" in said(*good, "--report", boxes / "none" / "page.html")
    assert "compare needs A, B and DATA" in said("compare")
    assert "compare needs A, B and DATA" in said("compare", "x", "y")
    assert "give one of the two" in said("compare", "x", *good[1:])
    assert "give one of the two" in said(*good[:-2])
    assert "--ignore is for --predictions; leave it out" in said("compare", "x", "y", "z", "--ignore", 1)
    one = count_masks(pairs(1), classes=3, ignore=255)
    with pytest.raises(InputError, match="needs two pictures or more"):
        compare_counts(one, one)
    with pytest.raises(InputError, match="is no JSON"):
        (boxes / "b.json").write_text("[")
        saccade.compare_predictions(boxes / "a.json", boxes / "b.json", boxes / "truth.json")


def test_a_page_of_errors_says_that_less_is_better():
    draw = np.random.default_rng(0)
    a = draw.exponential(1.0, 90)
    found = compare_scores(a, a / 2, figure="mean absolute error")
    page = comparison_report(found, about={"A": "<script>x</script>"})
    assert "below 0 B is better" in page and "<script" not in page and "B is better by" in page
