"""The power law of learning: the error expected of n pictures is a + b n^-c.

C. Cortes, L. D. Jackel, S. A. Solla, V. Vapnik and J. S. Denker, "Learning curves: asymptotic
values and rate of convergence", NIPS 6, 1993, eq. 4; J. Hestness et al., "Deep learning scaling is
predictable, empirically", 2017, arXiv:1712.00409. Fitted by least squares, weighted by the inverse
variances, over a >= 0, b >= 0 and C_LOW <= c <= C_HIGH: for each c of a grid a and b are linear and
found exactly, then the grid is made finer around the best.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saccade.errors import InputError

FloatArray = NDArray[np.float64]
C_LOW, C_HIGH = 0.02, 4.0
COARSE, FINE, ROUNDS = 60, 9, 5
FEWEST = 3  # sizes: the law has three constants


@dataclass(frozen=True, slots=True, eq=False)
class PowerLaw:
    """The constants of laws a + b n^-c, (…,) float64 each."""

    a: FloatArray
    b: FloatArray
    c: FloatArray

    def error(self, n: float) -> FloatArray:
        """Return the error (…,) that is expected of ``n`` pictures."""
        return self.a + self.b * n**-self.c


def fit_power_law(n: ArrayLike, errors: ArrayLike, variances: ArrayLike) -> PowerLaw:
    """Return the law that fits each row of ``errors`` (…, s), at ``n`` (s,) pictures.

    ``variances`` (s,): of the errors, above 0; only their ratios matter. Raises InputError for
    fewer than FEWEST sizes, or sizes that do not rise.
    """
    sizes, weights = np.asarray(n, np.float64), 1 / np.asarray(variances, np.float64)
    rows = np.asarray(errors, np.float64)
    if len(sizes) < FEWEST or sizes[0] <= 0 or (np.diff(sizes) <= 0).any():
        raise InputError(f"a power law needs {FEWEST} rising sizes or more; got {sizes.tolist()}")
    flat = rows.reshape(-1, len(sizes))
    # In units of the smallest size no power is too large or small to compute with.
    ratio, weights = sizes / sizes[0], weights / weights.sum()
    grid = np.broadcast_to(np.geomspace(C_LOW, C_HIGH, COARSE), (len(flat), COARSE))
    step = (C_HIGH / C_LOW) ** (1 / (COARSE - 1))
    for _ in range(ROUNDS):
        best = _best(flat, ratio, weights, grid)
        grid = best[2][:, None] * step ** np.linspace(-1, 1, FINE)
        grid = np.clip(grid, C_LOW, C_HIGH)
        step **= 2 / (FINE - 1)
    a, b, c = (each.reshape(rows.shape[:-1]) for each in best)
    return PowerLaw(a, b * sizes[0] ** c, c)


def _best(
    rows: FloatArray, ratio: FloatArray, weights: FloatArray, grid: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The best a, b and c (d,) for rows (d, s), with c out of ``grid`` (d, g)."""
    x = ratio ** -grid[..., None]
    y = rows[:, None, :]
    mean_x, mean_y = (x * weights).sum(-1), (y * weights).sum(-1)
    spread = ((x - mean_x[..., None]) ** 2 * weights).sum(-1)
    slope = ((x - mean_x[..., None]) * (y - mean_y[..., None]) * weights).sum(-1) / spread
    through_0 = np.maximum((x * y * weights).sum(-1) / (x * x * weights).sum(-1), 0)
    b = np.maximum(slope, 0)
    a = mean_y - b * mean_x
    b, a = np.where(a < 0, through_0, b), np.maximum(a, 0)
    lost = ((y - a[..., None] - b[..., None] * x) ** 2 * weights).sum(-1)
    place = lost.argmin(axis=1)[:, None]
    a, b, c = (np.take_along_axis(each, place, 1)[:, 0] for each in (a, b, grid))
    return a, b, c
