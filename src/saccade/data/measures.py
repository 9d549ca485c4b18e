"""What one picture's pixels say of its quality: light, clipping, detail, sharpness.

``detail`` is the focus measure of Pech-Pacheco, Cristobal, Chamorro-Martinez, Fernandez-Valdivia,
"Diatom autofocusing in brightfield microscopy: a comparative study", ICPR 2000: the variance of the
Laplacian. It is low for smooth content too, so ``sharpness`` asks the strongest edges alone how
abruptly they change: the Laplacian there over the gradient. A blurred edge rises over many pixels,
and the slope hardly changes from one to the next; what lies between edges does not count.
"""

import numpy as np
from PIL import Image

from saccade.values import Float32Array, Float64Array

FIGURES = ("spread", "mean", "low", "high", "black", "white", "detail", "sharpness")
LONGEST = 512  # pixels a side: a larger picture is looked at in smaller
STRONGEST = 0.9  # quantile of the gradient from which an edge is strong
FLOOR = 0.1  # grey levels: less is the rounding of pixels
LUMA = np.arange(256)


def measure(image: Image.Image) -> Float32Array:
    """Return FIGURES (8,) of an RGB image, in grey levels 0 to 255 where nothing else is said.

    ``spread``: largest minus smallest value of the channel where they differ most. Of the luma:
    ``mean``, ``low`` and ``high`` (5th and 95th percentile), ``black`` and ``white`` (shares of
    pixels at most 1, at least 254), ``detail`` (log of the Laplacian's variance), ``sharpness``
    (log of the Laplacian over the gradient at strong edges).
    """
    extrema = image.getextrema()
    spread = max(int(most) - int(least) for least, most in extrema)  # type: ignore[misc]
    grey = image.convert("L")
    counts = np.array(grey.histogram(), np.float64)
    counts /= counts.sum()
    below = np.cumsum(counts)
    low, high = (int(np.searchsorted(below, share)) for share in (0.05, 0.95))
    light = (float(counts @ LUMA), low, high, counts[:2].sum(), counts[254:].sum())
    return np.array([spread, *light, *_focus(_smaller(grey))], np.float32)


def _smaller(grey: Image.Image) -> Float64Array:
    factor = -(-max(grey.size) // LONGEST)
    return np.asarray(grey.reduce(factor) if factor > 1 else grey, np.float64)


def _focus(luma: Float64Array) -> tuple[float, float]:
    """Detail and sharpness of (H, W); the border is repeated."""
    around = np.pad(luma, 1, mode="edge")
    up, down = around[:-2, 1:-1], around[2:, 1:-1]
    left, right = around[1:-1, :-2], around[1:-1, 2:]
    laplacian = up + down + left + right - 4 * luma
    gradient = np.hypot(down - up, right - left) / 2
    detail = np.log(laplacian.var() + FLOOR**2)
    place = int(STRONGEST * (gradient.size - 1))
    strong = gradient >= np.partition(gradient, place, axis=None)[place]
    bend, slope = np.abs(laplacian[strong]).mean(), gradient[strong].mean()
    return float(detail), float(np.log((bend + FLOOR) / (slope + FLOOR)))
