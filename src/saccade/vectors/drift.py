"""Whether codes that were fitted to some vectors still suit new ones."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade import scan
from saccade.errors import InputError
from saccade.values import Float32Array
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_codes import Fit, HalfArray
from saccade.vectors.tuned import Tuned

LEAST_ROWS = 100
LEAST_VARIANCE = 1e-6  # of unit vectors; below it all are equal but for rounding
WORSE_UNEXPLAINED, WORSE_OUTSIDE, SLACK = 1.2, 2.0, 0.01
ERRORS = 3  # standard errors


@dataclass(frozen=True, slots=True)
class Losses:
    """Shares of the variance that the head loses and of rows outside the 8-bit range.

    Each with its standard error.
    """

    unexplained: float
    outside: float
    unexplained_error: float
    outside_error: float


def decoded(fitted: Fit, components: Float32Array) -> Float32Array:
    """What the head keeps, (n, m), of components (n, d): the middles of the quantiser's steps."""
    leading = np.ascontiguousarray(components[:, : len(fitted.head_step)])
    codes = scan.quantise(leading, fitted.head_step, fitted.bits)[0]
    found: Float32Array = (codes + np.float32(0.5 - 2**fitted.bits / 2)) * fitted.head_step
    return found


def losses(fitted: Fit, rows: HalfArray | Float32Array, cells: Cells | None = None) -> Losses:
    """Measure how well codes fitted to other vectors hold ``rows`` (n, d), n ≥ 1."""
    components = fitted.components(rows)
    m = len(fitted.head_step)
    total = _squares(components)
    left = components if cells is None else components - cells.centres[cells.nearest(components)]
    lost = _squares(left[:, :m] - decoded(fitted, left)) + _squares(left[:, m:])
    mean = max(float(total.mean()), LEAST_VARIANCE)
    share = float(lost.mean()) / mean if total.mean() > LEAST_VARIANCE else 0.0
    spread = float(np.std(lost - share * total)) / mean
    outside = scan.quantise(components, fitted.full_step, 8)[1]
    rows_root = math.sqrt(len(components))
    return Losses(
        unexplained=share,
        outside=float(outside.mean()),
        unexplained_error=spread / rows_root,
        outside_error=float(outside.std()) / rows_root,
    )


def drifted(
    fitted: Fit, tuned: Tuned, rows: HalfArray | Float32Array, cells: Cells | None = None
) -> str:
    """Say why the gallery shall be tuned again, now that ``rows`` (n, d) came; "" when not.

    Compares, beyond 3 standard errors, what the codes lose of the new rows with what they lost of
    the gallery when it was tuned. Fewer than 100 rows say nothing, and exact search has no codes.
    Raises InputError when the rows are not vectors of the gallery's length.
    """
    if rows.ndim != 2 or rows.shape[1] != len(fitted.mean):
        raise InputError(
            f"new rows must have shape (n, {len(fitted.mean)}), got {rows.shape}: embed them with "
            "the gallery's model"
        )
    if tuned.kind == "exact" or len(rows) < LEAST_ROWS:
        return ""
    new = losses(fitted, rows, cells)
    unexplained = new.unexplained - ERRORS * new.unexplained_error
    if unexplained > WORSE_UNEXPLAINED * tuned.unexplained + SLACK:
        return (
            f"the head loses {new.unexplained:.1%} of the new rows' variance, and lost "
            f"{tuned.unexplained:.1%} when the gallery was tuned: tune again"
        )
    if new.outside - ERRORS * new.outside_error > WORSE_OUTSIDE * tuned.outside + SLACK:
        return (
            f"{new.outside:.1%} of the new rows lie outside the 8-bit range, and "
            f"{tuned.outside:.1%} did when the gallery was tuned: tune again"
        )
    return ""


def _squares(rows: Float32Array) -> NDArray[np.float64]:
    found: NDArray[np.float64] = (rows.astype(np.float64) ** 2).sum(axis=1)
    return found
