"""The running average of the weights, and patience."""

import math

import pytest
import torch
from torch import nn

from saccade.optim.patience import Patience
from saccade.training.average import WeightAverage


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def stir(module, seed):
    """Change every weight, and let batch normalisation see a batch."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
        module.train()(torch.randn(8, 3, generator=generator))


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_the_average_is_the_sum_over_the_steps_with_their_weights(decay):
    module = network()
    average = WeightAverage(module, decay=decay)
    seen = []
    for step in range(12):
        stir(module, step)
        average.update()
        seen.append({k: v.double().clone() for k, v in module.state_dict().items()})
    # By hand: step t keeps its share (1 - d_t) through all later decays d_s.
    decays = [min(decay, 1 - 1 / (t + 1)) for t in range(12)]
    shares = [(1 - d) * math.prod(decays[t + 1 :]) for t, d in enumerate(decays)]
    assert sum(shares) == pytest.approx(1)
    average.apply()
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            wanted = sum(share * state[name] for share, state in zip(shares, seen, strict=True))
            torch.testing.assert_close(value.double(), wanted, atol=1e-6, rtol=1e-5)
        else:
            assert value == seen[-1][name] == 12


def test_a_long_decay_is_the_plain_mean_of_a_short_run():
    module = network()
    average = WeightAverage(module, decay=0.999)
    weights = []
    for step in range(5):
        stir(module, step)
        average.update()
        weights.append(module[0].weight.detach().clone())
    average.apply()
    torch.testing.assert_close(module[0].weight.detach(), torch.stack(weights).mean(0))


def test_weights_that_do_not_move_are_their_own_average():
    module = network()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    average = WeightAverage(module, decay=0.9)
    average.apply()
    for _ in range(3):
        average.update()
    average.apply()
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


def test_an_average_goes_on_from_its_state():
    whole, parted = network(), network()
    first, second = WeightAverage(whole, decay=0.9), WeightAverage(parted, decay=0.9)
    for step in range(6):
        for module in (whole, parted):
            stir(module, step)
        first.update()
        second.update()
        if step == 3:
            kept = {k: v.clone() for k, v in second.state_dict().items()}
            second = WeightAverage(parted, decay=0.9)
            second.load_state_dict(kept)
    ends = [average.state_dict() for average in (first, second)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize(
    ("epochs", "figures", "stops_after"),
    [
        (0, [3, 3, 3, 3], None),
        (1, [3, 2, 1], None),
        (1, [3, 2, 2], 3),
        (2, [3, 4, 2, 2.5, 2], 5),
        (2, [1, 2, 3, 4], 3),
        (2, [math.nan, math.nan, 1], 2),
        (3, [math.nan, math.nan, 1], None),
    ],
)
def test_patience_ends_after_epochs_without_a_lower_figure(epochs, figures, stops_after):
    patience = Patience(epochs)
    ended = None
    for number, figure in enumerate(figures, 1):
        patience.saw(figure)
        resumed = Patience(epochs)
        resumed.restore(patience.state())
        assert resumed.ended == patience.ended
        if patience.ended and ended is None:
            ended = number
    assert ended == stops_after
