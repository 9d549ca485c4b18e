"""Calibration against its definition, the temperature against a grid, both against chance."""

import numpy as np
import pytest

from saccade.errors import InputError
from saccade.judge.answers import Answers
from saccade.judge.calibration import judge_calibration
from saccade.metrics.calibration import (
    at_temperature,
    brier_scores,
    calibration_error,
    fit_temperature,
    log_losses,
    reliability,
)


def drawn(n, k, *, strength=2.0, temperature=1.0, seed=0):
    """Probabilities that are calibrated at a temperature of 1, and the truth."""
    rng = np.random.default_rng(seed)
    truth, logits = rng.integers(0, k, n), rng.normal(size=(n, k))
    logits[np.arange(n), truth] += strength
    shares = np.exp(logits * strength / temperature)
    return shares / shares.sum(axis=1, keepdims=True), truth


def test_the_error_is_its_definition():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n, bins = int(rng.integers(1, 80)), int(rng.integers(1, 20))
        sure, right = rng.integers(0, 21, n) / 20, rng.random(n) < 0.5
        error = 0.0
        for number in range(bins):
            low, high = number / bins, (number + 1) / bins
            inside = [i for i in range(n) if (low < sure[i] or number == 0) and sure[i] <= high]
            if inside:
                error += len(inside) / n * abs(np.mean(sure[inside]) - np.mean(right[inside]))
        assert calibration_error(reliability(sure, right, bins=bins)) == pytest.approx(error)


def test_brier_and_logarithm_are_their_definitions():
    shares, truth = drawn(50, 3)
    one_hot = np.eye(3)[truth]
    assert brier_scores(shares, truth) == pytest.approx(((shares - one_hot) ** 2).sum(axis=1))
    assert log_losses(shares, truth) == pytest.approx(-np.log((shares * one_hot).sum(axis=1)))
    assert np.isfinite(log_losses([[1.0, 0.0]], [1])).all()


@pytest.mark.parametrize("wanted", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(wanted):
    shares, truth = drawn(20_000, 4, temperature=1 / wanted)
    assert fit_temperature(shares, truth) == pytest.approx(wanted, rel=0.03)
    mended = at_temperature(shares, fit_temperature(shares, truth))
    assert (mended.argmax(axis=1) == shares.argmax(axis=1)).all()
    right = mended.argmax(axis=1) == truth
    assert calibration_error(reliability(mended.max(axis=1), right)) < 0.02


def test_the_temperature_is_the_best_of_a_grid_and_never_makes_certainty_of_few():
    shares, truth = drawn(60, 3, seed=3)
    found, n, k = fit_temperature(shares, truth), 60, 3
    soft = np.full((n, k), 1 / (n + k))
    soft[np.arange(n), truth] = (n + 1) / (n + k)

    def loss(temperature):
        return -(soft * np.log(at_temperature(shares, temperature))).sum(axis=1).mean()

    assert loss(found) <= min(map(loss, np.geomspace(0.05, 20, 400))) + 1e-7
    sure = np.where(np.eye(3)[[0, 1, 2] * 10], 0.8, 0.1)
    always = at_temperature(sure, fit_temperature(sure, [0, 1, 2] * 10))
    assert 0.9 < always.max() < 0.98, "30 of 30 right is no certainty"


def test_what_is_no_probability_is_refused():
    with pytest.raises(InputError, match="from 0 to 1"):
        reliability([1.2], [True])
    with pytest.raises(InputError, match="a probability and an outcome"):
        reliability([], [])


def judged(shares, truth, **how):
    answers = Answers(truth, shares.argmax(axis=1), shares.max(axis=1), shares)
    settings = {"groups": None, "seed": 0, "resamples": 200, "level": 0.95}
    return judge_calibration(answers, **(settings | how))


def test_the_sentence_says_what_was_found():
    assert "too sure by" in judged(*drawn(500, 3, temperature=0.3)).sentence
    assert "not sure enough by" in judged(*drawn(500, 3, temperature=4)).sentence
    assert "not shown to be wrong" in judged(*drawn(500, 3)).sentence


@pytest.mark.slow
def test_calibrated_probabilities_exceed_the_chance_error_as_seldom_as_it_says():
    above = [
        (found := judged(*drawn(150, 3, seed=seed), resamples=100)).error > found.by_chance
        for seed in range(2000)
    ]
    assert 0.03 <= np.mean(above) <= 0.07
