"""Figures of a regressor against scikit-learn, in any unit and with truth that never varies."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as judge

from saccade.errors import InputError
from saccade.metrics import mae, r2, rmse
from saccade.metrics.regression import Moments, moment_rows

NUMBERS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
PAIRS = st.integers(1, 4).flatmap(
    lambda k: st.lists(
        st.tuples(*[st.lists(NUMBERS, min_size=k, max_size=k)] * 2), min_size=1, max_size=30
    )
)


@settings(max_examples=40)
@given(drawn=PAIRS)
def test_every_figure_equals_scikit_learn(drawn):
    truth, values = (np.array(side) for side in zip(*drawn, strict=True))
    assert mae(truth, values) == pytest.approx(judge.mean_absolute_error(truth, values))
    assert rmse(truth, values) == pytest.approx(judge.root_mean_squared_error(truth, values))
    if len(truth) > 1 and (np.ptp(truth, axis=0) > 0).all():
        expected = judge.r2_score(truth, values)
        assert r2(truth, values) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    else:
        assert math.isnan(r2(truth, values))


def test_each_target_has_its_own_figures():
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(40, 3)) * [1, 1000, 1e-6]
    values = truth + draw.normal(size=(40, 3)) * [0.1, 300, 1e-6]
    found = Moments.of(moment_rows(truth, values).mean(axis=0))
    raw = {"multioutput": "raw_values"}
    np.testing.assert_allclose(found.mae(), judge.mean_absolute_error(truth, values, **raw))
    np.testing.assert_allclose(found.rmse(), judge.root_mean_squared_error(truth, values, **raw))
    np.testing.assert_allclose(found.r2(), judge.r2_score(truth, values, **raw))


def test_numbers_far_from_zero_lose_no_digit():
    truth = 1.7e9 + np.arange(50.0)
    values = truth + np.tile([0.5, -0.5], 25)
    assert r2(truth, values) == pytest.approx(1 - 0.25 / np.arange(50).var(), rel=1e-9)


def test_truth_that_never_varies_has_no_r2_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (0.0, 0.1, 1e9 + 0.3):
            assert math.isnan(r2([value] * 7, [1.0] * 7))


@pytest.mark.parametrize(
    ("truth", "values", "expected"),
    [
        ([], [], "not empty"),
        ([1, 2], [1, 2, 3], "alike"),
        ([[1, 2]], [[1], [2]], "alike"),
        ([1, np.nan], [1, 2], "NaN"),
        ([1, 2], [1, np.inf], "infinity"),
    ],
)
def test_what_cannot_be_compared_is_refused(truth, values, expected):
    with pytest.raises(InputError, match=expected):
        mae(truth, values)
