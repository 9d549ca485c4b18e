"""How likely it is that vectors show one identity: a Gaussian model with two covariances.

A vector is a mean, plus what its identity adds, plus what the picture adds; both are drawn from
normal distributions, whose covariances are estimated from the gallery (Ioffe, "Probabilistic linear
discriminant analysis", ECCV 2006; Brümmer and de Villiers, "The speaker partitioning problem",
Odyssey 2010, section 4). The covariances are shrunk (Ledoit and Wolf, "A well-conditioned estimator
for large-dimensional covariance matrices", 2004), so that a few identities suffice, and the vectors
are whitened and brought to one length first, because a bad picture lies further out than a normal
distribution says (Garcia-Romero and Espy-Wilson, "Analysis of i-vector length normalization in
speaker recognition systems", Interspeech 2011).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf

from saccade.values import Float32Array, Float64Array, IntArray

TRUSTED = 0.97  # share of the pictures, those nearest to their identity's mean, that are fitted to
FEWEST_IDENTITIES, FEWEST_REPEATED = 5, 10
LEAST_VARIANCE = 1e-9
LEARNT_FROM = 50_000  # pictures, of identities that are drawn: more take memory, and tell no more
LEAST_LEARNT = 1000  # identities
BLOCK = 4096  # rows at once, beside which nothing else of their size is in memory


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """The model, in coordinates where both covariances are diagonal.

    ``rows`` (n, d): the vectors there; what a picture adds has variance 1 in each. ``between``
    (d,): the variance of what an identity adds.
    """

    rows: Float64Array
    between: Float64Array

    def of_sets(self, counts: IntArray, sums: Float64Array, squares: Float64Array) -> Float64Array:
        """Log likelihood that each of m sets of rows shows one identity.

        ``counts`` (m,) rows a set, ``sums`` (m, d) and ``squares`` (m,) of their squared lengths.
        Without the term that depends on the number of rows alone: compare only partitions of the
        same rows.
        """
        found = np.empty(len(counts))
        for part in blocks(len(counts)):
            grown = 1 + np.asarray(counts[part], np.float64)[:, None] * self.between
            explained = (sums[part] ** 2 * (self.between / grown)).sum(axis=1)
            found[part] = (explained - squares[part] - np.log(grown).sum(axis=1)) / 2
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """What ``Likelihood.of_sets`` asks of the identities 0 to m - 1, in its order."""

    counts: IntArray
    sums: Float64Array
    squares: Float64Array

    @classmethod
    def of(cls, rows: Float64Array, codes: IntArray) -> "Sets":
        """Of rows (n, d) with the identity ``codes`` (n,), each of which has a row."""
        counts = np.bincount(codes)
        sums = np.stack([_sum_by(codes, column) for column in rows.T], axis=1)
        return cls(counts, sums, _sum_by(codes, np.einsum("nd,nd->n", rows, rows)))


def can_be_fitted(codes: IntArray) -> bool:
    """True when there are identities enough, and pictures enough beside the first of each."""
    identities = len(np.unique(codes))
    return identities >= FEWEST_IDENTITIES and len(codes) - identities >= FEWEST_REPEATED


def fit(vectors: Float32Array, codes: IntArray) -> Likelihood:
    """Fit the model to vectors (n, d) of the identities ``codes`` (n,), numbers from 0.

    A few wrong names do no harm. Needs ``can_be_fitted``. Of more than LEARNT_FROM pictures the
    covariances are those of so many.
    """
    some = _some(codes)
    _, learnt = np.unique(codes[some], return_inverse=True)
    rows = vectors[some].astype(np.float64)
    mean = rows.mean(axis=0)
    rows = _length_one(rows - mean)
    first = _Turn.of(rows, learnt)
    second = _Turn.of(_length_one(first(rows)), learnt)
    turned = np.empty(vectors.shape)
    for part in blocks(len(vectors)):
        turned[part] = second(_length_one(first(_length_one(vectors[part] - mean))))
    return Likelihood(turned, second.between)


def blocks(n: int) -> Iterator[slice]:
    """Yield the parts of n rows, BLOCK at a time."""
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _some(codes: IntArray) -> IntArray:
    """Rows of identities that are drawn, about LEARNT_FROM of them, or all.

    Those of several pictures come first, and LEAST_LEARNT identities are taken however many
    pictures they have: without both nothing could be learnt.
    """
    if len(codes) <= LEARNT_FROM:
        return np.arange(len(codes))
    counts = np.bincount(codes)
    drawn = np.random.default_rng(0).permutation(len(counts))
    drawn = drawn[np.argsort(counts[drawn] == 1, kind="stable")]
    enough = int(np.searchsorted(np.cumsum(counts[drawn]), LEARNT_FROM)) + 1
    return np.flatnonzero(np.isin(codes, drawn[: max(enough, LEAST_LEARNT)]))


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """Turns and scales rows (n, d) around ``centre`` (d,) by ``axes`` (d, d).

    Then the covariance within identities is 1, that between them ``between`` (d,).
    """

    centre: Float64Array
    axes: Float64Array
    between: Float64Array

    @classmethod
    def of(cls, rows: Float64Array, codes: IntArray) -> "_Turn":
        """Of rows (n, d) with the identity ``codes`` (n,)."""
        return cls(*_diagonal(rows, codes))

    def __call__(self, rows: Float64Array) -> Float64Array:
        found: Float64Array = (rows - self.centre) @ self.axes
        return found


def _diagonal(
    rows: Float64Array, codes: IntArray
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """The mean of the identities, the axes of ``_Turn`` and the covariance between."""
    counts = np.bincount(codes)
    means = Sets.of(rows, codes).sums / counts[:, None]
    within = _within(rows - means[codes], counts[codes])
    spread = ledoit_wolf(means)[0] - within / _harmonic(counts)
    variance, turn = np.linalg.eigh(within)
    whiten = turn / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    between, axes = np.linalg.eigh(whiten.T @ spread @ whiten)
    return means.mean(axis=0), whiten @ axes, np.maximum(between, 0.0)


def _within(residuals: Float64Array, counts: IntArray) -> Float64Array:
    """Covariance of what pictures add; ``counts`` (n,): rows of each one's identity."""
    repeated = counts > 1
    freedom = np.sqrt(counts[repeated] / (counts[repeated] - 1))
    found = residuals[repeated] * freedom[:, None]
    lengths = (found**2).sum(axis=1)
    trusted = found[lengths <= np.quantile(lengths, TRUSTED)]
    covariance: Float64Array = ledoit_wolf(trusted, assume_centered=True)[0]
    return covariance


def _sum_by(codes: IntArray, values: Float64Array) -> Float64Array:
    return np.bincount(codes, values).astype(np.float64)


def _harmonic(counts: IntArray) -> float:
    return float(len(counts) / (1 / counts).sum())


def _length_one(rows: Float64Array) -> Float64Array:
    found: Float64Array = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return found
