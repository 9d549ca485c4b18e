"""What every schedule of the learning rate must keep."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.optim import FINAL_SHARE, SCHEDULES

WARM_UP = st.just(0.0) | st.floats(0.01, 0.9)
# The share at the end of the run.
ENDS = {"constant": 1.0, "cosine": 0.0, "one_cycle": FINAL_SHARE}
STEP = 1e-6


def test_every_schedule_has_its_end_here():
    assert set(ENDS) == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
@given(progress=st.floats(0, 1), warm_up=WARM_UP)
def test_the_share_is_continuous_and_stays_between_zero_and_one(name, progress, warm_up):
    share = SCHEDULES[name](progress, warm_up=warm_up)
    assert 0 <= share <= 1
    # No flank is steeper than half a cosine over the shorter of rise and fall.
    steepest = math.pi / 2 / min(warm_up or 1.0, 1 - warm_up)
    after = SCHEDULES[name](min(1.0, progress + STEP), warm_up=warm_up)
    assert abs(after - share) <= 1.01 * steepest * STEP + 1e-12


@pytest.mark.parametrize("name", SCHEDULES)
@given(one=st.floats(0, 1), other=st.floats(0, 1), warm_up=WARM_UP)
def test_the_share_rises_to_one_then_never_rises(name, one, other, warm_up):
    low, high = sorted((one, other))
    first, second = (SCHEDULES[name](place, warm_up=warm_up) for place in (low, high))
    assert SCHEDULES[name](warm_up, warm_up=warm_up) == 1
    if high <= warm_up:
        assert first <= second + 1e-12
    if low >= warm_up:
        assert first >= second - 1e-12


@pytest.mark.parametrize("name", SCHEDULES)
@given(warm_up=WARM_UP)
def test_the_share_at_the_end(name, warm_up):
    assert SCHEDULES[name](1.0, warm_up=warm_up) == pytest.approx(ENDS[name], abs=1e-12)


@pytest.mark.parametrize(("progress", "share"), [(0.1, 0.5), (0.2, 1.0), (0.6, 0.5), (1.0, 0.0)])
def test_cosine_by_hand(progress, share):
    assert SCHEDULES["cosine"](progress, warm_up=0.2) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize(("progress", "share"), [(0.05, 0.25), (0.2, 1.0), (0.9, 1.0)])
def test_constant_by_hand(progress, share):
    assert SCHEDULES["constant"](progress, warm_up=0.2) == pytest.approx(share)
