"""The one-cycle rate and the table of optimisers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from saccade.errors import UnknownNameError
from saccade.optim import FINAL_SHARE, OPTIMISERS, make_optimiser, one_cycle, takes_whole_loss
from tests.descents import RATES, advance

WARM_UP = st.just(0.0) | st.floats(0.01, 0.9)


@given(st.floats(0, 1), WARM_UP)
def test_the_rate_stays_between_its_end_and_one(progress, warm_up):
    assert FINAL_SHARE - 1e-12 <= one_cycle(progress, warm_up=warm_up) <= 1


@given(WARM_UP)
def test_the_rate_peaks_after_warm_up_and_ends_low(warm_up):
    assert one_cycle(warm_up, warm_up=warm_up) == 1
    assert one_cycle(1.0, warm_up=warm_up) == pytest.approx(FINAL_SHARE, abs=1e-12)
    start = 1.0 if warm_up == 0 else FINAL_SHARE
    assert one_cycle(0.0, warm_up=warm_up) == pytest.approx(start)


@given(st.floats(0, 1), st.floats(0, 1), WARM_UP)
def test_the_rate_rises_then_falls(one, other, warm_up):
    low, high = sorted((one, other))
    first, second = one_cycle(low, warm_up=warm_up), one_cycle(high, warm_up=warm_up)
    if high <= warm_up:
        assert first <= second + 1e-12
    if low >= warm_up:
        assert first >= second - 1e-12


@given(st.floats(0, 1), WARM_UP)
def test_the_rate_is_continuous(progress, warm_up):
    step = 1e-6
    steepest = math.pi / 2 / min(warm_up or 1.0, 1 - warm_up)
    jump = one_cycle(min(1.0, progress + step), warm_up=warm_up) - one_cycle(
        progress, warm_up=warm_up
    )
    assert abs(jump) <= 1.01 * steepest * step + 1e-12


def test_the_rate_halfway_down():
    assert one_cycle(0.6, warm_up=0.2) == pytest.approx((1 + FINAL_SHARE) / 2)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_weight_decay_acts_on_matrices_only(name):
    model = network()
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    optimiser = make_optimiser([model], name=name, lr=0.01, weight_decay=0.5)
    advance(optimiser, lambda: sum(0 * p.sum() for p in model.parameters()))
    for key, parameter in model.named_parameters():
        if parameter.ndim > 1:
            assert parameter.norm() < before[key].norm()
        else:
            assert torch.equal(parameter, before[key])


@pytest.mark.parametrize("name", OPTIMISERS)
def test_all_modules_are_moved_and_frozen_parameters_are_not(name):
    first, second = network(), nn.Linear(3, 3)
    first[0].weight.requires_grad_(False)
    optimiser = make_optimiser([first, second], name=name, lr=0.1, weight_decay=0.0)
    held = {id(p) for group in optimiser.param_groups for p in group["params"]}
    wanted = {*first.parameters(), *second.parameters()} - {first[0].weight}
    assert held == {id(p) for p in wanted}
    assert all(group["lr"] == 0.1 for group in optimiser.param_groups)


@pytest.mark.parametrize("name", [name for name in OPTIMISERS if not takes_whole_loss(name)])
def test_a_slow_part_takes_its_share_of_the_rate(name):
    first, second = network(), network()
    optimiser = make_optimiser(
        [first, second], name=name, lr=0.5, weight_decay=0.3, slow=second, slow_share=0.5
    )
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    assert {rates.pop(id(p)) for p in first.parameters()} == {0.5}
    assert {rates.pop(id(p)) for p in second.parameters()} == {0.25}
    assert rates == {}
    for group in optimiser.param_groups:
        decays = {0.3 if p.ndim > 1 else 0.0 for p in group["params"]}
        assert decays == {group["weight_decay"]}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_lowers_a_quadratic(name):
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    inputs, goal = torch.randn(32, 4), torch.randn(32, 3)
    best = torch.linalg.lstsq(torch.cat([inputs, torch.ones(32, 1)], 1), goal).solution
    lowest = float(((torch.cat([inputs, torch.ones(32, 1)], 1) @ best - goal) ** 2).mean())
    optimiser = make_optimiser([model], name=name, lr=RATES[name], weight_decay=0.0)
    steps = 20 if takes_whole_loss(name) else 600
    losses = [
        advance(optimiser, lambda: ((model(inputs) - goal) ** 2).mean()) for _ in range(steps)
    ]
    assert losses[0] > 1.2 * lowest
    assert losses[-1] == pytest.approx(lowest, rel=1e-3)


def test_an_unknown_optimiser_is_refused():
    with pytest.raises(UnknownNameError, match="no optimiser 'newtom'; did you mean 'newton'"):
        make_optimiser([network()], name="newtom", lr=0.1, weight_decay=0.0)
