"""Landmarks to a place of the crop: the similarity of least squares, and whether it fits.

S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE
PAMI 13(4), 1991, without reflection. In the plane, a point x, y being the complex number x + iy, a
turn and a scale are one complex factor a, and his solution is a linear regression of the template t
on the landmarks s: a = Σ conj(s - mean s) (t - mean t) / Σ |s - mean s|².

Crops of landmarks that do not fit look alike, and so become hubs that resemble everybody; they are
told, not searched. How the limits were measured: docs/decisions/0016-crops-that-do-not-fit.md.
"""

import math
from dataclasses import dataclass

import numpy as np

from saccade.values import Float32Array, Float64Array

MOST_OFF = 0.10  # of the crop's width: root of the landmarks' mean squared distance
LEAST_SPREAD = 0.1  # of the crop's width: between the points of a template
MOST_TILTED = 60.0  # degrees
MARGIN = 0.15  # of the longer side of a box, on each side of its crop


@dataclass(frozen=True, slots=True)
class Place:
    """Where a square crop lies in its picture.

    ``corner``: its left upper corner, x + iy, in pixels; ``width``: its upper side as a complex
    number, so that the point u, v of the crop, in [0, 1], lies at corner + width (u + iv).
    ``aligned``: by landmarks. ``misfit`` says in words why it must not be trusted, or nothing.
    """

    corner: complex
    width: complex
    aligned: bool
    misfit: str = ""

    @property
    def side(self) -> float:
        """Length of a side of the crop, in pixels of the picture."""
        return abs(self.width)


def by_landmarks(
    landmarks: Float32Array, template: Float32Array, size_hw: tuple[int, int]
) -> Place:
    """Return the place whose crop shows ``landmarks`` where ``template`` has them.

    ``landmarks`` (p, 2): x, y in pixels of a picture of ``size_hw``; ``template`` (p, 2): x, y in
    [0, 1] of the crop. What does not fit has ``misfit`` set, and its place is not to be used.
    """
    where = _unusable(np.asarray(landmarks, np.float64), template, size_hw)
    if where:
        return Place(0, 0, aligned=True, misfit=where)
    seen, wanted = _complex(landmarks), _complex(template)
    from_middle = seen - seen.mean()
    to_middle = wanted - wanted.mean()
    factor = (from_middle.conj() @ to_middle) / (from_middle.conj() @ from_middle).real
    off = math.sqrt(np.mean(np.abs(factor * from_middle - to_middle) ** 2))
    if off > MOST_OFF:
        return Place(0, 0, aligned=True, misfit=_off(off))
    width = 1 / complex(factor)
    corner = complex(seen.mean()) - width * complex(wanted.mean())
    return Place(corner, width, aligned=True, misfit=_tilted(width))


def by_box(xywh: Float32Array) -> Place:
    """Return the square round the middle of a box [x, y, width, height], MARGIN wider."""
    x, y, width, height = (float(value) for value in xywh)
    side = max(width, height) * (1 + 2 * MARGIN)
    corner = complex(x + (width - side) / 2, y + (height - side) / 2)
    return Place(corner, complex(side), aligned=False)


def _unusable(landmarks: Float64Array, template: Float32Array, size_hw: tuple[int, int]) -> str:
    """Say why no place can be found from these landmarks; empty when one can."""
    if landmarks.shape != template.shape or len(landmarks) < 2:
        return f"{len(landmarks)} landmarks where the template has {len(template)}"
    if not np.isfinite(landmarks).all():
        return "a landmark is no number"
    height, width = size_hw
    if (landmarks < 0).any() or (landmarks > [width, height]).any():
        return "a landmark lies outside the picture"
    if np.ptp(landmarks, axis=0).max() < 1:
        return "all landmarks lie on one point"
    if not np.ptp(template, axis=0).max() >= LEAST_SPREAD:
        return "all points of the template lie on one"
    return ""


def _off(off: float) -> str:
    return (
        f"its landmarks do not fit: {100 * off:.0f} % of the crop's width off, "
        f"{100 * MOST_OFF:.0f} % are allowed"
    )


def _tilted(width: complex) -> str:
    tilt = abs(math.degrees(math.atan2(width.imag, width.real)))
    if tilt <= MOST_TILTED:
        return ""
    return f"it is tilted by {tilt:.0f} degrees, {MOST_TILTED:.0f} are allowed; turn the picture"


def _complex(points: Float32Array) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    """(p, 2) → (p,): x + iy."""
    exact = np.asarray(points, np.float64)
    return exact[:, 0] + 1j * exact[:, 1]
