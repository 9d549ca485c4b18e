"""Boxes at random as corners, many of them degenerate, for the tests of their geometry."""

import numpy as np
import torch

FEW, ALL = 500, 10_000  # cases: in the default run, and with the slow tests


def corners(rng, count):
    """(count, 4) float64, every number one that float32 holds too.

    A quarter are ordinary; others are of size 0, inverted, huge, far outside, on a coarse grid, so
    that they are equal or touch, or tiny.
    """
    low, sides = rng.uniform(-20, 100, (count, 2)), rng.uniform(1, 60, (count, 2))
    kind = rng.integers(0, 9, count)[:, None]
    axis = rng.integers(0, 2, count)[:, None] == np.arange(2)
    low = np.select(
        [kind == 3, kind == 4, kind >= 7], [low + 1e6, low - 1e6, 20 * (low // 20)], low
    )
    sides = np.select(
        [(kind == 0) & axis, (kind == 1) & axis, kind == 2, kind == 5, kind >= 7],
        [0 * sides, -sides, 1e6 * sides, sides / 1000, 20 * (sides // 20)],
        sides,
    )
    return np.concatenate([low, low + sides], 1).astype(np.float32).astype(np.float64)


def ordinary(rng, count):
    """(count, 4) float64: sides from 2 to 60, about a picture of 100 pixels."""
    low = rng.uniform(-20, 100, (count, 2))
    return np.concatenate([low, low + rng.uniform(2, 60, (count, 2))], 1)


def overlap_matrices(rng, count, anchors, boxes):
    """(count, anchors, boxes) float64 in [0, 1]; half of the matrices have many equal numbers."""
    found = np.maximum(rng.uniform(-0.5, 1, (count, anchors, boxes)), 0)
    coarse = rng.random(count) < 0.5
    found[coarse] = np.round(found[coarse] * 5) / 5
    return torch.from_numpy(found)
