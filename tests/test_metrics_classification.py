"""Figures of a classifier against scikit-learn, with classes absent from truth or answers."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as judge

from saccade.errors import InputError
from saccade.metrics import Margins, accuracy, balanced_accuracy, confusion_matrix, macro_f1

PAIRS = st.integers(2, 7).flatmap(
    lambda k: st.tuples(
        st.just(k),
        st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=40),
    )
)


def balanced_by_scikit_learn(truth, answers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes that are answered and never shown
        return judge.balanced_accuracy_score(truth, answers)


@given(drawn=PAIRS)
def test_every_figure_equals_scikit_learn(drawn):
    k, pairs = drawn
    truth, answers = map(list, zip(*pairs, strict=True))
    counts = confusion_matrix(truth, answers, classes=k)
    labels = range(k)
    np.testing.assert_array_equal(counts, judge.confusion_matrix(truth, answers, labels=labels))
    assert accuracy(counts) == pytest.approx(judge.accuracy_score(truth, answers))
    assert balanced_accuracy(counts) == pytest.approx(balanced_by_scikit_learn(truth, answers))
    assert macro_f1(counts) == pytest.approx(
        judge.f1_score(truth, answers, average="macro", zero_division=0)
    )
    precision, recall, f1, support = judge.precision_recall_fscore_support(
        truth, answers, labels=labels, zero_division=np.nan
    )
    margins = Margins.of(counts)
    np.testing.assert_allclose(margins.precision(), precision)
    np.testing.assert_allclose(margins.recall(), recall)
    np.testing.assert_allclose(margins.f1(), f1)
    np.testing.assert_array_equal(margins.shown, support)


def test_many_matrices_at_once_equal_one_after_the_other():
    draw = np.random.default_rng(0)
    tables = draw.integers(0, 4, (20, 5, 5))
    tables[:, 2] = 0
    together = Margins(
        np.diagonal(tables, axis1=1, axis2=2), tables.sum(axis=2), tables.sum(axis=1)
    )
    np.testing.assert_allclose(together.accuracy(), [accuracy(one) for one in tables])
    np.testing.assert_allclose(
        together.balanced_accuracy(), [balanced_accuracy(one) for one in tables]
    )
    np.testing.assert_allclose(together.macro_f1(), [macro_f1(one) for one in tables])


@pytest.mark.parametrize(
    ("truth", "answers", "said"),
    [
        ([], [], "not empty"),
        ([0, 1], [0], "one length"),
        ([[0]], [[0]], "flat"),
        ([0, 2], [0, 1], "truth must hold whole numbers from 0 to 1"),
        ([0, 1], [0, -1], "answers must hold whole numbers"),
        ([0, 1], [0.0, 1.0], "answers must hold whole numbers"),
    ],
)
def test_what_makes_no_matrix_is_refused(truth, answers, said):
    with pytest.raises(InputError, match=said):
        confusion_matrix(truth, answers, classes=2)


@pytest.mark.parametrize("counts", [[[0, 0], [0, 0]], [[1, 2]], [1, 2]])
def test_a_matrix_that_is_none_is_refused(counts):
    with pytest.raises(InputError, match="must be square"):
        accuracy(counts)
