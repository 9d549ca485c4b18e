"""How well the edges of masks fit.

Boundary F: G. Csurka, D. Larlus, F. Perronnin, "What is a good evaluation measure for semantic
segmentation?", BMVC 2013, section 3: precision is the share of the answered edge within a tolerance
of the true one, recall the reverse, F their harmonic mean, of each class in each picture. Boundary
IoU: B. Cheng, R. Girshick, P. Dollár, A. C. Berg, A. Kirillov, "Boundary IoU", CVPR 2021,
equation 1: the intersection over union of the strips of pixels near either edge.
The edge of a mask: its pixels that have a pixel of another class above, below, left or right. What
is ignored is no other class, and neither is what lies outside the picture.
"""

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt

from saccade.boxes import BoolArray
from saccade.values import Float64Array

TOLERANCE = 0.0075  # of the picture's diagonal; the paper's
STRIP = 0.02  # of the picture's diagonal; Cheng and others, section 5


def edge(mask: BoolArray, known: BoolArray) -> BoolArray:
    """Return (H, W) bool: the edge of ``mask``, (H, W) bool; only ``known`` pixels count."""
    found: BoolArray = mask & known & binary_dilation(known & ~mask)
    return found


def boundary_f(
    truth: BoolArray, answer: BoolArray, known: BoolArray, *, tolerance: float = TOLERANCE
) -> float:
    """Return the boundary F of two masks (H, W), in [0, 1]; NaN where neither has an edge.

    ``tolerance``: a share of the diagonal; a pixel exactly that far away still counts.
    """
    true_edge, found_edge = edge(truth, known), edge(answer, known)
    if not true_edge.any() and not found_edge.any():
        return float("nan")
    if not true_edge.any() or not found_edge.any():
        return 0.0
    reach = tolerance * float(np.hypot(*truth.shape))
    precision, recall = (
        float((_distance(there)[own] <= reach).mean())
        for own, there in ((found_edge, true_edge), (true_edge, found_edge))
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_overlap(
    truth: BoolArray, answer: BoolArray, known: BoolArray, *, strip: float = STRIP
) -> tuple[int, int]:
    """Return the pixels of intersection and union of the strips within each mask, along its edge.

    ``strip``: a share of the diagonal. The ratio of their sums over pictures is the boundary IoU.
    """
    reach = strip * float(np.hypot(*truth.shape))
    strips = []
    for mask in (truth, answer):
        own = edge(mask, known)
        near = _distance(own) <= reach if own.any() else own
        strips.append(mask & known & near)
    return int((strips[0] & strips[1]).sum()), int((strips[0] | strips[1]).sum())


def _distance(points: BoolArray) -> Float64Array:
    """(H, W): from each pixel to the nearest of ``points``, in pixels."""
    distances: Float64Array = distance_transform_edt(~points)
    return distances
