"""The last linear map of an embedding, fitted in closed form after training.

Hatch, Kajarekar, Stolcke, "Within-class covariance normalization for SVM-based speaker
recognition", Interspeech 2006: directions in which pictures of one class differ are made short.
Classes never seen in training are told apart better so than by the layer that was trained, which
keeps only what separates the classes it has seen (as found for the head of SimCLR: Chen et al.,
2020, arXiv:2002.05709, section 4.2). We differ: features are first brought to their leading
principal components, and of the whitened directions those with the most variance are kept.
"""

import torch
from torch import Tensor

from saccade.errors import InputError

MAX_COMPONENTS = 300
EXACT_SIDE = 1000  # of a matrix; above it the leading directions are found by random projection
OVERSAMPLING, POWER_STEPS = 20, 6
SMALLEST = 1e-9  # of the largest eigenvalue; below it is rounding


def within_class_whitening(
    features: Tensor, targets: Tensor, *, dimension: int, shrinkage: float
) -> tuple[Tensor, Tensor]:
    """Return (weight (dimension, f), bias (dimension,)) float32 of the map ``weight @ x + bias``.

    ``features`` is (n, f) float and ``targets`` (n,) int64. ``shrinkage`` (0 to 1) mixes the
    within-class covariance with a multiple of the identity that has the same trace. Rows beyond the
    rank of the data are zero.
    """
    rows = features.double()
    mean = rows.mean(0)
    centred = rows - mean
    if not centred.any():
        raise InputError("the network sees no difference between the pictures; are they all alike?")
    components = _principal(centred, min(MAX_COMPONENTS, len(rows) - 1))
    reduced = centred @ components
    residual = reduced - _class_means(reduced, targets)[targets]
    whiten = _whiten(residual.T @ residual / len(residual), shrinkage)
    turn = _principal(reduced @ whiten, dimension)
    kept = components @ whiten @ turn
    weight = torch.zeros(dimension, features.shape[1], dtype=torch.float64)
    weight[: kept.shape[1]] = kept.T
    return weight.float(), -(weight @ mean).float()


def _whiten(covariance: Tensor, shrinkage: float) -> Tensor:
    """(k, k) map that makes the shrunk covariance the identity; no change where it is zero."""
    even = torch.eye(len(covariance), dtype=covariance.dtype)
    trace = covariance.trace()
    if trace <= 0:  # One picture a class: nothing says how pictures of a class differ.
        return even
    shrunk = (1 - shrinkage) * covariance + shrinkage * even * trace / len(covariance)
    values, vectors = torch.linalg.eigh(shrunk)
    scaled: Tensor = vectors / values.clamp(min=values.max() * SMALLEST).sqrt()
    return scaled


def _principal(centred: Tensor, count: int) -> Tensor:
    """(f, k) orthonormal columns: the leading principal directions, k ≤ ``count`` and the rank.

    Large inputs are decomposed by random projection (Halko, Martinsson, Tropp, 2011,
    arXiv:0909.4061), with a fixed seed.
    """
    if min(centred.shape) <= EXACT_SIDE:
        _, lengths, rows = torch.linalg.svd(centred, full_matrices=False)
        columns = rows.T
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            width = count + OVERSAMPLING
            _, lengths, columns = torch.svd_lowrank(centred, q=width, niter=POWER_STEPS)
    chosen = lengths > lengths.max() * SMALLEST**0.5
    directions: Tensor = columns[:, chosen][:, :count]
    return directions


def _class_means(rows: Tensor, targets: Tensor) -> Tensor:
    sums = torch.zeros(int(targets.max()) + 1, rows.shape[1], dtype=rows.dtype)
    counts = torch.bincount(targets).clamp(min=1)
    return sums.index_add_(0, targets, rows) / counts[:, None]
