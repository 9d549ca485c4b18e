"""Areas, curves and averages of 1,000 random cases, with ties, weights and missing classes."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as judge

from saccade.errors import InputError
from saccade.metrics import Margins, confusion_matrix, matthews
from saccade.metrics.ranking import Ranking, ranking_areas

CASES = 1000
FEW_CASES = 100
COUNTS = pytest.mark.parametrize("count", [FEW_CASES, pytest.param(CASES, marks=pytest.mark.slow)])
EXACT = {"abs": 1e-12, "rel": 1e-12, "nan_ok": True}


def cases(seed, count):
    """Truths, answers and weights of at most 60 pictures and 6 classes, some never shown."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        k, n = int(rng.integers(2, 7)), int(rng.integers(1, 60))
        shown = rng.integers(0, k if number % 3 else 1, n)  # every third case: one class
        weights = rng.random(n) * (rng.random(n) < 0.8) if number % 2 else None
        if weights is None or weights.any():
            yield rng, k, shown, rng.integers(0, k, n), weights


@COUNTS
def test_averages_and_matthews_equal_scikit_learn(count):
    for _, k, truth, answers, weights in cases(0, count):
        margins = Margins.of(confusion_matrix(truth, answers, classes=k, weights=weights))
        how = {"labels": np.arange(k), "zero_division": np.nan, "sample_weight": weights}
        precision, recall, f1, _ = judge.precision_recall_fscore_support(truth, answers, **how)
        assert margins.f1() == pytest.approx(f1, **EXACT)
        found = (margins.macro_precision(), margins.balanced_accuracy(), margins.macro_f1())
        for one, wanted in zip(found, (precision, recall, f1), strict=True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of means of nothing
                assert float(one) == pytest.approx(np.nanmean(wanted), **EXACT)
        for name, of_class in (("precision", precision), ("f1", f1)):
            score = getattr(judge, f"{name}_score")
            wanted = score(truth, answers, average="weighted", **how)
            found = float(margins.weighted(of_class))
            assert (0.0 if np.isnan(found) else found) == pytest.approx(wanted, abs=1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a single class
            wanted = judge.matthews_corrcoef(truth, answers, sample_weight=weights)
        found = float(margins.matthews())
        if np.isnan(found):
            assert wanted == 0.0, "scikit-learn says 0 where it is not defined"
        else:
            assert found == pytest.approx(wanted, abs=1e-12)


@COUNTS
def test_areas_equal_scikit_learn(count):
    for rng, _, truth, _, weights in cases(1, count):
        of_class, scores = truth == 0, rng.integers(0, rng.integers(1, 30), len(truth)) / 7
        area, precision = ranking_areas(of_class, scores, weights)
        counted = np.ones(len(truth)) if weights is None else weights
        if not counted[of_class].any():
            assert np.isnan(area) and np.isnan(precision)
            continue
        wanted = judge.average_precision_score(of_class, scores, sample_weight=weights)
        assert precision == pytest.approx(wanted, abs=1e-12)
        if counted[~of_class].any():
            wanted = judge.roc_auc_score(of_class, scores, sample_weight=weights)
            assert area == pytest.approx(wanted, abs=1e-12)
        else:
            assert np.isnan(area)


@COUNTS
def test_curves_equal_scikit_learn(count):
    for rng, _, truth, _, _ in cases(2, count):
        of_class, scores = truth == 0, rng.integers(0, 20, len(truth)) / 19
        if of_class.all() or not of_class.any():
            continue
        curve = Ranking.of(of_class, scores).curve()
        alarms, found, thresholds = judge.roc_curve(of_class, scores, drop_intermediate=False)
        np.testing.assert_allclose(curve.thresholds, thresholds[1:], atol=1e-12)
        np.testing.assert_allclose(curve.false_alarms, alarms[1:], atol=1e-12)
        np.testing.assert_allclose(curve.recall, found[1:], atol=1e-12)
        precision, _, _ = judge.precision_recall_curve(of_class, scores)
        np.testing.assert_allclose(curve.precision, precision[:-1][::-1], atol=1e-12)


def test_many_weightings_at_once_are_one_after_the_other():
    rng = np.random.default_rng(3)
    of_class, scores = rng.random(50) < 0.3, rng.integers(0, 9, 50) / 8
    counts = rng.integers(0, 3, (50, 20)).astype(np.float32)
    areas, precisions = Ranking.of(of_class, scores).areas(counts)
    for column in range(20):
        times = counts[:, column].astype(int)
        pair = ranking_areas(np.repeat(of_class, times), np.repeat(scores, times))
        assert (areas[column], precisions[column]) == pytest.approx(pair, abs=1e-6)


def test_what_has_no_order_is_refused():
    with pytest.raises(InputError, match="finite"):
        ranking_areas([True, False], [0.5, np.nan])
    with pytest.raises(InputError, match="a truth and a score"):
        ranking_areas([True], [0.5, 0.1])
    for weights in ([1.0], [0.0, 0.0], [-1.0, 1.0], [np.nan, 1.0]):
        with pytest.raises(InputError, match="weights must be 2 finite"):
            ranking_areas([True, False], [0.5, 0.1], weights)
    assert np.isnan(matthews([[3, 0], [0, 0]]))
