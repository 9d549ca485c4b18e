"""Precision by measuring: a clock that is told what to say."""

import pytest
import torch
from torch import nn

from saccade.training.precision import faster_precision

COSTS = {
    "bfloat16 is faster": (3.0, 2.0, torch.bfloat16),
    "float32 is faster": (2.0, 3.0, torch.float32),
    "a tie": (2.0, 2.0, torch.float32),
}


class Watched(nn.Module):
    """A network with batch normalisation that tells the clock which format it runs in."""

    def __init__(self, now, costs):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
        self.now, self.costs = now, costs

    def forward(self, pictures, targets):
        found = self.layers(pictures)
        # The first round warms up; were it counted, its time would turn the answer.
        warm = len(self.now["formats"]) >= 2
        self.now["formats"].append(torch.is_autocast_enabled("cpu"))
        self.now["s"] += self.costs[torch.is_autocast_enabled("cpu")] if warm else 1000.0
        return found.float().square().mean()

    def __deepcopy__(self, memo):
        copied = Watched(self.now, self.costs)
        copied.load_state_dict(self.state_dict())
        return copied


@pytest.mark.parametrize(("float32_s", "bfloat16_s", "chosen"), COSTS.values(), ids=COSTS)
def test_the_faster_format_is_kept_and_the_task_untouched(float32_s, bfloat16_s, chosen):
    now = {"s": 0.0, "formats": []}
    task = Watched(now, {False: float32_s, True: bfloat16_s})
    before = {k: v.clone() for k, v in task.state_dict().items()}
    batch, targets = torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    assert faster_precision(task, batch, targets, clock=lambda: now["s"]) == chosen
    assert now["formats"] == [False, True] * 4, "they take turns"
    assert all(torch.equal(v, before[k]) for k, v in task.state_dict().items())
    assert all(parameter.grad is None for parameter in task.parameters())
