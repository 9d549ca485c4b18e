"""Labels that are probably wrong: confident learning on answers that did not see the picture.

Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70,
2021, by cleanlab: of each class, as many labels are suggested as its joint counts estimate to be
wrong (prune by class), the least probable first. The probabilities are the mean of two models that
err differently: nearest neighbours, weighted by distance, and ridge regression of the classes. Both
are learned without the fold that they answer, and made as sure as the labels bear out: Guo, Pleiss,
Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. We differ: a
label that is all but ruled out while another is all but certain is suggested beyond those counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from saccade.data.splits import stratified_folds
from saccade.intervals import binomial_interval
from saccade.judge.principal import blocks, length_one, principal
from saccade.models.least_squares import ridge
from saccade.nn.hog import Hog
from saccade.values import Float32Array, Float64Array, IntArray, UInt8Array
from saccade.vectors.scan import ScanIndex

FOLDS = 5
FEWEST = 5  # pictures of a class, below which its labels are not judged
MOST_ANSWERS = 40_000_000  # probabilities, pictures times classes: about 50 bytes each
NEAREST, MIDDLE = 10, 5  # neighbours that vote; the one whose distance sets the weights
PENALTY = 1e-4  # of ridge regression, a picture
DIRECTIONS = 128
TINY = 1e-6  # least probability: no answer is certain
RULED_OUT, CERTAIN = 0.05, 0.9  # probabilities of the label and of another
POWERS = (0.2, 8.0)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A picture whose label is doubted: the probabilities of the label and of the one suggested."""

    picture: int
    suggested: str
    given_probability: float
    suggested_probability: float


def doubted_labels(
    features: Float32Array, labels: Sequence[str], *, seed: int = 0, threads: int = 1
) -> tuple[list[Doubt], str]:
    """Return the labels (n,) that are probably wrong, surest first; ``features`` (n, d).

    And what was not judged, and why: classes with fewer than FEWEST pictures, and all of them where
    two are not left, where they make more than MOST_ANSWERS, or where the models know the classes
    no better than by chance.
    """
    names, numbers, counts = np.unique(
        np.asarray(labels, object).astype(str), return_inverse=True, return_counts=True
    )
    rows = np.flatnonzero(counts[numbers] >= FEWEST)
    if not any(names):
        return [], "labels were not judged: these pictures have none"
    if (counts >= FEWEST).sum() < 2:
        return [], f"labels were not judged: that needs two classes with {FEWEST} pictures each"
    kept, targets = np.unique(numbers[rows], return_inverse=True)
    if len(rows) * len(kept) > MOST_ANSWERS:
        return [], (
            f"labels were not judged: {len(rows):,} pictures of {len(kept):,} classes need too "
            "much memory; inspect some of the classes at a time"
        )
    answers = held_out_shares(features[rows], targets, seed=seed, threads=threads)
    right = int((answers.argmax(axis=1) == targets).sum())
    if binomial_interval(right, len(rows)).low <= np.bincount(targets).max() / len(rows):
        return [], "labels were not judged: these classes could not be told apart; give --model"
    left = int((counts < FEWEST).sum())
    note = f"labels of {left:,} classes with fewer than {FEWEST} pictures were not judged"
    shares = calibrated(answers, targets)
    from cleanlab.filter import find_label_issues  # Slow to load.

    given, best = shares[np.arange(len(rows)), targets], shares.argmax(axis=1)
    surest = shares.max(axis=1)
    found = find_label_issues(targets, shares, filter_by="prune_by_class", n_jobs=1)
    found |= (given < RULED_OUT) & (surest > CERTAIN)
    places = np.flatnonzero(found & (best != targets))
    return [
        Doubt(
            int(rows[place]),
            str(names[kept[best[place]]]),
            float(given[place]),
            float(surest[place]),
        )
        for place in places[np.argsort(given[places], kind="stable")].tolist()
    ], note if left else ""


def calibrated(shares: Float64Array, targets: IntArray) -> Float64Array:
    """(n, classes): probabilities to the power that makes the labels (n,) most likely."""

    def loss(power: float) -> float:
        likely = _unit(shares**power)[np.arange(len(targets)), targets]
        return -float(np.log(np.maximum(likely, TINY)).mean())

    found = minimize_scalar(loss, bounds=POWERS, method="bounded")
    return _unit(shares**found.x)


def held_out_shares(
    features: Float32Array, targets: IntArray, *, seed: int, threads: int
) -> Float64Array:
    """(n, classes): probabilities of each picture from models that did not learn from it."""
    shares = np.zeros((len(targets), int(targets.max()) + 1))
    folds = stratified_folds([str(one) for one in targets], folds=FOLDS, seed=seed)
    for held in folds:
        learned = np.setdiff1d(np.arange(len(targets)), held)
        rows, wanted = features[learned], np.eye(shares.shape[1])[targets[learned]]
        linear = ridge(rows, wanted, penalty=PENALTY * len(rows))(features[held])
        votes = _votes(rows, targets[learned], wanted.shape[1], features[held], threads)
        shares[held] = _unit(np.clip(linear, 0, None)) + _unit(votes)
    return _unit(shares + TINY)


def picture_features(small: UInt8Array) -> Float32Array:
    """(n, c, h, w) uint8 → (n, d) float32 of length 1: gradients and pixels, half each.

    Histograms of oriented gradients (``nn/hog.py``) say what is drawn, pixels where; of both, the
    directions that vary most.
    """
    hog = Hog(channels=small.shape[1], size_hw=(small.shape[2], small.shape[3]))

    def both(some: UInt8Array) -> Float32Array:
        values = torch.from_numpy(some).float() / 255
        pixels = values.flatten(1).numpy()
        pixels = pixels - pixels.mean(axis=1, keepdims=True)
        return np.hstack([length_one(hog(values).numpy()), length_one(pixels)])

    directions = principal(small, both, most=DIRECTIONS)
    return np.concatenate([directions(both(small[some])) for some in blocks(len(small))])


def _votes(
    rows: Float32Array, targets: IntArray, classes: int, queries: Float32Array, threads: int
) -> Float64Array:
    """(q, classes): of each class the weights of its pictures among the nearest."""
    similarities, found = ScanIndex(rows, threads=threads).find(queries, NEAREST)
    squared = np.clip(2 - 2 * similarities.astype(np.float64), TINY, None)
    middle = squared[:, min(MIDDLE, squared.shape[1]) - 1, None]
    weights = np.exp(-0.5 * squared / middle)
    votes = np.zeros((len(queries), classes))
    np.add.at(votes, (np.arange(len(queries))[:, None], targets[found]), weights)
    return votes


def _unit(shares: Float64Array) -> Float64Array:
    """Rows that sum to 1."""
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), TINY), np.float64)
