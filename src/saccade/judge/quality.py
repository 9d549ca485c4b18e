"""Pictures that are of little use: constant, blurred, too dark, too bright, clipped.

Each is judged by its own figures and by how far they are from those of the other pictures, in
robust deviations (median absolute deviation: Hampel, "The Influence Curve and Its Role in Robust
Estimation", 1974): where all pictures are smooth, or on black, none of them is odd.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.data.first_look import Looked
from saccade.values import Float64Array, IntArray

FLAT = 2  # grey levels: a picture within them shows nothing
FEWEST = 10  # pictures that tell what is usual
ODD = 3.5  # robust deviations
ODD_EACH = 1.5  # of detail and of sharpness, which must both be low
DARK, BRIGHT = 60, 195  # of 255: nearly all pixels on one side of it
CLIPPED = 0.25  # of the pixels, more than usual
LEAST_DEVIATION = {"mean": 2.0, "black": 0.02, "white": 0.02, "detail": 0.1, "sharpness": 0.05}


@dataclass(frozen=True, slots=True)
class Odd:
    """A picture, how odd it is (robust deviations, or 0 where none are told), and why."""

    picture: int
    score: float
    evidence: str


def constant(looked: Looked, rows: IntArray) -> list[Odd]:
    """Pictures of ``rows`` whose pixels are all the same, but for FLAT grey levels."""
    spread = looked.figure("spread")
    return [
        Odd(row, 0.0, f"all pixels are within {spread[row]:.0f} of 255 levels")
        for row in rows.tolist()
        if spread[row] <= FLAT
    ]


def blurred(looked: Looked, rows: IntArray) -> list[Odd]:
    """Pictures with far less detail than usual whose strongest edges are soft too."""
    detail, sharp = (_deviations(looked, rows, name) for name in ("detail", "sharpness"))
    low = -(detail + sharp) / 2
    chosen = (low > ODD) & (detail < -ODD_EACH) & (sharp < -ODD_EACH)
    variance = np.exp(looked.figure("detail")[rows].astype(np.float64))
    usual = np.median(variance) if len(rows) else 0.0

    def why(place: int) -> str:
        return (
            f"detail {variance[place]:,.0f}, usual {usual:,.0f}; "
            f"edges {-sharp[place]:.1f} deviations softer than usual"
        )

    return _ranked(rows, low, chosen, why)


def badly_lit(looked: Looked, rows: IntArray) -> list[Odd]:
    """Pictures that are nearly all dark, nearly all bright, or clipped, and unlike the others."""
    mean = _deviations(looked, rows, "mean")
    low, high = (looked.figure(name)[rows] for name in ("low", "high"))
    found = _ranked(
        rows,
        -mean,
        (high < DARK) & (mean < -ODD),
        lambda place: f"too dark: 95 % of its pixels are at most {high[place]:.0f} of 255",
    )
    found += _ranked(
        rows,
        mean,
        (low > BRIGHT) & (mean > ODD),
        lambda place: f"too bright: 95 % of its pixels are at least {low[place]:.0f} of 255",
    )
    named = {one.picture for one in found}
    for name in ("black", "white"):
        share = looked.figure(name)[rows].astype(np.float64)
        usual = np.median(share) if len(rows) else 0.0
        odd = _deviations(looked, rows, name)
        clipped = _ranked(
            rows,
            odd,
            (odd > ODD) & (share > usual + CLIPPED),
            lambda place, share=share, usual=usual, name=name: (  # type: ignore[misc]
                f"clipped: {100 * share[place]:.0f} % of its pixels are {name}, "
                f"usual {100 * usual:.0f} %"
            ),
        )
        found += [one for one in clipped if one.picture not in named]
        named |= {one.picture for one in clipped}
    return sorted(found, key=lambda one: -one.score)


def _deviations(looked: Looked, rows: IntArray, name: str) -> Float64Array:
    """(m,): how many robust deviations each picture lies above the median; 0 for too few."""
    values = looked.figure(name)[rows].astype(np.float64)
    if len(values) < FEWEST:
        return np.zeros(len(values))
    from_middle = values - np.median(values)
    deviation = 1.4826 * np.median(np.abs(from_middle))  # Of normal values: the standard one.
    return np.asarray(from_middle / max(deviation, LEAST_DEVIATION[name]), np.float64)


def _ranked(
    rows: IntArray, score: Float64Array, chosen: NDArray[np.bool_], why: Callable[[int], str]
) -> list[Odd]:
    places = np.flatnonzero(chosen)
    places = places[np.argsort(-score[places], kind="stable")]
    return [Odd(int(rows[place]), float(score[place]), why(place)) for place in places.tolist()]
