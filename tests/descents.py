"""What tests of optimisers share: a step of any of them, and small things to make small."""

import torch
from torch import nn

from saccade.data.batches import ShuffledBatches
from saccade.optim import WholeLossOptimiser, make_optimiser, one_cycle
from saccade.training.loop import train

# Rates at which each gets on with the small problems of the tests.
RATES = {
    "adadelta": 1.0,
    "adagrad": 0.1,
    "adam": 0.02,
    "adamw": 0.02,
    "asgd": 0.05,
    "gd": 0.05,
    "lbfgs": 1.0,
    "momentum": 0.01,
    "muon": 0.02,
    "nadam": 0.02,
    "nesterov": 0.01,
    "newton": 1.0,
    "rmsprop": 0.005,
    "sgd": 0.05,
}


def advance(optimiser, loss):
    """Take one step down ``loss()``; returns its value before."""
    if isinstance(optimiser, WholeLossOptimiser):
        return optimiser.descend(lambda: [loss()])[0]
    optimiser.zero_grad()
    value = loss()
    value.backward()
    optimiser.step()
    return float(value.detach())


def thirty_losses(task, pictures, targets, augment):
    """The losses of thirty steps on 36 pictures (36, H, W, c) uint8, twelve a step."""
    records = train(
        task,
        torch.from_numpy(pictures).permute(0, 3, 1, 2),
        torch.from_numpy(targets),
        batches=ShuffledBatches(36, batch_size=12, seed=0),
        augment=augment,
        optimiser=make_optimiser([task], name="adamw", lr=0.003, weight_decay=0.01),
        schedule=lambda progress: one_cycle(progress, warm_up=0.2),
        epochs=10,
        clip=5.0,
        seed=0,
    )
    losses = [record.loss for record in records]
    assert len(losses) == 30
    return losses


class Valley(nn.Module):
    """Rosenbrock's function of a matrix (1, 2), from its usual start; 0 at (1, 1)."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.tensor([[-1.2, 1.0]], dtype=torch.float64))

    def forward(self):
        x, y = self.place[0]
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2


class SmallCNN(nn.Module):
    """Cross-entropy of a network with each kind of parameter, on pictures drawn once."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 4)
        )
        self.pictures, self.targets = torch.randn(24, 2, 6, 6), torch.arange(24) % 4

    def forward(self):
        return nn.functional.cross_entropy(self.layers(self.pictures), self.targets)
