"""Each 95 % interval of a classifier's figures holds the true figure in 93 to 97 of 100 cases."""

import numpy as np
import pytest

from saccade.judge.classification import judge_classification
from saccade.metrics import Margins
from saccade.metrics.calibration import brier_scores
from saccade.metrics.ranking import ranking_areas

REPETITIONS = 2000
NAMES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "matthews",
    "macro_precision",
    "weighted_precision",
    "weighted_f1",
    "macro_auc",
    "macro_average_precision",
)


def drawn(rng, n, shares, strength):
    """Probabilities of n pictures whose classes are as common as ``shares`` say."""
    truth = rng.choice(len(shares), n, p=shares)
    logits = rng.normal(size=(n, len(shares)))
    logits[np.arange(n), truth] += strength
    found = np.exp(strength * logits + np.log(shares))
    return found / found.sum(axis=1, keepdims=True), truth


def true_figures(shares, strength):
    found, truth = drawn(np.random.default_rng(99), 1_000_000, shares, strength)
    answers, k = found.argmax(axis=1), len(shares)
    margins = Margins.of(np.bincount(truth * k + answers, minlength=k * k).reshape(k, k))
    areas = np.array([ranking_areas(truth == c, found[:, c]) for c in range(k)]).mean(axis=0)
    figures = {
        "accuracy": margins.accuracy(),
        "balanced_accuracy": margins.balanced_accuracy(),
        "macro_f1": margins.macro_f1(),
        "matthews": margins.matthews(),
        "macro_precision": margins.macro_precision(),
        "weighted_precision": margins.weighted(margins.precision()),
        "weighted_f1": margins.weighted(margins.f1()),
        "macro_auc": areas[0],
        "macro_average_precision": areas[1],
        "too_sure": found.max(axis=1).mean() - (answers == truth).mean(),
        "brier": brier_scores(found, truth).mean(),
        "recall": margins.recall()[0],
    }
    return {name: float(value) for name, value in figures.items()}


def coverage(n, shares, strength, groups_of=1):
    """The share of repetitions, by figure, in which the interval held the true figure."""
    wanted, rng = true_figures(shares, strength), np.random.default_rng(7)
    held = dict.fromkeys(wanted, 0)
    labels = [f"c{number}" for number in range(len(shares))]
    for _ in range(REPETITIONS):
        found, truth = drawn(rng, n // groups_of, shares, strength)
        found, truth = np.repeat(found, groups_of, axis=0), np.repeat(truth, groups_of)
        groups = None
        if groups_of > 1:
            groups = [f"g{number // groups_of}" for number in range(len(truth))]
        scores = judge_classification(
            found, [labels[t] for t in truth], classes=labels, resamples=200, groups=groups
        )
        seen = {name: getattr(scores, name) for name in NAMES}
        seen |= {"too_sure": scores.calibration.too_sure, "brier": scores.calibration.brier}
        seen["recall"] = scores.per_class[0].recall
        for name, one in seen.items():
            held[name] += one is not None and one.low <= wanted[name] <= one.high
    return {name: count / REPETITIONS for name, count in held.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "shares", "strength"),
    [(100, (0.5, 0.5), 1.2), (150, (0.6, 0.25, 0.15), 1.6)],
)
def test_intervals_hold_the_truth_as_often_as_they_say(n, shares, strength):
    found = coverage(n, np.array(shares), strength)
    assert {name: share for name, share in found.items() if not 0.93 <= share <= 0.97} == {}


@pytest.mark.slow
def test_intervals_of_groups_hold_the_truth_as_often_as_they_say():
    found = coverage(400, np.array((0.5, 0.5)), 1.2, groups_of=4)
    assert {name: share for name, share in found.items() if not 0.93 <= share <= 0.97} == {}
