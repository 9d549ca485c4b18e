"""Boxes: those of many pictures in columns, and the geometry that networks learn them by.

Outside a network a box is [x, y, width, height] in pixels of its picture: ``columns``, whose names
are found here, without torch. Inside it is its corners, (…, 4) float [x1, y1, x2, y2] in pixels of
the network's input, in torch: ``formats``, ``overlaps``, ``coding``, ``anchors``, ``assignment``
and ``suppression``, each imported by its own name.
"""

from saccade.boxes.columns import (
    BoolArray,
    FoundBoxes,
    Pairs,
    TrueBoxes,
    of_pictures,
    overlap,
    overlapping,
)

__all__ = [
    "BoolArray",
    "FoundBoxes",
    "Pairs",
    "TrueBoxes",
    "of_pictures",
    "overlap",
    "overlapping",
]
