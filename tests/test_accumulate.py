"""Gradients accumulated over micro-batches."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from saccade.augment import Augment
from saccade.data.batches import BalancedBatches
from saccade.optim import make_optimiser
from saccade.training.loop import steps_per_epoch, train

STILL = Augment(rotate=0, scale=0, shift=0, flip=0, brightness=0, contrast=0, erase=0)


class Plain(nn.Module):
    """Cross-entropy without batch normalisation: its mean over pictures does not see the batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * 24 * 24, 8), nn.Tanh(), nn.Linear(8, 6)
        )

    def forward(self, pictures, targets):
        return cross_entropy(self.layers(pictures), targets)


class Cut:
    """The same rows each epoch, cut into batches of these sizes."""

    def __init__(self, *sizes):
        self.parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])

    def __len__(self):
        return len(self.parts)

    def epoch(self, number):
        yield from self.parts


def run(shapes, batches, accumulate):
    task = Plain()
    pictures = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2)
    optimiser = make_optimiser([task], name="adamw", lr=0.01, weight_decay=0.0)
    records = list(
        train(
            task,
            pictures,
            torch.from_numpy(shapes[1]),
            batches=batches,
            augment=STILL,
            optimiser=optimiser,
            schedule=lambda progress: 1.0,
            epochs=3,
            clip=1.0,
            seed=0,
            accumulate=accumulate,
        )
    )
    return records, torch.cat([p.detach().flatten() for p in task.parameters()])


@pytest.mark.parametrize(
    ("sizes", "accumulate", "whole"),
    [
        ((12, 12, 12), 3, (36,)),
        ((9, 9, 9, 9), 2, (18, 18)),
        ((10, 10, 10, 6), 4, (36,)),  # A smaller micro-batch weighs less.
        ((12, 12, 12), 2, (24, 12)),  # The last step of an epoch has what is left.
    ],
)
def test_micro_batches_move_the_weights_as_the_whole_batch_does(shapes, sizes, accumulate, whole):
    ours, weights = run(shapes, Cut(*sizes), accumulate)
    theirs, wanted = run(shapes, Cut(*whole), 1)
    assert len(ours) == len(theirs) == 3 * len(whole)
    torch.testing.assert_close(weights, wanted, atol=2e-5, rtol=1e-4)
    for one, other in zip(ours, theirs, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-3)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-2)
        assert (one.step, one.epoch, one.epoch_ends) == (other.step, other.epoch, other.epoch_ends)


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 3), (2, 2), (3, 1), (100, 1)])
def test_steps_of_an_epoch(shapes, accumulate, steps):
    batches = BalancedBatches(shapes[1], classes_per_batch=4, pictures_per_class=3, seed=0)
    assert steps_per_epoch(batches, accumulate) == steps
    assert len(run(shapes, batches, accumulate)[0]) == 3 * steps
