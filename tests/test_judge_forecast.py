"""Figures of a forecaster: their definition, their intervals, the strips of the report."""

import json

import numpy as np
import pytest

from saccade.errors import InputError
from saccade.judge.forecast import ABSOLUTE, SQUARED, error_rows, judge_forecast
from saccade.judge.forecast_report import GAP, SHOWN, Strips, chosen, forecast_report, strip

N, AHEAD, SHAPE = 12, 3, (3, 6, 8)
NAMES = [f"s{n // 3}" for n in range(N)]


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, *SHAPE), dtype=np.uint8)


@pytest.fixture
def frames():
    return pictures(N, AHEAD), pictures(N, AHEAD, seed=1), pictures(N, seed=2)


def judged(frames, **changes):
    return judge_forecast(*frames, sequences=NAMES, seen=2, **changes)


def test_errors_equal_the_loop_over_pixels(frames):
    said, truth, last = frames
    rows = error_rows(said, truth, last)
    for n in (0, 7):
        for step in range(AHEAD):
            pairs = list(zip(said[n, step].ravel(), truth[n, step].ravel(), strict=True))
            kept = list(zip(last[n].ravel(), truth[n, step].ravel(), strict=True))
            for place, found in enumerate((pairs, kept)):
                off = [(int(a) - int(b)) / 255 for a, b in found]
                squared, absolute = rows[n, SQUARED, place, step], rows[n, ABSOLUTE, place, step]
                assert squared == pytest.approx(sum(o * o for o in off) / len(off))
                assert absolute == pytest.approx(sum(map(abs, off)) / len(off))
    scores = judged(frames)
    assert scores.squared.error.value == pytest.approx(rows[:, SQUARED, 0].mean())
    wanted = rows[:, ABSOLUTE, 0].mean() / rows[:, ABSOLUTE, 1].mean()
    assert scores.absolute.ratio.value == pytest.approx(wanted)
    second = scores.steps[1]
    assert second.ahead == 2
    assert second.squared.repeated.value == pytest.approx(rows[:, SQUARED, 1, 1].mean())


def test_repeating_has_the_ratio_one_and_who_is_right_zero(frames):
    _, truth, last = frames
    same = judged((np.repeat(last[:, None], AHEAD, axis=1), truth, last))
    assert (same.squared.ratio.value, same.absolute.ratio.value) == (1.0, 1.0)
    assert "not shown to be better than repeating the last frame: squared" in same.warning
    right = judged((truth, truth, last))
    assert (right.squared.error.value, right.squared.ratio.value) == (0.0, 0.0)
    assert right.squared.ratio.high == 0.0


def test_where_nothing_moves_there_is_no_ratio(frames):
    said, _, last = frames
    scores = judged((said, np.repeat(last[:, None], AHEAD, axis=1), last))
    assert scores.squared.ratio is None and scores.squared.repeated.value == 0.0
    assert scores.remarks == ("nothing moves: repeating the last frame makes no error",)
    assert [name for name, _ in scores.headline] == ["squared error", "absolute error"]
    page = forecast_report(scores, strips((said, said, last)))
    assert "Nothing moves in these sequences" in page


def test_the_interval_is_over_sequences_and_holds_the_ratio(frames):
    """Windows of one sequence that are all alike tell no more than one of them."""
    scores = judged(frames)
    assert (scores.sequences, scores.windows, scores.squared.ratio.n) == (4, N, 4)
    ratio = scores.squared.ratio
    assert ratio.low < ratio.value < ratio.high
    ten = [np.repeat(one, 10, axis=0) for one in frames]
    again = judge_forecast(*ten, sequences=np.repeat(NAMES, 10).tolist(), seen=2)
    wanted = pytest.approx((ratio.low, ratio.value, ratio.high))
    assert (again.squared.ratio.low, again.squared.ratio.value, again.squared.ratio.high) == wanted
    assert json.loads(scores.to_json())["steps"][2]["ahead"] == 3
    assert "only 4 sequences" in scores.warning and "12 windows of 2 frames" in scores.basis


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """The ratio of gamma errors, whose truth is known: 200 draws of 20 sequences, a pixel each."""
    held, draw = 0, np.random.default_rng(3)
    for _ in range(200):
        said, kept = (draw.normal(0, s, (20, 1, 1, 8, 8)) for s in (20.0, 40.0))
        middle = np.full((20, 1, 1, 8, 8), 128, np.uint8)
        frames = [np.rint(128 + one).clip(0, 255).astype(np.uint8) for one in (said, kept)]
        found = judge_forecast(
            frames[0], middle, frames[1][:, 0], sequences=list(map(str, range(20))), seen=1,
            resamples=200,
        ).absolute.ratio  # fmt: skip
        held += found.low <= 0.5 <= found.high
    assert 180 <= held <= 199


def test_what_does_not_fit_is_refused(frames):
    said, truth, last = frames
    with pytest.raises(InputError, match="must be"):
        judge_forecast(said, truth[:, :2], last, sequences=NAMES, seen=2)
    with pytest.raises(InputError, match="two sequences or more"):
        judge_forecast(said, truth, last, sequences=["one"] * N, seen=2)
    with pytest.raises(InputError, match="were given"):
        forecast_report(judged(frames), strips([one[:3] for one in frames]))


def strips(frames):
    said, truth, last = frames
    names = [f"frame_{n}.png" for n in range(len(said))]
    return Strips(np.stack([last, last], axis=1), said, truth, NAMES, names)


def test_a_strip_has_the_truth_above_and_the_answer_below():
    given, said, truth = pictures(2), pictures(3, seed=1), pictures(3, seed=2)
    drawn = strip(given, said, truth)
    factor = round(96 / 8)
    high, wide = 6 * factor, 8 * factor
    assert drawn.shape == (2 * high + GAP, 5 * wide + 4 * GAP, 3)

    def at(row, place):
        top, left = row * (high + GAP), place * (wide + GAP)
        return drawn[top : top + high : factor, left : left + wide : factor]

    for place, frame in enumerate([*given, *truth]):
        np.testing.assert_array_equal(at(0, place), frame.transpose(1, 2, 0))
    for place, frame in enumerate(said):
        np.testing.assert_array_equal(at(1, 2 + place), frame.transpose(1, 2, 0))
    assert (at(1, 0) == 255).all()
    grey = strip(given[:, :1], said[:, :1], truth[:, :1])
    assert grey.shape == drawn.shape and (grey[..., 0] == grey[..., 2]).all()


def test_the_worst_are_of_different_sequences_and_none_is_shown_twice():
    errors = np.random.default_rng(0).random(60)
    worst, others = chosen(errors, [f"s{n // 6}" for n in range(60)])
    assert len(worst) == len(others) == SHOWN // 2
    assert worst[0] == errors.argmax() and others[0] == errors.argmin()
    assert len({row // 6 for row in worst}) == len(worst)
    assert not set(worst) & set(others) and len(set(others)) == len(others)


def test_the_page_shows_strips_of_modest_size(frames):
    page = forecast_report(judged(frames), strips(frames), about={"model": "convlstm"})
    assert page.count("data:image/png") == 4 + 6
    assert "after frame_" in page and len(page) < 2_000_000
