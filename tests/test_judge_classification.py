"""A classifier's scores and report: counts by hand, intervals that cover, and what is said."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from saccade.errors import InputError, SettingError
from saccade.intervals import binomial_interval, wilson_interval
from saccade.judge.classification import AT_LEAST, WORST, judge_classification
from saccade.judge.classification_report import classification_report
from saccade.metrics import balanced_accuracy, macro_f1

CLASSES = ("cat", "dog", "<b>owl</b>", "yak")


def soft(truth, *, strength=1.5, seed=0, k=4):
    """Probabilities that lean towards the truth."""
    logits = np.random.default_rng(seed).normal(0, 1, (len(truth), k))
    logits[np.arange(len(truth)), truth] += strength
    shares = np.exp(logits)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


TRUTH = np.arange(90) % 3  # no yak
LABELS = [CLASSES[t] for t in TRUTH]


def judged(**changes):
    return judge_classification(soft(TRUTH), LABELS, classes=CLASSES, resamples=200, **changes)


def test_the_scores_are_those_counted_by_hand():
    scores, shares = judged(), soft(TRUTH)
    answers = shares.argmax(axis=1)
    counts = [[int(((a == TRUTH) & (answers == b)).sum()) for b in range(4)] for a in range(4)]
    assert [list(row) for row in scores.confusion] == counts
    assert scores.wrong == int((answers != TRUTH).sum())
    assert (scores.pictures, scores.shown_classes) == (90, 3)
    assert scores.chance == pytest.approx(1 / 3)
    assert scores.balanced_accuracy.value == pytest.approx(balanced_accuracy(counts))
    assert scores.macro_f1.value == pytest.approx(macro_f1(counts))
    yak = scores.per_class[3]
    assert (yak.pictures, yak.recall) == (0, None) and yak.answered == sum(r[3] for r in counts)
    cat = scores.per_class[0]
    assert cat.recall.value == pytest.approx(counts[0][0] / 30)
    assert cat.precision.value == pytest.approx(counts[0][0] / sum(row[0] for row in counts))


def test_withheld_answers_are_counted():
    scores, shares = judged(), soft(TRUTH)
    assert [row.at_least for row in scores.abstention] == list(AT_LEAST)
    for row in scores.abstention:
        kept = shares.max(axis=1) >= row.at_least
        assert row.answered == pytest.approx(kept.mean())
        if kept.any():
            right = shares.argmax(axis=1)[kept] == TRUTH[kept]
            assert row.accuracy.value == pytest.approx(right.mean())
        else:
            assert row.accuracy is None
    assert scores.abstention[0].accuracy == scores.accuracy


def test_mistakes_are_the_surest_and_typical_ones_are_right():
    scores, shares = judged(), soft(TRUTH)
    sureness = [one.probability for one in scores.mistakes]
    assert sureness == sorted(sureness, reverse=True)
    assert len(sureness) == min(WORST, scores.wrong)
    for one in scores.mistakes:
        assert one.truth == LABELS[one.picture] != one.answer
        assert one.probability >= one.truth_probability
    assert scores.typical[3] == -1
    for number, picture in enumerate(scores.typical[:3]):
        own = (number == TRUTH) & (shares.argmax(axis=1) == number)
        assert shares[picture].max() == shares[own].max()


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (3, 20), (950, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilsons_interval_is_that_of_scipy(right, n, level):
    found = wilson_interval(right, n, level)
    wanted = binomtest(right, n).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (3, 20), (950, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_binomial_interval_is_that_of_scipy(right, n, level):
    found = binomial_interval(right, n, level)
    wanted = binomtest(right, n).proportion_ci(level, method="exact")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert (found.value, found.n) == (right / n, n)
    with pytest.raises(InputError):
        binomial_interval(n + 1, n)


def test_the_bootstrap_is_that_of_pictures_drawn_one_by_one():
    """The cells are drawn at once; drawing pictures in a loop must spread as much."""
    scores = judge_classification(soft(TRUTH), LABELS, classes=CLASSES, resamples=4000)
    answers, draw = soft(TRUTH).argmax(axis=1), np.random.default_rng(1)
    found = []
    for _ in range(2000):
        rows = draw.integers(0, 90, 90)
        counts = np.zeros((4, 4), int)
        np.add.at(counts, (TRUTH[rows], answers[rows]), 1)
        found.append((balanced_accuracy(counts), macro_f1(counts)))
    low, high = np.quantile(found, [0.025, 0.975], axis=0)
    for place, one in enumerate((scores.balanced_accuracy, scores.macro_f1)):
        assert (one.low, one.high) == pytest.approx((low[place], high[place]), abs=0.015)


def proportion(right, n):
    found = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return found.low, found.high


def test_no_mistake_is_no_certainty():
    perfect = np.eye(4)[TRUTH]
    scores = judge_classification(perfect, LABELS, classes=CLASSES, resamples=100)
    bound = proportion(90, 90)[0]
    for one in (scores.accuracy, scores.balanced_accuracy, scores.macro_f1, scores.macro_auc):
        assert (one.value, one.high) == (1.0, 1.0) and 0.93 < one.low <= bound + 1e-12
    uneven = ["cat"] * 50 + ["dog"]
    scores = judge_classification(np.eye(4)[[0] * 50 + [1]], uneven, classes=CLASSES, resamples=100)
    assert scores.balanced_accuracy.low < 0.7, "one dog says little"
    wrong = judge_classification(np.eye(4)[TRUTH + 1], LABELS, classes=CLASSES, resamples=100)
    assert wrong.balanced_accuracy.low == 0 < wrong.balanced_accuracy.high < 0.1


def test_what_is_not_defined_is_said_so_and_never_0():
    share = np.array([[0.9, 0.1]])
    alone = judge_classification(share, ["cat"], classes=CLASSES[:2])
    assert alone.matthews is None and alone.macro_auc is None
    assert "all pictures are of one class: MCC and AUC not defined" in alone.warning
    assert "only 1 picture of 1 class: too few" in alone.warning
    assert (alone.macro_f1.low, alone.macro_f1.high) == (0, 1)
    alike = judge_classification(
        np.repeat(share, 40, axis=0), ["cat", "dog"] * 20, classes=CLASSES[:2], groups=["one"] * 40
    )
    assert (
        "all answers are alike: MCC not defined" in alike.warning and alike.macro_auc.value == 0.5
    )
    assert (alike.accuracy.low, alike.accuracy.high) == (0, 1), "one group says nothing of others"


def test_the_same_seed_gives_the_same_figures_and_json_is_whole():
    assert judged().to_json() == judged().to_json() != judged(seed=1).to_json()
    plain = json.loads(judged().to_json())
    assert plain["confusion_rates"][3] == [0, 0, 0, 0]
    assert sum(plain["confusion_rates"][0]) == pytest.approx(1)
    assert plain["accuracy"]["n"] == 90


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match=r"'dgo' is not one that the model .*did you mean 'dog'"):
        judge_classification(soft([0]), ["dgo"], classes=CLASSES)
    with pytest.raises(InputError, match="no picture to judge"):
        judge_classification(np.zeros((0, 4)), [], classes=CLASSES)
    with pytest.raises(InputError, match=r"must be \(90, 4\)"):
        judge_classification(soft(TRUTH)[:, :3], LABELS, classes=CLASSES)
    with pytest.raises(InputError, match="finite"):
        judge_classification(soft(TRUTH) * np.nan, LABELS, classes=CLASSES)
    with pytest.raises(SettingError, match="resamples"):
        judge_classification(soft(TRUTH), LABELS, classes=CLASSES, resamples=1)


# The report


def pictures(count=90):
    return list(np.random.default_rng(0).integers(0, 255, (count, 16, 16, 3), dtype=np.uint8))


def text_of(html):
    markup = re.compile(r"<svg.*?</svg>|<style.*?</style>|<[^>]*>", re.DOTALL)
    return " ".join(markup.sub(" ", html).split())


def test_the_report_states_the_figures_and_escapes_names():
    scores = judged()
    html = classification_report(
        scores,
        pictures=pictures(),
        note="A note.",
        history=[{"epoch": e, "loss": 1 / e, "validation_accuracy": 0.5} for e in (1, 2, 3)],
        about={"data": "made up"},
    )
    text = text_of(html)
    for found in (scores.accuracy, scores.balanced_accuracy, scores.per_class[0].recall):
        assert f"{100 * found.value:.1f} %" in text
        assert f"{100 * found.low:.1f} to {100 * found.high:.1f} %" in text
    assert f"{scores.wrong} of 90 pictures" in text and "A note." in text
    assert "No picture shows “ yak ”" in text
    assert html.count("<svg") == 6, "confusion, reliability, ROC, precision-recall, loss, score"
    assert "<script" not in html and "<b>" not in html
    assert html == classification_report(
        judged(),
        pictures=pictures(),
        note="A note.",
        history=[{"epoch": e, "loss": 1 / e, "validation_accuracy": 0.5} for e in (1, 2, 3)],
        about={"data": "made up"},
    )


def test_a_perfect_and_a_useless_classifier_are_called_so():
    perfect = judge_classification(np.eye(4)[TRUTH], LABELS, classes=CLASSES, resamples=100)
    assert "None: all 90 pictures" in classification_report(perfect, pictures=pictures())
    useless = judge_classification(
        np.tile([1.0, 0, 0, 0], (90, 1)), LABELS, classes=CLASSES, resamples=100
    )
    page = classification_report(useless, pictures=pictures())
    assert "always answering “<bdi>cat</bdi>” would be right for 33.3" in page
    assert "this was not shown to be better" in page and "fewer than 30" not in page
    assert "never answered, so that there is no precision" in page


def test_files_are_read_only_when_shown(tmp_path):
    scores = judged()
    needed = {one.picture for one in scores.mistakes} | {n for n in scores.typical if n >= 0}
    needed |= {number for cell in scores.cells for number in cell.pictures}
    paths = [tmp_path / f"{number:02d}.png" for number in range(90)]
    for number in needed:
        Image.fromarray(pictures()[number]).save(paths[number])
    assert paths[scores.mistakes[0].picture].name in classification_report(scores, pictures=paths)
    with pytest.raises(InputError, match="90 pictures, but 3"):
        classification_report(scores, pictures=paths[:3])


def test_a_hundred_classes_make_a_page_of_ordinary_size():
    truth, names = np.arange(2000) % 100, [f"kind {number:03d}" for number in range(100)]
    scores = judge_classification(
        soft(truth, strength=3, k=100), [names[t] for t in truth], classes=names, resamples=100
    )
    html = classification_report(scores, pictures=pictures(2000))
    assert 'class="wide"' in html and len(html) < 700_000
    assert html.count(">kind 042<") >= 3
